/**
 * The endpoints that list messages and change nothing: `/channel/messages`, `/topic/messages`, `/channel/dead` and
 * `/message`.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import { DEATH_REASONS, type DeathReason } from "../../broker/channel/dead_letters.ts";
import {
  type Batch,
  CHANNEL_STATES,
  type ChannelState,
  type Direction,
  findInChannel,
  findInTopic,
  type FoundMessage,
  TOPIC_STATES,
  type TopicState,
} from "../../broker/looking/found_messages.ts";
import {
  type ListedMessage,
  listMessages,
  readMessage,
  seqAtTime,
} from "../../broker/looking/message_lister.ts";
import type { Topic } from "../../broker/topic.ts";
import { HttpError } from "../../http/errors.ts";
import type { Query } from "../../http/query.ts";
import type { Route } from "../../http/router.ts";
import { type BodyMatch, parseMatch } from "../../policies/body_match.ts";
import { formatId, parseId } from "../../protocol/message.ts";
import type { HttpAuth } from "../auth/http_auth.ts";
import { badArgument, choiceParameter, integerParameter } from "./parameters.ts";
import { existingChannel, existingTopicOf } from "./topics.ts";

const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;
const DEFAULT_BODY_BYTES = 64 << 10;
const MAX_BODY_BYTES = 1 << 30;

/** A message as lists show it. */
export interface MessageJson {
  readonly id: string;
  /** Unix ns, of the publish. */
  readonly timestamp: number;
  readonly attempts: number;
  readonly state: string;
  /** Bytes of the whole body. */
  readonly size: number;
  /** One of the next two: a text when the body is UTF-8. */
  readonly body?: string;
  readonly body_base64?: string;
  /** True when only the first bytes of the body are shown. */
  readonly truncated?: boolean;
  /** When a deferred one becomes deliverable, ISO 8601. */
  readonly due?: string;
  readonly timeout_at?: string;
  readonly consumer?: string;
  readonly reason?: string;
  readonly died_at?: string;
}

/** The endpoints for the messages of `broker`, for those whom `auth` lets look; null for everybody. */
export function lookingRoutes(broker: Broker, auth: HttpAuth | null): Route[] {
  const routes = routesOf(broker);
  return auth === null ? routes : routes.map((route) => ({
    ...route,
    async handle(context) {
      const { query, request } = context;
      // Without a topic there is nothing to see, and the endpoint says what is missing.
      const topic = query.get("topic"), isOfTopic = route.path.startsWith("/topic/");
      if (topic !== undefined) {
        await auth.mayLook(request, topic, isOfTopic ? "" : query.get("channel") ?? "");
      }
      return await route.handle(context);
    },
  }));
}

function routesOf(broker: Broker): Route[] {
  return [
    {
      method: "GET",
      path: "/channel/messages",
      handle({ query }) {
        const channel = existingChannel(broker, query);
        const state = choiceParameter(query, "state", CHANNEL_STATES, "waiting");
        return list(
          broker,
          query,
          channel.topic.log,
          (seq, direction, max) => findInChannel(channel, state, seq, direction, max),
        );
      },
    },
    {
      method: "GET",
      path: "/channel/dead",
      handle({ query }) {
        const channel = existingChannel(broker, query);
        const reason = query.get("reason") === undefined
          ? null
          : choiceParameter<DeathReason>(query, "reason", DEATH_REASONS, "attempts");
        return list(broker, query, channel.topic.log, (seq, direction, max) => {
          const batch = findInChannel(channel, "dead", seq, direction, max);
          return {
            ...batch,
            found: batch.found.filter((letter) => reason === null || letter.reason === reason),
          };
        });
      },
    },
    {
      method: "GET",
      path: "/topic/messages",
      handle({ query }) {
        const topic = existingTopicOf(broker, query);
        const state: TopicState = choiceParameter(query, "state", TOPIC_STATES, "all");
        return list(
          broker,
          query,
          topic.log,
          (seq, direction, max) => findInTopic(topic, state, seq, direction, max),
        );
      },
    },
    { method: "GET", path: "/message", handle: ({ query }) => oneMessage(broker, query) },
  ];
}

async function list(
  broker: Broker,
  query: Query,
  log: Topic["log"],
  find: (seq: number, direction: Direction, max: number) => Batch,
): Promise<object> {
  const limit = integerParameter(query, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT);
  const maxBodyBytes = integerParameter(query, "max_body", 0, MAX_BODY_BYTES, DEFAULT_BODY_BYTES);
  const match = matchParameter(query);
  const { direction, fromSeq } = await place(broker, query, log);
  const page = await listMessages(broker, {
    find: (seq, max) => find(seq, direction, max),
    fromSeq,
    direction,
    limit,
    maxBodyBytes,
    match,
  });
  const next = page.nextSeq === null
    ? {}
    : { next: `${direction === "oldest" ? "id" : "before"}:${formatId(broker.nodeId, page.nextSeq)}` };
  return {
    messages: page.messages.map((message) => showMessage(broker, message)),
    ...next,
    scanned: page.scanned,
    matched: page.messages.length,
  };
}

function matchParameter(query: Query): BodyMatch | null {
  const text = query.get("match");
  if (text === undefined || text === "") return null;
  try {
    return parseMatch(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw badArgument("match", cause.message);
  }
}

/** Where `from` says to begin: `oldest`, `newest`, `id:`, `before:` (what `next` gives going down), or a time. */
async function place(
  broker: Broker,
  query: Query,
  log: Topic["log"],
): Promise<{ direction: Direction; fromSeq: number }> {
  const from = query.get("from") ?? query.get("after") ?? "oldest";
  if (from === "oldest") return { direction: "oldest", fromSeq: -Infinity };
  if (from === "newest") return { direction: "newest", fromSeq: Infinity };
  const [, kind, id] = /^(id|before):(.*)$/.exec(from) ?? [];
  if (kind !== undefined) {
    return { direction: kind === "id" ? "oldest" : "newest", fromSeq: seqOf(broker, id, "from") };
  }
  return {
    direction: "oldest",
    fromSeq: await seqAtTime(broker, log.first, timeParameter("from", from) * 1e6),
  };
}

/** A time: RFC 3339, or Unix ms. @returns Unix ms */
export function timeParameter(name: string, text: string): number {
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(ms)) {
    throw badArgument(
      name,
      `"${text}" is no id:, no time of RFC 3339 and no Unix ms, and not oldest or newest`,
    );
  }
  return ms;
}

/** The sequence number in the id of a message of this node. */
export function seqOf(broker: Broker, id: string, name: string): number {
  const bytes = new TextEncoder().encode(id),
    seq = bytes.length === 16 ? parseId(bytes, 0, broker.nodeId) : -1;
  if (seq < 0) throw badArgument(name, `"${id}" is no id of a message of this node`);
  return seq;
}

async function oneMessage(broker: Broker, query: Query): Promise<Response> {
  const channel = existingChannel(broker, query), id = query.get("id");
  if (id === undefined) throw new HttpError(400, "MISSING_ARG_ID");
  const found = findOne(channel, seqOf(broker, id, "id"));
  const message = found === null ? null : await readMessage(broker, found);
  if (message === null) throw new HttpError(404, "MESSAGE_NOT_FOUND");
  const facts = showMessage(broker, { ...message, body: new Uint8Array(0) });
  const headers: [string, string][] = Object.entries(facts)
    .filter(([key]) => key !== "body" && key !== "truncated")
    .map(([key, value]) => [`X-NSQ-${key.replaceAll("_", "-")}`, encodeURI(String(value))]);
  return new Response(message.body as Uint8Array<ArrayBuffer>, {
    headers: [["Content-Type", "application/octet-stream"], ...headers],
  });
}

/** A message in whatever state it is; null when it is finished or unknown. */
function findOne(channel: Channel, seq: number): FoundMessage | null {
  for (const state of CHANNEL_STATES) {
    const [found] = findInChannel(channel, state as ChannelState, seq, "oldest", 1).found;
    if (found?.seq === seq) return found;
  }
  return null;
}

function showMessage(broker: Broker, message: ListedMessage): MessageJson {
  const { seq, timestampNs, attempts, state, size, body, dueMs, timeoutAtMs, consumer, reason, diedMs } =
    message;
  const time = (monotonicMs: number | undefined) =>
    monotonicMs === undefined ? undefined : iso(monotonicMs - broker.monotonicMs() + broker.wallMs());
  return {
    id: formatId(broker.nodeId, seq),
    timestamp: Number(timestampNs),
    attempts,
    state,
    size,
    ...showBody(body),
    ...(body.length < size ? { truncated: true } : {}),
    ...defined({
      due: time(dueMs),
      timeout_at: time(timeoutAtMs),
      consumer: consumer === "" ? undefined : consumer,
      reason,
      died_at: diedMs === undefined ? undefined : iso(diedMs),
    }),
  };
}

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function showBody(body: Uint8Array): { body: string } | { body_base64: string } {
  try {
    return { body: strictDecoder.decode(body) };
  } catch {
    // No UTF-8, or cut inside a character.
    return { body_base64: btoa(Array.from(body, (byte) => String.fromCharCode(byte)).join("")) };
  }
}

function defined(values: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
