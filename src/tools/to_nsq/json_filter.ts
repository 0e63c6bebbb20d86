/**
 * What of a message is forwarded, when that depends on its JSON: all, a part, or nothing.
 *
 * A number keeps its digits when its member is forwarded, also where they are more than a double has.
 */
import { Buffer } from "node:buffer";

/** What is asked of messages. */
export interface JsonRequirements {
  /** Empty for none. */
  requireField: string;
  /** What that member has to be; empty is anything. */
  requireValue: string;
  /** Members that are forwarded; none is the whole message. */
  whitelist: readonly string[];
}

/** What becomes of a message. `text` of a drop is for the log, and null when that is no fault. */
export type Verdict =
  | { kind: "forward"; body: Uint8Array }
  | { kind: "drop"; text: string | null }
  | { kind: "requeue"; text: string };

/** Whether messages have to be looked into at all. A value alone, without its field, asks for nothing. */
export function isJsonNeeded({ requireField, whitelist }: JsonRequirements): boolean {
  return requireField !== "" || whitelist.length > 0;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function judge(body: Uint8Array, requirements: JsonRequirements): Verdict {
  if (!isJsonNeeded(requirements)) return { kind: "forward", body };
  const text = decoder.decode(body);
  let members: unknown;
  try {
    members = JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
  } catch {
    return { kind: "drop", text: `ERROR: Unable to decode json: ${text}` };
  }
  if (members !== null && (typeof members !== "object" || Array.isArray(members) || isDigits(members))) {
    return { kind: "drop", text: `ERROR: Unable to decode json: ${text}` };
  }
  // NSQ's utilities take null for an object without members.
  const object = (members ?? {}) as Record<string, unknown>;
  const { requireField, requireValue, whitelist } = requirements;
  if (requireField !== "") {
    if (!Object.hasOwn(object, requireField)) {
      if (requireValue === "") return { kind: "drop", text: null };
      return { kind: "requeue", text: "ERROR: missing field to check required value" };
    }
    if (requireValue !== "" && !isValue(object[requireField], requireValue)) {
      return { kind: "drop", text: null };
    }
  }
  if (whitelist.length === 0) return { kind: "forward", body };
  return { kind: "forward", body: Buffer.from(pick(object, whitelist)) };
}

/** A number as it stands in the message. */
class Digits {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function isDigits(value: unknown): value is Digits {
  return value instanceof Digits;
}

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === "number" ? new Digits(context?.source ?? String(value)) : value;
}

function isValue(value: unknown, wanted: string): boolean {
  if (typeof value === "string") return value === wanted;
  if (!isDigits(value)) return false;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(wanted) && Number(value.text) === Number(wanted);
}

/** The members of the whitelist that there are, in the order of their names, without spaces. */
function pick(object: Record<string, unknown>, whitelist: readonly string[]): string {
  const names = [...new Set(whitelist)].filter((name) => Object.hasOwn(object, name)).sort();
  return `{${names.map((name) => `${quoted(name)}:${encode(object[name])}`).join(",")}}`;
}

function encode(value: unknown): string {
  if (isDigits(value)) return encodeNumber(value.text);
  if (Array.isArray(value)) return `[${value.map(encode).join(",")}]`;
  if (typeof value === "string") return quoted(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const object = value as Record<string, unknown>;
  return `{${Object.keys(object).sort().map((name) => `${quoted(name)}:${encode(object[name])}`).join(",")}}`;
}

/** As other implementations write it, where a double holds all of it; else as it stood. */
function encodeNumber(text: string): string {
  const value = Number(text);
  const isWhole = Number.isInteger(value) && Math.abs(value) < 1e21;
  if (isWhole && !/^-?\d+$/.test(text)) return BigInt(value).toString();
  return /^-?\d+$/.test(text) ? text : JSON.stringify(value);
}

/** A JSON string that is also safe within HTML, as other implementations write it. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
