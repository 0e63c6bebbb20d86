/**
 * A data path as the original nsqd leaves it: its disk queues are written and read by its rules, and what it
 * would then have on the disk is put where a test wants it.
 */

export interface OriginalMessage {
  body: string;
  /** Deliveries before it was written. */
  attempts?: number;
  timestampNs?: bigint;
}

const encoder = new TextEncoder();
const HEADER_BYTES = 30;
/** 2024-05-06T07:08:09Z, which no test takes for its own time. */
export const PUBLISHED_NS = 1_714_979_289_000_000_000n;

/** One record: int32 length, timestamp (8), attempts (2), id (16 hex digits), body. */
export function encodeOriginalRecord(
  { body, attempts = 0, timestampNs = PUBLISHED_NS }: OriginalMessage,
  serial: number,
): Uint8Array<ArrayBuffer> {
  const content = encoder.encode(body);
  const bytes = new Uint8Array(HEADER_BYTES + content.length), view = new DataView(bytes.buffer);
  view.setInt32(0, HEADER_BYTES - 4 + content.length);
  view.setBigInt64(4, timestampNs);
  view.setUint16(12, attempts);
  encoder.encodeInto((0x18a8_e4f3_0000_0000n + BigInt(serial)).toString(16), bytes.subarray(14));
  bytes.set(content, HEADER_BYTES);
  return bytes;
}

/** A queue of the original: written to its end, read from its front. */
export class OriginalQueue {
  readonly name: string;
  readonly #maxBytesPerFile: number;
  /** Written and not read to the end, by number. */
  readonly #files = new Map<number, Uint8Array<ArrayBuffer>[]>();
  /** Length of each unread record. */
  readonly #unread: number[] = [];
  #readFile = 0;
  #readPosition = 0;
  #writeFile = 0;
  #writePosition = 0;
  #serial = 0;

  /** @param name `topic` or `topic:channel` */
  constructor(name: string, maxBytesPerFile = 100 << 20) {
    this.name = name;
    this.#maxBytesPerFile = maxBytesPerFile;
  }

  write(...messages: OriginalMessage[]): this {
    for (const message of messages) {
      const record = encodeOriginalRecord(message, this.#serial++);
      if (this.#writePosition > 0 && this.#writePosition + record.length > this.#maxBytesPerFile) {
        this.#writeFile++;
        this.#writePosition = 0;
      }
      const records = this.#files.get(this.#writeFile) ?? [];
      records.push(record);
      this.#files.set(this.#writeFile, records);
      this.#writePosition += record.length;
      this.#unread.push(record.length);
    }
    return this;
  }

  /** Consumes `count` messages: the files read to their end go. */
  read(count: number): this {
    for (const length of this.#unread.splice(0, count)) {
      this.#readPosition += length;
      if (this.#readFile < this.#writeFile && this.#readPosition === this.#sizeOf(this.#readFile)) {
        this.#files.delete(this.#readFile++);
        this.#readPosition = 0;
      }
    }
    return this;
  }

  #sizeOf(number: number): number {
    return (this.#files.get(number) ?? []).reduce((sum, record) => sum + record.length, 0);
  }

  dataFile(number: number): string {
    return `${this.name}.diskqueue.${String(number).padStart(6, "0")}.dat`;
  }

  get metaFile(): string {
    return `${this.name}.diskqueue.meta.dat`;
  }

  /** Its files by name. */
  files(): Map<string, Uint8Array<ArrayBuffer>> {
    const files = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const [number, records] of this.#files) {
      const bytes = new Uint8Array(this.#sizeOf(number));
      let at = 0;
      for (const record of records) {
        bytes.set(record, at);
        at += record.length;
      }
      files.set(this.dataFile(number), bytes);
    }
    const meta = `${this.#unread.length}\n${this.#readFile},${this.#readPosition}\n` +
      `${this.#writeFile},${this.#writePosition}\n`;
    files.set(this.metaFile, encoder.encode(meta));
    return files;
  }
}

export interface OriginalTopic {
  name: string;
  paused?: boolean;
  channels?: { name: string; paused?: boolean }[];
}

/** `nsqd.dat`. */
export function originalMetadata(topics: OriginalTopic[]): Uint8Array<ArrayBuffer> {
  const document = {
    topics: topics.length === 0 ? null : topics.map(({ name, paused = false, channels = [] }) => ({
      name,
      paused,
      channels: channels.length === 0 ? null : channels.map(({ name, paused = false }) => ({ name, paused })),
    })),
    version: "1.3.0",
  };
  return encoder.encode(JSON.stringify(document));
}
