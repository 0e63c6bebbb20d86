/**
 * State records: the changes of topics, channels and positions, as they stand in state blocks.
 *
 * A record is a type byte and its fields, big-endian; names are a length byte and ASCII; sequence numbers
 * and times are float64, which holds both exactly. `STATE_LAYOUTS` is the one description: types, writer and
 * reader follow from it, and a test holds the list in FORMAT.md to it.
 */

import { TrackedList } from "./tracked_list.ts";

/** Consecutive sequence numbers [from, from + count). */
export interface SeqRun {
  from: number;
  count: number;
}

/** Data of a tracked base in a kept file; see `tracked_base.ts`. */
export interface BasePlace {
  /** Number of the kept file. */
  fileNumber: number;
  /** Offset of the data, behind the block's header. */
  dataAt: number;
  dataBytes: number;
  /** CRC-32 of the data. */
  dataCrc: number;
  /** Entries in it. */
  count: number;
}

/**
 * How a field lies in a record. `runs` is a count u32 and so many pairs of first number f64 and count u32; `tracked` a
 * count u32, a length u32 and so many bytes, see `tracked_list.ts`; `places` a count u32 and so many places; `utf8` a
 * length u16 and so many bytes of text.
 */
export type FieldKind = "u32" | "f64" | "name" | "runs" | "tracked" | "places" | "utf8";

interface StateLayout {
  readonly type: string;
  /** In the order in which they are written. */
  readonly fields: Readonly<Record<string, FieldKind>>;
  readonly meaning: string;
}

/** All types; the number of a type is its place in the list, from 1. */
export const STATE_LAYOUTS = [
  {
    type: "topic",
    fields: { topic: "u32", name: "name", endSeq: "f64", releasedSeq: "f64" },
    meaning: "the topic exists; its next record is not below `endSeq`; channels may read below `releasedSeq`",
  },
  { type: "topic deleted", fields: { topic: "u32" }, meaning: "the topic is deleted" },
  {
    type: "topic position",
    fields: { topic: "u32", releasedSeq: "f64" },
    meaning: "what the topic held below `releasedSeq` was released or dropped",
  },
  {
    type: "channel",
    fields: { channel: "u32", topic: "u32", name: "name", startSeq: "f64" },
    meaning: "the channel exists and gets what is from `startSeq` on",
  },
  { type: "channel deleted", fields: { channel: "u32" }, meaning: "the channel is deleted" },
  {
    type: "channel emptied",
    fields: { channel: "u32", cursorSeq: "f64" },
    meaning: "all below `cursorSeq` is dropped",
  },
  {
    type: "position",
    fields: { channel: "u32", cursorSeq: "f64", runs: "runs" },
    meaning: "all below `cursorSeq` is finished but for these runs and the tracked messages",
  },
  {
    type: "tracked",
    fields: { channel: "u32", seq: "f64", attempts: "u32", dueMs: "f64" },
    meaning: "an unfinished message, due at steady ms, 0 = at once",
  },
  {
    type: "tracked finished",
    fields: { channel: "u32", seq: "f64" },
    meaning: "the tracked message is finished",
  },
  {
    type: "done ahead",
    fields: { channel: "u32", from: "f64", to: "f64" },
    meaning: "messages [from, to) at or after the cursor are finished",
  },
  {
    type: "deferred",
    fields: { topic: "u32", seq: "f64", delayMs: "f64", publishedMs: "f64" },
    meaning: "a record that is to be deferred when it is released; ms, steady ms",
  },
  {
    type: "imported",
    fields: { queue: "name", fileNumber: "u32", position: "f64" },
    meaning: "the queue of Go nsqd is taken over up to here; at 0, 0 its files were moved away",
  },
  {
    type: "tracked list",
    fields: { channel: "u32", list: "tracked" },
    meaning: "unfinished messages, as many records of type 8 would say",
  },
  {
    type: "tracked base",
    fields: { channel: "u32", places: "places" },
    meaning:
      "unfinished messages as of a while ago, in kept files; records behind this one tell what changed",
  },
  {
    type: "clock",
    fields: { steadyMs: "f64", aheadMs: "f64" },
    meaning: "steady time had come to `steadyMs`, and the wall clock was `aheadMs` ahead of it",
  },
  {
    type: "topic policy",
    fields: { topic: "u32", settings: "utf8" },
    meaning: "what was set of the topic's policy, as JSON",
  },
  {
    type: "channel policy",
    fields: { channel: "u32", settings: "utf8" },
    meaning: "what was set of the channel's policy, as JSON",
  },
  {
    type: "dead",
    fields: { channel: "u32", seq: "f64", attempts: "u32", reason: "u32", diedMs: "f64", consumer: "utf8" },
    meaning:
      "the message is a dead letter since `diedMs`, Unix ms; reasons: 0 attempts, 1 expired, 2 overflow",
  },
  {
    type: "dead moved",
    fields: { channel: "u32", seq: "f64", topic: "u32", newSeq: "f64" },
    meaning: "the dead letter is finished if record `newSeq` of the topic is in the log",
  },
] as const satisfies readonly StateLayout[];

type FieldValue<K> = K extends "name" | "utf8" ? string
  : K extends "runs" ? SeqRun[]
  : K extends "tracked" ? TrackedList
  : K extends "places" ? BasePlace[]
  : number;
type RecordOf<L extends StateLayout> = L extends StateLayout
  ? { type: L["type"] } & { -readonly [F in keyof L["fields"]]: FieldValue<L["fields"][F]> }
  : never;

/** One change, decoded. */
export type StateRecord = RecordOf<(typeof STATE_LAYOUTS)[number]>;

type StateType = StateRecord["type"];
/** The fields of each type, as a list. */
const FIELDS: readonly (readonly [name: string, kind: FieldKind][])[] = STATE_LAYOUTS.map(({ fields }) =>
  Object.entries(fields)
);
const TYPE_NUMBERS = new Map<StateType, number>(STATE_LAYOUTS.map(({ type }, i) => [type, i + 1]));
const FIRST_BYTES = 4096;
const MAX_TEXT_BYTES = 0xffff;
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/** Collects records for one block. */
export class StateWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;
  /** Records collected. */
  count = 0;

  get size(): number {
    return this.#size;
  }

  /** The records, valid until the next `add` or `clear`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#size);
  }

  clear(): void {
    this.#size = this.count = 0;
  }

  add(record: StateRecord): void {
    this.count++;
    const number = TYPE_NUMBERS.get(record.type)!;
    this.#u8(number);
    const values = record as unknown as Record<string, never>;
    for (const [name, kind] of FIELDS[number - 1]) this.#field(kind, values[name]);
  }

  #field(kind: FieldKind, value: never): void {
    switch (kind) {
      case "u32":
        return this.#u32(value);
      case "f64":
        return this.#f64(value);
      case "name":
        return this.#name(value);
      case "utf8":
        return this.#utf8(value);
      case "runs":
        return this.#runs(value);
      case "tracked":
        return this.#tracked(value);
      case "places":
        return this.#places(value);
    }
  }

  #reserve(byteCount: number): number {
    const at = this.#size;
    this.#size += byteCount;
    if (this.#size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#size, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  #u8(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  #u32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
  }

  #f64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value);
  }

  #name(name: string): void {
    const encoded = textEncoder.encode(name);
    this.#u8(encoded.length);
    const at = this.#reserve(encoded.length);
    this.#bytes.set(encoded, at);
  }

  #utf8(text: string): void {
    const encoded = textEncoder.encode(text), size = encoded.length;
    if (size > MAX_TEXT_BYTES) throw new RangeError(`a text of ${size} bytes has no place in the log`);
    const at = this.#reserve(2 + size);
    this.#view.setUint16(at, size);
    this.#bytes.set(encoded, at + 2);
  }

  #runs(runs: readonly SeqRun[]): void {
    this.#u32(runs.length);
    for (const run of runs) {
      this.#f64(run.from);
      this.#u32(run.count);
    }
  }

  #tracked(list: TrackedList): void {
    const encoded = list.encode();
    this.#u32(list.count);
    this.#u32(encoded.length);
    const at = this.#reserve(encoded.length);
    this.#bytes.set(encoded, at);
  }

  #places(places: readonly BasePlace[]): void {
    this.#u32(places.length);
    for (const { fileNumber, dataAt, dataBytes, dataCrc, count } of places) {
      this.#u32(fileNumber);
      this.#f64(dataAt);
      this.#u32(dataBytes);
      this.#u32(dataCrc);
      this.#u32(count);
    }
  }
}

/**
 * Decodes the records of one block.
 *
 * @throws {RangeError} when the bytes end inside a record or a type is unknown: the block was sound, so
 * it is of a newer version
 */
export function* readStateRecords(bytes: Uint8Array): Generator<StateRecord> {
  const reader = new FieldReader(bytes);
  while (!reader.atEnd) {
    const number = reader.u8(), layout = STATE_LAYOUTS[number - 1];
    if (layout === undefined) {
      throw new RangeError(`state record of unknown type ${number}: the log was written by a newer version`);
    }
    const record: Record<string, unknown> = { type: layout.type };
    for (const [name, kind] of FIELDS[number - 1]) record[name] = reader[kind]();
    yield record as unknown as StateRecord;
  }
}

class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  f64(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8);
  }

  name(): string {
    const length = this.u8();
    this.#at += length;
    return textDecoder.decode(this.#bytes.subarray(this.#at - length, this.#at));
  }

  utf8(): string {
    const length = this.#view.getUint16(this.#at);
    this.#at += 2 + length;
    if (this.#at > this.#bytes.length) throw new RangeError("a text ends behind its block");
    return textDecoder.decode(this.#bytes.subarray(this.#at - length, this.#at));
  }

  runs(): SeqRun[] {
    return Array.from({ length: this.u32() }, () => ({ from: this.f64(), count: this.u32() }));
  }

  tracked(): TrackedList {
    const list = new TrackedList(), count = this.u32(), byteCount = this.u32();
    if (this.#at + byteCount > this.#bytes.length) throw new RangeError("a list of tracked messages is cut");
    list.decode(this.#bytes.subarray(this.#at, this.#at + byteCount), count);
    this.#at += byteCount;
    return list;
  }

  places(): BasePlace[] {
    return Array.from({ length: this.u32() }, () => ({
      fileNumber: this.u32(),
      dataAt: this.f64(),
      dataBytes: this.u32(),
      dataCrc: this.u32(),
      count: this.u32(),
    }));
  }
}
