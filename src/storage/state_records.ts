/**
 * State records: the changes of topics, channels and positions, as they stand in state blocks.
 *
 * A record is a type byte and fixed fields, big-endian; names are a length byte and ASCII; sequence numbers
 * and times are float64, which holds both exactly. The layout of each type is in FORMAT.md.
 */

/** One change, decoded. */
export type StateRecord =
  /** The topic exists. Its next record gets at least `endSeq`; channels may read below `releasedSeq`. */
  | { type: "topic"; topic: number; name: string; endSeq: number; releasedSeq: number }
  | { type: "topic deleted"; topic: number }
  /** What the topic held unreleased below `releasedSeq` was dropped or released. */
  | { type: "topic position"; topic: number; releasedSeq: number }
  /** The channel exists and gets the messages from `startSeq` on. */
  | { type: "channel"; channel: number; topic: number; name: string; startSeq: number }
  | { type: "channel deleted"; channel: number }
  /** All messages below `cursorSeq` are dropped. */
  | { type: "channel emptied"; channel: number; cursorSeq: number }
  /** All below the cursor is finished but for the runs [from, from + count) and the tracked messages. */
  | { type: "position"; channel: number; cursorSeq: number; runs: { from: number; count: number }[] }
  /** An unfinished message with its attempts, due at `dueMs` (Unix ms), or at once when that is 0. */
  | { type: "tracked"; channel: number; seq: number; attempts: number; dueMs: number }
  | { type: "tracked finished"; channel: number; seq: number }
  /** Messages [from, to), at or after the cursor, are finished. */
  | { type: "done ahead"; channel: number; from: number; to: number }
  /** A record that is not released yet and will be deferred then. */
  | { type: "deferred"; topic: number; seq: number; delayMs: number; publishedMs: number }
  /** Messages of a queue of the original before this place are in the log; at 0, 0 it was moved away. */
  | { type: "imported"; queue: string; fileNumber: number; position: number };

const TYPES: readonly StateRecord["type"][] = [
  "topic",
  "topic deleted",
  "topic position",
  "channel",
  "channel deleted",
  "channel emptied",
  "position",
  "tracked",
  "tracked finished",
  "done ahead",
  "deferred",
  "imported",
];
const TYPE_NUMBERS = new Map(TYPES.map((type, i) => [type, i + 1]));
const FIRST_BYTES = 4096;
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
    this.#u8(TYPE_NUMBERS.get(record.type)!);
    switch (record.type) {
      case "topic":
        this.#u32(record.topic);
        this.#name(record.name);
        this.#f64(record.endSeq);
        this.#f64(record.releasedSeq);
        break;
      case "topic deleted":
        this.#u32(record.topic);
        break;
      case "topic position":
        this.#u32(record.topic);
        this.#f64(record.releasedSeq);
        break;
      case "channel":
        this.#u32(record.channel);
        this.#u32(record.topic);
        this.#name(record.name);
        this.#f64(record.startSeq);
        break;
      case "channel deleted":
        this.#u32(record.channel);
        break;
      case "channel emptied":
        this.#u32(record.channel);
        this.#f64(record.cursorSeq);
        break;
      case "position":
        this.#position(record.channel, record.cursorSeq, record.runs);
        break;
      case "tracked":
        this.#u32(record.channel);
        this.#f64(record.seq);
        this.#u32(record.attempts);
        this.#f64(record.dueMs);
        break;
      case "tracked finished":
        this.#u32(record.channel);
        this.#f64(record.seq);
        break;
      case "done ahead":
        this.#u32(record.channel);
        this.#f64(record.from);
        this.#f64(record.to);
        break;
      case "deferred":
        this.#u32(record.topic);
        this.#f64(record.seq);
        this.#f64(record.delayMs);
        this.#f64(record.publishedMs);
        break;
      case "imported":
        this.#name(record.queue);
        this.#u32(record.fileNumber);
        this.#f64(record.position);
    }
  }

  #position(channel: number, cursorSeq: number, runs: { from: number; count: number }[]): void {
    this.#u32(channel);
    this.#f64(cursorSeq);
    this.#u32(runs.length);
    for (const run of runs) {
      this.#f64(run.from);
      this.#u32(run.count);
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
}

/**
 * Decodes the records of one block.
 *
 * @throws {RangeError} when the bytes end inside a record or a type is unknown: the block was sound, so
 * it is of a newer version
 */
export function* readStateRecords(bytes: Uint8Array): Generator<StateRecord> {
  const reader = new FieldReader(bytes);
  while (!reader.atEnd) yield readRecord(reader);
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
}

function readRecord(reader: FieldReader): StateRecord {
  const number = reader.u8(), type = TYPES[number - 1];
  switch (type) {
    case "topic":
      return {
        type,
        topic: reader.u32(),
        name: reader.name(),
        endSeq: reader.f64(),
        releasedSeq: reader.f64(),
      };
    case "topic deleted":
      return { type, topic: reader.u32() };
    case "topic position":
      return { type, topic: reader.u32(), releasedSeq: reader.f64() };
    case "channel":
      return {
        type,
        channel: reader.u32(),
        topic: reader.u32(),
        name: reader.name(),
        startSeq: reader.f64(),
      };
    case "channel deleted":
      return { type, channel: reader.u32() };
    case "channel emptied":
      return { type, channel: reader.u32(), cursorSeq: reader.f64() };
    case "position": {
      const channel = reader.u32(), cursorSeq = reader.f64(), count = reader.u32();
      const runs = Array.from({ length: count }, () => ({ from: reader.f64(), count: reader.u32() }));
      return { type, channel, cursorSeq, runs };
    }
    case "tracked":
      return { type, channel: reader.u32(), seq: reader.f64(), attempts: reader.u32(), dueMs: reader.f64() };
    case "tracked finished":
      return { type, channel: reader.u32(), seq: reader.f64() };
    case "done ahead":
      return { type, channel: reader.u32(), from: reader.f64(), to: reader.f64() };
    case "deferred":
      return {
        type,
        topic: reader.u32(),
        seq: reader.f64(),
        delayMs: reader.f64(),
        publishedMs: reader.f64(),
      };
    case "imported":
      return { type, queue: reader.name(), fileNumber: reader.u32(), position: reader.f64() };
    default:
      throw new RangeError(`state record of unknown type ${number}: the log was written by a newer version`);
  }
}
