/**
 * A second reading of the protocol, made to be obvious and not fast: the whole stream is one text with a
 * character for each byte, and a command is read with `indexOf` and `split`.
 *
 * What a command may do is left to `CommandRules`, so that the same model serves the parser alone and a whole
 * connection.
 */
import { readInt32 } from "./bytes.ts";

export interface CommandRules {
  /** The line is complete. Returns the error that ends the connection, or null. */
  line(name: string, parameters: readonly string[]): string | null;
  /** The body of IDENTIFY, AUTH, PUB or DPUB, or the bodies of MPUB are complete. Returns the same. */
  body(name: string, bodies: readonly string[]): string | null;
}

export interface Limits {
  maxMsgSize: number;
  maxBodySize: number;
}

/** How the stream ended for the reader. */
export type Ending =
  /** An error frame with this text, and nothing more is read. */
  | { kind: "refused"; error: string }
  /** A line was too long: no error frame. */
  | { kind: "closed" }
  /** The bytes ended; inside a command with a body this is its error. `taken` is where that command starts. */
  | { kind: "cut"; error: string | null; taken: number };

const MAX_LINE_BYTES = 16_384;
const LINES = new Set(["SUB", "RDY", "FIN", "REQ", "TOUCH", "CLS", "NOP"]);
const WITH_BODY = new Set(["PUB", "MPUB", "DPUB", "IDENTIFY", "AUTH"]);

/** Reads all of `stream`, which starts behind the magic, and tells `rules`. */
export function readCommands(stream: string, limits: Limits, rules: CommandRules): Ending {
  for (let at = 0;;) {
    const newline = stream.indexOf("\n", at);
    const seen = (newline < 0 ? stream.length : newline + 1) - at;
    if (seen > MAX_LINE_BYTES || (newline < 0 && seen >= MAX_LINE_BYTES)) return { kind: "closed" };
    if (newline < 0) return { kind: "cut", error: null, taken: at };
    const line = stream.slice(at, newline).replace(/\r$/, "");
    const [name, ...parameters] = line.split(" ");
    if (!LINES.has(name) && !WITH_BODY.has(name)) {
      return { kind: "refused", error: `E_INVALID invalid command ${name}` };
    }
    const wrong = rules.line(name, parameters);
    if (wrong !== null) return { kind: "refused", error: wrong };
    if (LINES.has(name)) {
      at = newline + 1;
      continue;
    }
    const read = readBody(stream, name, newline + 1, limits);
    if ("error" in read) {
      return read.isCut
        ? { kind: "cut", error: read.error, taken: at }
        : { kind: "refused", error: read.error };
    }
    const refused = rules.body(name, read.bodies);
    if (refused !== null) return { kind: "refused", error: refused };
    at = read.end;
  }
}

type BodyRead = { bodies: string[]; end: number } | { error: string; isCut: boolean };

function wrong(error: string): BodyRead {
  return { error, isCut: false };
}

function cut(error: string): BodyRead {
  return { error, isCut: true };
}

function readBody(stream: string, name: string, at: number, limits: Limits): BodyRead {
  const isMessage = name === "PUB" || name === "DPUB";
  const noun = isMessage ? "message body" : "body", code = isMessage ? "E_BAD_MESSAGE" : "E_BAD_BODY";
  if (at + 4 > stream.length) return cut(`${code} ${name} failed to read ${noun} size`);
  const size = readInt32(stream, at), start = at + 4;
  const max = isMessage ? limits.maxMsgSize : limits.maxBodySize;
  if (size <= 0) return wrong(`${code} ${name} invalid ${noun} size ${size}`);
  if (size > max) return wrong(`${code} ${name} ${isMessage ? "message" : "body"} too big ${size} > ${max}`);
  if (name === "MPUB") return readBatch(stream, start, limits);
  if (start + size > stream.length) return cut(`${code} ${name} failed to read ${noun}`);
  return { bodies: [stream.slice(start, start + size)], end: start + size };
}

function readBatch(stream: string, start: number, { maxMsgSize, maxBodySize }: Limits): BodyRead {
  if (start + 4 > stream.length) return cut("E_BAD_BODY MPUB failed to read message count");
  const count = readInt32(stream, start), bodies: string[] = [];
  if (count <= 0 || count > Math.floor((maxBodySize - 4) / 5)) {
    return wrong(`E_BAD_BODY MPUB invalid message count ${count}`);
  }
  let at = start + 4;
  for (let i = 0; i < count; i++) {
    if (at + 4 > stream.length) return cut(`E_BAD_MESSAGE MPUB failed to read message(${i}) body size`);
    const size = readInt32(stream, at), end = at + 4 + size;
    if (size <= 0) return wrong(`E_BAD_MESSAGE MPUB invalid message(${i}) body size ${size}`);
    if (size > maxMsgSize) return wrong(`E_BAD_MESSAGE MPUB message too big ${size} > ${maxMsgSize}`);
    // The original has no such bound, for it never looks at the size again; here it bounds the memory.
    if (end - start > maxBodySize) {
      return wrong(`E_BAD_BODY MPUB body too big ${end - start} > ${maxBodySize}`);
    }
    if (end > stream.length) return cut("E_BAD_MESSAGE MPUB failed to read message body");
    bodies.push(stream.slice(at + 4, end));
    at = end;
  }
  return { bodies, end: at };
}
