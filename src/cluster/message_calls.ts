/**
 * What nodes are asked about single messages: lists that change nothing, dead letters, jobs.
 *
 * Tested in test/admin/messages/message_desk_test.ts.
 */
import { DEATH_REASONS, type DeathReason } from "../broker/channel/dead_letters.ts";
import { CHANNEL_STATES, type ChannelState } from "../broker/looking/found_messages.ts";
import type { Upstream } from "./upstream.ts";

export const messageStates = CHANNEL_STATES;
export type MessageState = ChannelState;
export const deathReasons = DEATH_REASONS;
export type { DeathReason };

/** A part of a list. */
export interface ListQuery {
  readonly topic: string;
  readonly channel: string;
  /** `dead` is also narrowed by `reason`. */
  readonly state: MessageState;
  /** Null for any; of dead letters only. */
  readonly reason: DeathReason | null;
  /** `oldest`, `newest`, a time, or what `next` of the part before says. */
  readonly from: string;
  readonly limit: number;
  /** Of each body, bytes. */
  readonly maxBodyBytes: number;
  /** `contains:`, `re:` or `json:` and what is looked for; "" for all. */
  readonly match: string;
}

/** A message as a list shows it. */
export interface SeenMessage {
  readonly id: string;
  /** Unix ms. */
  readonly publishedAtMs: number;
  readonly attempts: number;
  readonly state: string;
  /** Of the whole body. */
  readonly byteCount: number;
  /** The beginning of it. */
  readonly body: Uint8Array;
  /** Unix ms; null where it does not apply, as the next. */
  readonly dueMs: number | null;
  readonly timeoutAtMs: number | null;
  readonly diedMs: number | null;
  /** Who has it, or had it last; "" for nobody. */
  readonly consumer: string;
  /** Why it died; "" while it lives. */
  readonly reason: string;
}

export interface MessageList {
  readonly messages: readonly SeenMessage[];
  /** Where the next part begins; null at the end. */
  readonly next: string | null;
  /** How many were looked at for this part. */
  readonly scanned: number;
}

/** A long operation on a node. */
export interface NodeJob {
  readonly id: string;
  /** `redrive` or `delete`. */
  readonly kind: string;
  /** Such as `orders/billing`. */
  readonly subject: string;
  readonly state: "running" | "done" | "stopped" | "failed";
  readonly selected: number;
  readonly done: number;
  readonly failed: number;
  /** A second; 0 for as fast as it goes. */
  readonly ratePerSecond: number;
  readonly startedMs: number;
  /** Null while it runs. */
  readonly endedMs: number | null;
  /** "" when all went well. */
  readonly error: string;
}

/** Which dead letters of one node; either ids, or all that match. */
export type LetterSelection =
  | { readonly ids: readonly string[] }
  | { readonly ids: null; readonly reason: DeathReason | null };

/** @throws {UpstreamError}, as all here */
export async function listMessages(
  upstream: Upstream,
  node: string,
  query: ListQuery,
): Promise<MessageList> {
  const { topic, channel, state, reason, from, limit, maxBodyBytes, match } = query;
  const parameters = new URLSearchParams({
    topic,
    channel,
    from,
    limit: String(limit),
    max_body: String(maxBodyBytes),
  });
  if (match !== "") parameters.set("match", match);
  if (reason !== null) parameters.set("reason", reason);
  else parameters.set("state", state);
  const path = `/channel/${reason !== null ? "dead" : "messages"}?${parameters}`;
  const json = objectOf(await upstream.get("nsqd", node, path));
  return {
    messages: (Array.isArray(json.messages) ? json.messages : []).map((each) => readSeen(objectOf(each))),
    next: typeof json.next === "string" ? json.next : null,
    scanned: number(json.scanned),
  };
}

/** One message with its whole body. */
export async function readMessage(
  upstream: Upstream,
  node: string,
  topic: string,
  channel: string,
  id: string,
): Promise<SeenMessage> {
  const path = `/message?${new URLSearchParams({ topic, channel, id })}`;
  const { headers, body } = await upstream.ask("nsqd", "GET", node, path);
  const facts: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith("x-nsq-")) {
      facts[name.slice("x-nsq-".length).replaceAll("-", "_")] = decodeURI(value);
    }
  }
  return { ...readSeen(facts), body };
}

/** Begins to put dead letters back, or to publish them to `toTopic`; null for back. */
export async function startRedrive(
  upstream: Upstream,
  node: string,
  topic: string,
  channel: string,
  selection: LetterSelection,
  how: { toTopic: string | null; keepsAttempts: boolean; ratePerSecond: number },
): Promise<NodeJob> {
  const parameters = selectionQuery(topic, channel, selection);
  if (how.toTopic !== null) parameters.set("to_topic", how.toTopic);
  parameters.set("attempts", how.keepsAttempts ? "keep" : "reset");
  if (how.ratePerSecond > 0) parameters.set("rate", String(how.ratePerSecond));
  return await startJob(upstream, node, `/channel/redrive?${parameters}`);
}

/** Begins to delete dead letters. */
export async function startDelete(
  upstream: Upstream,
  node: string,
  topic: string,
  channel: string,
  selection: LetterSelection,
): Promise<NodeJob> {
  const parameters = selectionQuery(topic, channel, selection);
  return await startJob(upstream, node, `/channel/dead/delete?${parameters}`);
}

/** The newest first. */
export async function listJobs(upstream: Upstream, node: string): Promise<NodeJob[]> {
  const { jobs } = objectOf(await upstream.get("nsqd", node, "/jobs"));
  return Array.isArray(jobs) ? jobs.map(readJob) : [];
}

/** Has a job end after its step. */
export async function stopJob(upstream: Upstream, node: string, id: string): Promise<void> {
  await upstream.ask("nsqd", "DELETE", node, `/jobs/${encodeURIComponent(id)}`);
}

async function startJob(upstream: Upstream, node: string, path: string): Promise<NodeJob> {
  const { body } = await upstream.ask("nsqd", "POST", node, path);
  return readJob(JSON.parse(new TextDecoder().decode(body)));
}

function selectionQuery(topic: string, channel: string, selection: LetterSelection): URLSearchParams {
  const parameters = new URLSearchParams({ topic, channel });
  if (selection.ids !== null) {
    parameters.set("ids", selection.ids.join(","));
    return parameters;
  }
  parameters.set("all", "true");
  if (selection.reason !== null) parameters.set("reason", selection.reason);
  return parameters;
}

type Json = Readonly<Record<string, unknown>>;

function readSeen(json: Json): SeenMessage {
  return {
    id: text(json.id),
    publishedAtMs: number(json.timestamp) / 1e6,
    attempts: number(json.attempts),
    state: text(json.state),
    byteCount: number(json.size),
    body: bodyOf(json),
    dueMs: moment(json.due),
    timeoutAtMs: moment(json.timeout_at),
    diedMs: moment(json.died_at),
    consumer: text(json.consumer),
    reason: text(json.reason),
  };
}

function bodyOf({ body, body_base64 }: Json): Uint8Array {
  if (typeof body_base64 === "string") {
    return Uint8Array.from(atob(body_base64), (char) => char.charCodeAt(0));
  }
  return new TextEncoder().encode(text(body));
}

function readJob(from: unknown): NodeJob {
  const json = objectOf(from);
  return {
    id: text(json.id),
    kind: text(json.kind),
    subject: text(json.subject),
    state: text(json.state) as NodeJob["state"],
    selected: number(json.selected),
    done: number(json.done),
    failed: number(json.failed),
    ratePerSecond: number(json.rate),
    startedMs: number(json.started_at),
    endedMs: json.ended_at === null ? null : number(json.ended_at),
    error: text(json.error),
  };
}

function objectOf(json: unknown): Json {
  return typeof json === "object" && json !== null ? json as Json : {};
}

function text(json: unknown): string {
  return typeof json === "string" ? json : "";
}

/** Headers have numbers as texts. */
function number(json: unknown): number {
  const value = Number(json ?? 0);
  return Number.isFinite(value) ? value : 0;
}

/** ISO 8601 as Unix ms. */
function moment(json: unknown): number | null {
  const ms = Date.parse(text(json));
  return Number.isNaN(ms) ? null : ms;
}
