/**
 * The HTTP API of lookupd: its endpoints, their parameters, and the errors of each in their order.
 *
 * Routing, errors and the access log are those of `src/http`; the bodies of answers are made by
 * `answers.ts`, which keeps them, so that a `/lookup` is little more than finding its topic.
 */
import { takesGzip } from "../http/accepted_encodings.ts";
import { HttpError } from "../http/errors.ts";
import { pprofRoutes } from "../http/debug/routes.ts";
import type { Query } from "../http/query.ts";
import { EncodedJson } from "../http/respond.ts";
import type { RequestContext, Route } from "../http/router.ts";
import { METRICS_TYPE } from "../metrics/text_format.ts";
import { isValidName } from "../protocol/names.ts";
import { version } from "../version.ts";
import type { Answers } from "./answers.ts";
import type { RegistrationDb } from "./registration_db.ts";

/** What the endpoints work on. */
export interface LookupdApi {
  readonly db: RegistrationDb;
  readonly answers: Answers;
  /** Returns the text of `/metrics`. */
  readonly metrics: () => string;
}

/** Returns all endpoints. */
export function lookupdRoutes(api: LookupdApi): Route[] {
  const { db, answers } = api;
  return [
    { method: "GET", path: "/ping", style: "plain", handle: () => "OK" },
    { method: "GET", path: "/live", style: "plain", handle: () => "OK" },
    { method: "GET", path: "/info", handle: () => ({ version }) },
    { method: "GET", path: "/topics", handle: () => new EncodedJson(answers.topics()) },
    {
      method: "GET",
      path: "/channels",
      handle: ({ query }) => new EncodedJson(answers.channels(required(query, "topic"))),
    },
    { method: "GET", path: "/lookup", handle: (context) => lookup(answers, context) },
    { method: "GET", path: "/nodes", handle: () => new EncodedJson(answers.nodes()) },
    { method: "GET", path: "/debug", handle: () => debug(answers) },
    { method: "GET", path: "/metrics", handle: () => metrics(api) },
    ...pprofRoutes({ indexPath: "/debug/pprof" }),
    {
      method: "POST",
      path: "/topic/create",
      handle: ({ query }) => db.createTopic(requiredName(query, "topic")),
    },
    {
      method: "POST",
      path: "/topic/delete",
      handle: ({ query }) => db.deleteTopic(required(query, "topic")),
    },
    { method: "POST", path: "/topic/tombstone", handle: ({ query }) => tombstone(db, query) },
    { method: "POST", path: "/channel/create", handle: ({ query }) => createChannel(db, query) },
    { method: "POST", path: "/channel/delete", handle: ({ query }) => deleteChannel(db, query) },
  ];
}

function lookup(answers: Answers, { query, request }: RequestContext): EncodedJson {
  const topic = required(query, "topic");
  const isGzipTaken = takesGzip(request.headers.get("accept-encoding"));
  const compressed = isGzipTaken ? answers.compressedLookup(topic) : undefined;
  if (compressed !== undefined) return new EncodedJson(compressed, true);
  const body = answers.lookup(topic);
  if (body === undefined) throw new HttpError(404, "TOPIC_NOT_FOUND");
  return new EncodedJson(body);
}

/** A large database goes out piece by piece, so that other clients are served in between. */
function debug(answers: Answers): EncodedJson {
  const pieces = answers.debug();
  const { value: first = "" } = pieces.next();
  const second = pieces.next();
  if (second.done) return new EncodedJson(first);
  const all = inTurns([first, second.value], pieces);
  return new EncodedJson(ReadableStream.from(all).pipeThrough(new TextEncoderStream()));
}

async function* inTurns(...sources: Iterable<string>[]): AsyncGenerator<string> {
  for (const source of sources) {
    for (const piece of source) {
      yield piece;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

function metrics(api: LookupdApi): Response {
  return new Response(api.metrics(), { headers: { "Content-Type": METRICS_TYPE } });
}

function tombstone(db: RegistrationDb, query: Query): void {
  const topic = required(query, "topic");
  db.tombstone(topic, required(query, "node"));
}

function createChannel(db: RegistrationDb, query: Query): void {
  const topic = requiredName(query, "topic");
  db.createChannel(topic, requiredName(query, "channel"));
}

function deleteChannel(db: RegistrationDb, query: Query): void {
  const topic = requiredName(query, "topic");
  if (!db.deleteChannel(topic, requiredName(query, "channel"))) throw new HttpError(404, "CHANNEL_NOT_FOUND");
}

/** @throws {HttpError} 400 MISSING_ARG_... */
function required(query: Query, key: "topic" | "channel" | "node"): string {
  const value = query.get(key);
  if (value === undefined) throw new HttpError(400, `MISSING_ARG_${key.toUpperCase()}`);
  return value;
}

/** @throws {HttpError} 400 MISSING_ARG_... or INVALID_ARG_... */
function requiredName(query: Query, key: "topic" | "channel"): string {
  const name = required(query, key);
  if (!isValidName(name)) throw new HttpError(400, `INVALID_ARG_${key.toUpperCase()}`);
  return name;
}
