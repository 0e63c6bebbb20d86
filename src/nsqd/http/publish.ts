/**
 * The endpoints that publish: `/pub` and `/mpub`.
 *
 * OK is answered once the messages are as safe as the durability level asks (see `broker/committer.ts`). All of
 * a body is checked before any of it is published; the topic is created even when the body is refused.
 *
 * Tested in test/nsqd/http/routes_test.ts and in test/nsqd/http/durability_test.ts.
 */
import type { Broker } from "../../broker/broker.ts";
import { sizedBytes, type Topic } from "../../broker/topic.ts";
import { type Buffer, newBuffer, wrapBuffer } from "../../buffers/buffer_pool.ts";
import { type Body, declaredLength, readBody } from "../../http/body.ts";
import { HttpError, internalError } from "../../http/errors.ts";
import type { Query } from "../../http/query.ts";
import type { RequestContext, Route } from "../../http/router.ts";
import type { Logger } from "../../log/logger.ts";
import { isEphemeral } from "../../protocol/names.ts";
import { booleanParameter } from "./parameters.ts";
import { requiredValidTopic } from "./topics.ts";

/** Bounds of what may be published. */
export interface PublishLimits {
  /** Bytes of one message. */
  readonly maxMsgSize: number;
  /** Bytes of one body of `/mpub`. */
  readonly maxBodySize: number;
  /** Longest `defer`, ms. */
  readonly maxReqTimeout: number;
}

const NEWLINE = 0x0a;
const SIZE_BYTES = 4;
/** A size and the shortest body: what a message in a body of `/mpub` takes at least. */
const MIN_SIZED_BYTES = SIZE_BYTES + 1;

/** The routes of `/pub` and `/mpub`; they are not in the access log. */
export function publishRoutes(broker: Broker, limits: PublishLimits, logger: Logger): Route[] {
  return [
    {
      method: "POST",
      path: "/pub",
      isLogged: false,
      handle: (context) => pub(broker, limits, context, logger),
    },
    {
      method: "POST",
      path: "/mpub",
      isLogged: false,
      handle: (context) => mpub(broker, limits, context, logger),
    },
  ];
}

async function pub(
  broker: Broker,
  limits: PublishLimits,
  context: RequestContext,
  logger: Logger,
): Promise<string> {
  const { bytes, isCut } = await readOrFail(context, limits.maxMsgSize, logger);
  if (isCut) throw new HttpError(413, "MSG_TOO_BIG");
  if (bytes.length === 0) throw new HttpError(400, "MSG_EMPTY");
  const { query } = context;
  const topic = topicToPublish(broker, query);
  const delayMs = deferral(query.get("defer"), limits.maxReqTimeout);
  if (topic.isBounded) checkRoom(topic, 1, bytes.length);
  topic.publish(wrapBuffer(bytes), 0, bytes.length, delayMs);
  return await published(broker, topic);
}

async function mpub(
  broker: Broker,
  limits: PublishLimits,
  context: RequestContext,
  logger: Logger,
): Promise<string> {
  const { maxBodySize } = limits, { request, query } = context;
  if ((declaredLength(request) ?? 0) > maxBodySize) throw new HttpError(413, "BODY_TOO_BIG");
  const name = topicToPublish(broker, query).name;
  const isBinary = booleanParameter(query, "binary", false, logger);
  const body = await readOrFail(context, maxBodySize, logger);
  const { source, at, count } = isBinary ? parseBinary(body, limits) : parseText(body, limits);
  if (count === 0) return "OK";
  // The topic may have gone while the body came.
  const topic = topicNamed(broker, name);
  if (topic.isBounded) checkRoom(topic, count, sizedBytes(source, at, count));
  topic.publishSized(source, at, count);
  return await published(broker, topic);
}

async function readOrFail(context: RequestContext, maxBytes: number, logger: Logger): Promise<Body> {
  try {
    return await readBody(context.request, maxBytes);
  } catch (cause) {
    logger.debug(`HTTP: reading a body of ${context.remoteAddress} failed - ${(cause as Error).message}`);
    throw internalError();
  }
}

function topicToPublish(broker: Broker, query: Query): Topic {
  return topicNamed(broker, requiredValidTopic(query));
}

/** The topic of that name, with the time of the turn taken for what is published to it. */
function topicNamed(broker: Broker, name: string): Topic {
  broker.beginTurn();
  return broker.topic(name, isEphemeral(name));
}

/** @throws {HttpError} 503 EXITING when the disk refused, so that nothing was published */
async function published(broker: Broker, topic: Topic): Promise<string> {
  if (topic.ephemeral) return "OK";
  try {
    await broker.committer.wait();
  } catch {
    // The committer keeps the cause, which is the health that `/ping` and `/stats` show.
    throw new HttpError(503, "EXITING");
  }
  return "OK";
}

/** @throws {HttpError} 507 when a bound of the topic's policy would be passed; nothing is published then */
function checkRoom(topic: Topic, count: number, bodyBytes: number): void {
  const refusal = topic.refusal(count, bodyBytes);
  if (refusal !== null) throw new HttpError(507, `FULL: ${refusal}`);
}

/** The delay of `defer`, a decimal number of milliseconds; 0 when there is none. */
function deferral(text: string | undefined, maxMs: number): number {
  if (text === undefined) return 0;
  const delayMs = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (!(delayMs >= 0 && delayMs <= maxMs)) throw new HttpError(400, "INVALID_DEFER");
  return delayMs;
}

// ---- bodies of /mpub --------------------------------------------------------------------------

/** Messages as `Topic.publishSized` takes them: `count` times int32 size and body, from offset `at` on. */
interface SizedMessages {
  source: Buffer;
  at: number;
  count: number;
}

/** One message a line; empty lines are none. */
function parseText(body: Body, limits: PublishLimits): SizedMessages {
  const { bytes, isCut } = body;
  let count = 0;
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, start);
    if (newline < 0 && isCut) break;
    const end = newline < 0 ? bytes.length : newline;
    if (end - start > limits.maxMsgSize) throw new HttpError(413, "MSG_TOO_BIG");
    if (end > start) count++;
    start = end + 1;
  }
  if (isCut) throw new HttpError(413, "BODY_TOO_BIG");
  return { source: sizeLines(bytes, count), at: 0, count };
}

/** Puts its size in place of the newline around each line. */
function sizeLines(lines: Uint8Array, count: number): Buffer {
  const source = newBuffer(lines.length + count * SIZE_BYTES);
  let at = 0;
  for (let start = 0; start < lines.length;) {
    const newline = lines.indexOf(NEWLINE, start), end = newline < 0 ? lines.length : newline;
    if (end > start) {
      source.view.setInt32(at, end - start);
      source.bytes.set(lines.subarray(start, end), at + SIZE_BYTES);
      at += SIZE_BYTES + end - start;
    }
    start = end + 1;
  }
  return source;
}

/** int32 count, then for each message int32 size and body. What follows is ignored. */
function parseBinary(body: Body, limits: PublishLimits): SizedMessages {
  const source = wrapBuffer(body.bytes), { view } = source;
  const length = body.bytes.length,
    maxCount = Math.floor((limits.maxBodySize - SIZE_BYTES) / MIN_SIZED_BYTES);
  const count = length < SIZE_BYTES ? 0 : view.getInt32(0);
  if (count <= 0 || count > maxCount) throw new HttpError(413, "BAD_BODY");
  let at = SIZE_BYTES;
  for (let i = 0; i < count; i++) {
    const size = at + SIZE_BYTES <= length ? view.getInt32(at) : NaN;
    if (size <= 0 || size > limits.maxMsgSize) throw new HttpError(413, "BAD_MESSAGE");
    at += SIZE_BYTES + size;
    if (!(at <= length)) throw new HttpError(413, body.isCut ? "BODY_TOO_BIG" : "BAD_MESSAGE");
  }
  return { source, at: SIZE_BYTES, count };
}
