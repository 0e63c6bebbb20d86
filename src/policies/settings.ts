/**
 * Settings of a policy: the keys that somebody set, read from JSON and written back.
 *
 * Nothing of a request that has something wrong is used. Durations are written as flags write them, or as whole
 * milliseconds; sizes as whole bytes, or with a suffix.
 */
import { closest } from "../options/closest.ts";
import { formatDuration, parseDuration, shortDuration } from "../options/duration.ts";
import { formatBytes, parseBytes } from "../options/literals.ts";
import { isEphemeral, isValidName } from "../protocol/names.ts";
import { fieldsOf, type PolicyField, type PolicyOf } from "./policy_fields.ts";

/** Set keys and their values: durations in ms, sizes in bytes; see `FieldKind`. */
export type Settings = ReadonlyMap<string, number | string>;

/** A change of settings; null takes a key back. */
export type SettingsChange = ReadonlyMap<string, number | string | null>;

/** A policy that cannot be; the message names the key and the limit. */
export class PolicyError extends Error {
  override name = "PolicyError";
}

const MAX_PREFIX_KEY_BYTES = 1;

/**
 * Reads a change from a JSON value.
 *
 * @throws {PolicyError} for anything but an object, unknown keys, and values that are none or out of range
 */
export function parseSettings(of: PolicyOf, json: unknown): SettingsChange {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new PolicyError(`a ${of} policy is an object of keys and values`);
  }
  const fields = fieldsOf(of);
  const change = new Map<string, number | string | null>();
  for (const [key, value] of Object.entries(json)) {
    const field = fields.find((candidate) => candidate.key === key);
    if (field === undefined) throw unknownKey(of, key);
    change.set(key, value === null ? null : parseValue(field, value));
  }
  return change;
}

function unknownKey(of: PolicyOf, key: string): PolicyError {
  const keys = fieldsOf(of).map((field) => field.key);
  const other = of === "topic" ? "channel" : "topic";
  if (fieldsOf(other).some((field) => field.key === key)) {
    return new PolicyError(`${key} is a key of ${other} policies, this is one of a ${of}`);
  }
  const likely = closest(key, keys);
  const hint = likely === undefined ? `there are ${keys.join(", ")}` : `did you mean ${likely}?`;
  return new PolicyError(`a ${of} policy has no key ${JSON.stringify(key)}, ${hint}`);
}

function parseValue(field: PolicyField, value: unknown): number | string {
  try {
    if (field.kind === "count" || field.kind === "duration" || field.kind === "bytes") {
      return inRange(field, parseNumber(field.kind, value));
    }
    if (typeof value !== "string") throw new SyntaxError("use a text");
    return parseText(field, value);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new PolicyError(`${field.key} = ${JSON.stringify(value)}: ${cause.message}`, { cause });
  }
}

function parseNumber(kind: "count" | "duration" | "bytes", value: unknown): number {
  if (typeof value === "string" && kind === "duration") return parseDuration(value);
  if (typeof value === "string" && kind === "bytes") return parseBytes(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (kind === "duration") throw new SyntaxError('use a duration such as "1m30s", or whole milliseconds');
  throw new SyntaxError(
    kind === "bytes" ? 'use whole bytes, or a size such as "64MiB"' : "use a whole number",
  );
}

function inRange(field: PolicyField, value: number): number {
  const { min = -Infinity, max = Infinity } = field;
  if (value >= min && value <= max) return value;
  throw new SyntaxError(`must be from ${formatNumber(field, min)} to ${formatNumber(field, max)}`);
}

function formatNumber({ kind }: PolicyField, value: number): string {
  if (kind === "duration") return shortDuration(value);
  return kind === "bytes" ? formatBytes(value) : String(value);
}

function parseText(field: PolicyField, value: string): string {
  switch (field.kind) {
    case "word":
      if (field.words!.includes(value)) return value;
      throw new SyntaxError(`use ${field.words!.join(", ").replace(/, ([^,]*)$/, " or $1")}`);
    case "topic name":
      return parseTopicName(value);
    default:
      return parseKeyPlace(value);
  }
}

function parseTopicName(value: string): string {
  if (value === "") return value;
  if (!isValidName(value)) throw new SyntaxError("is no name for a topic");
  if (isEphemeral(value)) throw new SyntaxError("dead letters would be gone with an ephemeral topic");
  return value;
}

function parseKeyPlace(value: string): string {
  if (value === "") return value;
  const [, kind, place] = /^(prefix|json):(.*)$/s.exec(value) ?? [];
  if (kind === "prefix") {
    if (new TextEncoder().encode(place).length === MAX_PREFIX_KEY_BYTES) return value;
    throw new SyntaxError("prefix: wants one byte, such as prefix:|");
  }
  if (kind === "json") {
    if (place.split(".").every((name) => name !== "")) return value;
    throw new SyntaxError("json: wants a path such as json:order.customer");
  }
  throw new SyntaxError("use prefix:<byte> or json:<path>");
}

/** A value as answers show it: durations and sizes in their units. */
export function showValue(field: PolicyField, value: number | string): number | string {
  if (typeof value === "string") return value;
  if (field.kind === "duration") return formatDuration(value);
  return value;
}

/** Settings as a JSON object in the order of the table, to be read by `parseSettings()` again. */
export function showSettings(of: PolicyOf, settings: Settings): Record<string, number | string> {
  const shown: Record<string, number | string> = {};
  for (const field of fieldsOf(of)) {
    const value = settings.get(field.key);
    if (value !== undefined) shown[field.key] = showValue(field, value);
  }
  return shown;
}

/** `settings` with `change` made. */
export function changed(settings: Settings, change: SettingsChange): Settings {
  const next = new Map(settings);
  for (const [key, value] of change) {
    if (value === null) next.delete(key);
    else next.set(key, value);
  }
  return next;
}
