/**
 * The keys of topic and channel policies: what each means, how its value is written, and what it may be.
 *
 * One table for each; parsing, effective policies, answers and documents follow from them. Tested in
 * test/policies/settings_test.ts.
 */

/** What a value is, and what it is inside: durations in ms, sizes in bytes, counts as they are; the others are text. */
export type FieldKind = "count" | "duration" | "bytes" | "word" | "topic name" | "key place";

export interface PolicyField {
  readonly key: string;
  readonly kind: FieldKind;
  readonly default: number | string;
  /** Of a `word`. */
  readonly words?: readonly string[];
  /** Of a number; both ends belong to the range. */
  readonly min?: number;
  readonly max?: number;
  readonly help: string;
}

const YEAR_MS = 366 * 24 * 3_600_000;
const MAX_BYTES = 2 ** 50;
const MAX_MESSAGES = 2 ** 40;
/** Attempts are counted in 16 bits. */
const MAX_ATTEMPTS = 65_535;

export const topicFields = [
  {
    key: "ttl",
    kind: "duration",
    default: 0,
    min: 0,
    max: 10 * YEAR_MS,
    help: "Age from which on a message is not delivered any more, in all channels; 0 is no limit",
  },
  {
    key: "max_depth",
    kind: "count",
    default: 0,
    min: 0,
    max: MAX_MESSAGES,
    help: "Messages that may wait in each of its channels, and in itself while it has none; 0 is no limit",
  },
  {
    key: "max_bytes",
    kind: "bytes",
    default: 0,
    min: 0,
    max: MAX_BYTES,
    help: "Bytes of bodies that may wait, counted like max_depth; 0 is no limit",
  },
  {
    key: "overflow",
    kind: "word",
    words: ["reject", "drop-oldest", "dead"],
    default: "reject",
    help:
      "What happens at the bound: publishers are refused, or the oldest waiting message goes or becomes dead",
  },
  {
    key: "key",
    kind: "key place",
    default: "",
    help: "Where the key of a message is: prefix:<byte>, or json:a.b for a path in a JSON body",
  },
] as const satisfies readonly PolicyField[];

export const channelFields = [
  {
    key: "max_attempts",
    kind: "count",
    default: 0,
    min: 0,
    max: MAX_ATTEMPTS,
    help:
      "Deliveries after which a message that comes back becomes a dead letter; 0 is no limit. It has to be less " +
      "than what clients give up at by themselves: the official Go client drops a message after 5",
  },
  {
    key: "ttl",
    kind: "duration",
    default: 0,
    min: 0,
    max: 10 * YEAR_MS,
    help: "Age from which on a message is not delivered any more; 0 is no limit",
  },
  {
    key: "on_expire",
    kind: "word",
    words: ["drop", "dead"],
    default: "drop",
    help: "What becomes of a message that is too old: it is finished, or becomes a dead letter",
  },
  {
    key: "max_depth",
    kind: "count",
    default: 0,
    min: 0,
    max: MAX_MESSAGES,
    help: "Messages that may wait; 0 is no limit",
  },
  {
    key: "max_bytes",
    kind: "bytes",
    default: 0,
    min: 0,
    max: MAX_BYTES,
    help: "Bytes of bodies that may wait; 0 is no limit",
  },
  {
    key: "overflow",
    kind: "word",
    words: ["drop-oldest", "dead"],
    default: "drop-oldest",
    help: "What becomes of the oldest waiting message at the bound: it goes, or becomes a dead letter",
  },
  {
    key: "order",
    kind: "word",
    words: ["none", "strict", "key"],
    default: "none",
    help: "strict: one message in flight, in the order of publishing; key: one in flight for each key",
  },
  {
    key: "max_key_lookahead",
    kind: "count",
    default: 10_000,
    min: 1,
    max: 1_000_000,
    help: "Waiting messages that order by key looks ahead for one whose key is free",
  },
  {
    key: "dead_letter_topic",
    kind: "topic name",
    default: "",
    help: "Topic that dead letters are published to; without one they stay in the channel",
  },
] as const satisfies readonly PolicyField[];

/** What a policy is of. */
export type PolicyOf = "topic" | "channel";

/** The table of a kind of policy. */
export function fieldsOf(of: PolicyOf): readonly PolicyField[] {
  return of === "topic" ? topicFields : channelFields;
}
