/** Random requests to nsqd's HTTP API, with what each may be answered. */
import type { Random } from "../support/random.ts";
import { anyBody, int32, readInt32 } from "./bytes.ts";

export interface HttpRequest {
  text: string;
  method: string;
  /** Each as `status` or `status CODE`. */
  allowed: readonly string[];
  /** The server ends the connection after it. */
  isLast: boolean;
}

export const MAX_MSG_SIZE = 400;
export const MAX_BODY_SIZE = 2000;

/** Every code there is; nothing else may stand in an error. */
export const CODES: ReadonlySet<string> = new Set([
  "BAD_BODY",
  "BAD_MESSAGE",
  "BODY_TOO_BIG",
  "CHANNEL_NOT_FOUND",
  "INVALID_ARG_CHANNEL",
  "INVALID_ARG_TOPIC",
  "INVALID_DEFER",
  "INVALID_OPTION",
  "INVALID_REQUEST",
  "INVALID_TOPIC",
  "INVALID_VALUE",
  "METHOD_NOT_ALLOWED",
  "MISSING_ARG_CHANNEL",
  "MISSING_ARG_TOPIC",
  "MSG_EMPTY",
  "MSG_TOO_BIG",
  "NOT_FOUND",
  "TOPIC_NOT_FOUND",
]);

/** A value of the query: as it is sent, and what it says; undefined where it is missing. */
interface Argument {
  sent: string | undefined;
  value: string | undefined;
}

const NAMES = ["a", "b", "c", "d%23ephemeral", "long.name_with-all"];
const ODD_VALUES: Argument[] = [
  { sent: undefined, value: undefined },
  { sent: "", value: "" },
  { sent: "b%24d", value: "b$d" },
  { sent: "x".repeat(65), value: "x".repeat(65) },
  { sent: "%23ephemeral", value: "#ephemeral" },
  { sent: "a+b", value: "a b" },
  { sent: "%C3%A9%00", value: "\xe9\0" },
  { sent: "%61", value: "a" },
];
const VALID = /^[.a-zA-Z0-9_-]+(#ephemeral)?$/;

function isValid(name: string): boolean {
  return name.length <= 64 && VALID.test(name);
}

function nameArgument(random: Random): Argument {
  if (random.chance(0.1)) return random.pick(ODD_VALUES);
  const sent = random.pick(NAMES);
  return { sent, value: decodeURIComponent(sent) };
}

interface Query {
  text: string;
  isBad: boolean;
}

function queryOf(random: Random, given: Record<string, string | undefined>): Query {
  const parts = Object.entries(given).filter(([, sent]) => sent !== undefined).map(([key, sent]) =>
    sent === "" && random.chance(0.5) ? key : `${key}=${sent}`
  );
  if (random.chance(0.1)) parts.push(random.pick(["unknown=1", "", "=", "topic=later", "x=%20+%20"]));
  const isBad = random.chance(0.03);
  if (isBad) parts.push(random.pick(["x=%", "x=%zz", "a;b", "%4=1"]));
  return { text: parts.length === 0 ? "" : `?${parts.join("&")}`, isBad };
}

/** `topic=later` counts when there was no topic before it. */
function laterTopic(argument: Argument, query: Query): string | undefined {
  return argument.value ?? (query.text.includes("topic=later") ? "later" : undefined);
}

// ---- the parts of a request -------------------------------------------------------------------

function chunked(random: Random, body: string): string {
  let text = "";
  for (let at = 0; at < body.length;) {
    const length = Math.min(body.length - at, 1 + random.int(random.chance(0.5) ? 20 : 1000));
    const extension = random.chance(0.1) ? ";name=value" : "";
    text += `${length.toString(16)}${extension}\r\n${body.slice(at, at + length)}\r\n`;
    at += length;
  }
  return `${text}0\r\n${random.chance(0.1) ? "Trailer: x\r\n" : ""}\r\n`;
}

function assemble(
  random: Random,
  method: string,
  target: string,
  allowed: readonly string[],
  body = "",
): HttpRequest {
  const isLast = random.chance(0.01), version = isLast && random.chance(0.5) ? "1.0" : "1.1";
  const headers = ["Host: fuzz"];
  if (isLast && version === "1.1") headers.push("Connection: close");
  if (random.chance(0.05)) headers.push(`X-Long: ${"y".repeat(random.int(3000))}`);
  if (random.chance(0.02)) headers.push("Accept-Encoding: gzip", "Accept: */*");
  let sent = body;
  if (body !== "" || method === "POST" || method === "PUT") {
    if (body !== "" && version === "1.1" && random.chance(0.2)) {
      headers.push("Transfer-Encoding: chunked");
      sent = chunked(random, body);
    } else {
      headers.push(`Content-Length: ${body.length}`);
    }
    // A body that is refused before it is told to come ends the connection, so none follows on such a request.
    const isTaken = allowed.every((outcome) => outcome === "200");
    if (random.chance(0.02) && version === "1.1" && body !== "" && isTaken) {
      headers.push("Expect: 100-continue");
    }
  }
  const text = `${method} ${target} HTTP/${version}\r\n${headers.join("\r\n")}\r\n\r\n${sent}`;
  return { text, method, allowed, isLast };
}

// ---- publishing -------------------------------------------------------------------------------

/** Mostly short; else nothing, about as much as is allowed, or twice that. */
function lengthAround(random: Random, max: number): number {
  const kind = random.int(40);
  if (kind === 0) return 0;
  if (kind === 1) return 1 + random.int(max * 2);
  return kind < 4 ? max + random.between(-1, 1) : 1 + random.int(30);
}

function pub(random: Random): HttpRequest {
  const topic = nameArgument(random);
  const defer = random.chance(0.1)
    ? random.pick(["0", "50", "-1", "x", "", "3600000", "3600001", "1e3"])
    : undefined;
  const query = queryOf(random, { topic: topic.sent, defer }), name = laterTopic(topic, query);
  const length = lengthAround(random, MAX_MSG_SIZE);
  const outcome = length > MAX_MSG_SIZE
    ? "413 MSG_TOO_BIG"
    : length === 0
    ? "400 MSG_EMPTY"
    : query.isBad
    ? "400 INVALID_REQUEST"
    : name === undefined
    ? "400 MISSING_ARG_TOPIC"
    : !isValid(name)
    ? "400 INVALID_TOPIC"
    : defer !== undefined && !["0", "50", "3600000"].includes(defer)
    ? "400 INVALID_DEFER"
    : "200";
  const body = random.chance(0.5) ? "b".repeat(length) : anyBody(random, length);
  return assemble(random, "POST", `/pub${query.text}`, [outcome], body);
}

function mpub(random: Random): HttpRequest {
  const topic = nameArgument(random), isBinary = random.chance(0.5);
  const binary = isBinary ? random.pick(["true", "1"]) : random.pick([undefined, "false", "0"]);
  const query = queryOf(random, { topic: topic.sent, binary }), name = laterTopic(topic, query);
  const body = isBinary ? binaryBatch(random) : textBatch(random);
  const refusals: string[] = [];
  if (query.isBad) refusals.push("400 INVALID_REQUEST");
  else if (name === undefined) refusals.push("400 MISSING_ARG_TOPIC");
  else if (!isValid(name)) refusals.push("400 INVALID_TOPIC");
  // A declared length is looked at before the query, one that only shows after it.
  if (body.length > MAX_BODY_SIZE) {
    refusals.push("413 BODY_TOO_BIG", "413 MSG_TOO_BIG", "413 BAD_MESSAGE", "413 BAD_BODY");
  }
  const outcome = isBinary ? binaryOutcome(body) : textOutcome(body);
  return assemble(random, "POST", `/mpub${query.text}`, refusals.length > 0 ? refusals : [outcome], body);
}

function textBatch(random: Random): string {
  const lines = Array.from({ length: random.int(8) }, () => {
    const length = random.chance(0.03) ? MAX_MSG_SIZE + random.between(-1, 1) : random.int(30);
    return random.chance(0.5) ? "l".repeat(length) : anyBody(random, length);
  });
  if (random.chance(0.04)) {
    // As long as a body may be, or a byte longer or shorter.
    const missing = MAX_BODY_SIZE + random.between(-1, 1) - lines.join("\n").length;
    for (let left = missing; left > 0; left -= 101) lines.push("f".repeat(Math.min(100, left - 1)));
  }
  return lines.join("\n") + (random.chance(0.5) ? "\n" : "");
}

function textOutcome(body: string): string {
  return body.split("\n").some((line) => line.length > MAX_MSG_SIZE) ? "413 MSG_TOO_BIG" : "200";
}

function binaryBatch(random: Random): string {
  const bodies = Array.from({ length: random.int(8) }, () => "b".repeat(random.int(40) || 1));
  let text = int32(bodies.length) + bodies.map((body) => int32(body.length) + body).join("");
  if (random.chance(0.1)) {
    const at = 4 * random.int(text.length / 4);
    text = text.slice(0, at) + int32(random.pick([0, -1, 1, 500, 1 << 30])) + text.slice(at + 4);
  }
  return random.chance(0.05) ? text.slice(0, random.int(text.length)) : text;
}

function binaryOutcome(body: string): string {
  const count = body.length < 4 ? 0 : readInt32(body, 0);
  if (count <= 0 || count > Math.floor((MAX_BODY_SIZE - 4) / 5)) return "413 BAD_BODY";
  let at = 4;
  for (let i = 0; i < count; i++) {
    const size = at + 4 <= body.length ? readInt32(body, at) : 0;
    at += 4 + size;
    if (size <= 0 || size > MAX_MSG_SIZE || at > body.length) return "413 BAD_MESSAGE";
  }
  return "200";
}

// ---- the rest ---------------------------------------------------------------------------------

function topicAction(random: Random): HttpRequest {
  const action = random.pick(["create", "create", "create", "delete", "empty", "pause", "unpause"]);
  const topic = nameArgument(random), query = queryOf(random, { topic: topic.sent });
  const name = laterTopic(topic, query);
  const allowed = query.isBad
    ? ["400 INVALID_REQUEST"]
    : name === undefined
    ? ["400 MISSING_ARG_TOPIC"]
    : isValid(name)
    ? ["200", ...(action === "create" ? [] : ["404 TOPIC_NOT_FOUND"])]
    : action === "create" || action === "empty"
    ? ["400 INVALID_TOPIC"]
    : ["404 TOPIC_NOT_FOUND"];
  return assemble(random, "POST", `/topic/${action}${query.text}`, allowed);
}

function channelAction(random: Random): HttpRequest {
  const action = random.pick(["create", "create", "create", "delete", "empty", "pause", "unpause"]);
  const topic = nameArgument(random), channel = nameArgument(random);
  const query = queryOf(random, { topic: topic.sent, channel: channel.sent });
  const name = laterTopic(topic, query);
  const allowed = query.isBad
    ? ["400 INVALID_REQUEST"]
    : name === undefined
    ? ["400 MISSING_ARG_TOPIC"]
    : !isValid(name)
    ? ["400 INVALID_ARG_TOPIC"]
    : channel.value === undefined
    ? ["400 MISSING_ARG_CHANNEL"]
    : !isValid(channel.value)
    ? ["400 INVALID_ARG_CHANNEL"]
    : ["200", "404 TOPIC_NOT_FOUND", ...(action === "create" ? [] : ["404 CHANNEL_NOT_FOUND"])];
  return assemble(random, "POST", `/channel/${action}${query.text}`, allowed);
}

function looking(random: Random): HttpRequest {
  const target = random.pick([
    "/ping",
    "/ping",
    "/info",
    "/stats?format=json",
    "/stats?format=json&topic=a&channel=b",
    "/stats?format=json&include_clients=false&include_mem=0",
    "/stats",
    "/metrics",
    "/debug/pprof/cmdline",
    "/debug/pprof/",
    "/ready",
  ]);
  return assemble(random, "GET", target, ["200"]);
}

const OPTIONS = ["log_level", "nsqlookupd_tcp_addresses", "max_msg_size", "tls_min_version", "statsd_prefix"];

function config(random: Random): HttpRequest {
  const name = random.chance(0.2)
    ? random.pick(["", "nope", "log-level", "%00", "a/b"])
    : random.pick(OPTIONS);
  const missing = name === "" || name === "a/b" ? "404 NOT_FOUND" : "400 INVALID_OPTION";
  const isKnown = OPTIONS.includes(name);
  if (random.chance(0.6)) return assemble(random, "GET", `/config/${name}`, [isKnown ? "200" : missing]);
  // Nothing that would have it look for lookupds or fill the log.
  const value = random.pick([
    "info",
    "WARN",
    "[]",
    "null",
    "{",
    "[1]",
    "7",
    "",
    "v".repeat(MAX_MSG_SIZE + 1),
  ]);
  const isTaken = name === "log_level"
    ? ["info", "WARN"].includes(value)
    : name === "nsqlookupd_tcp_addresses" && ["[]", "null"].includes(value);
  const isOfNoLength = value === "" || value.length > MAX_MSG_SIZE;
  const outcome = missing === "404 NOT_FOUND" && !isKnown
    ? missing
    : isOfNoLength
    ? "413 INVALID_VALUE"
    : isTaken
    ? "200"
    : name === "log_level" || name === "nsqlookupd_tcp_addresses"
    ? "400 INVALID_VALUE"
    : "400 INVALID_OPTION";
  return assemble(random, "PUT", `/config/${name}`, [outcome], value);
}

function misplaced(random: Random): HttpRequest {
  const [method, target, ...allowed] = random.pick([
    ["GET", "/nope", "404 NOT_FOUND"],
    ["DELETE", "/", "404 NOT_FOUND"],
    ["GET", "/config", "404 NOT_FOUND"],
    ["POST", "/put?topic=a", "404 NOT_FOUND"],
    ["GET", "/%zz/%00", "404 NOT_FOUND"],
    ["GET", "/pub", "405 METHOD_NOT_ALLOWED"],
    ["HEAD", "/ping", "405"],
    ["PATCH", "/stats", "405 METHOD_NOT_ALLOWED"],
    ["OPTIONS", "/pub", "200"],
    ["GET", "/ping/", "301"],
    ["GET", "//ping", "301"],
    ["POST", "/topic/create/?topic=a", "307"],
    ["POST", "/PUB?topic=a", "307"],
  ]);
  return assemble(random, method, target, allowed);
}

const KINDS = [
  ...Array(10).fill(pub),
  ...Array(10).fill(mpub),
  ...Array(4).fill(topicAction),
  ...Array(6).fill(channelAction),
  looking,
  config,
  config,
  ...Array(3).fill(misplaced),
];

/** One sound request. */
export function anyRequest(random: Random): HttpRequest {
  return random.pick(KINDS)(random);
}
