/**
 * Many tracked messages of a channel in columns, and as few bytes: about four for each of a deferred run.
 *
 * Encoded, each entry is two varints or three: attempts × 8 with three flags in the low bits (1: it has a due time,
 * 2: which is before the last one, 4: its sequence number is below the last one); how far its sequence number is
 * from the last one; how far its due time is, in whole microseconds, when it has one. A varint has 7 bits a byte,
 * the low ones first, the high bit set on all but the last. Due times are rounded up, so that nothing comes early.
 *
 * Cost: some tens of nanoseconds an entry both ways, and no object.
 */

const FIRST_ENTRIES = 64;
/** Of a list that nothing was added to: most channels have nothing tracked, and there may be very many. */
const NO_NUMBERS = new Float64Array(0);
const NO_ATTEMPTS = new Uint16Array(0);
/** The longest entry: a varint of 19 bits, two of 53. */
const MAX_ENTRY_BYTES = 3 + 8 + 8;
const HAS_DUE = 1;
const DUE_BACK = 2;
const SEQ_BACK = 4;

export class TrackedList {
  seqs = NO_NUMBERS;
  attempts = NO_ATTEMPTS;
  /** Unix ms; 0 for at once. */
  dueMs = NO_NUMBERS;
  count = 0;

  add(seq: number, attempts: number, dueMs: number): void {
    const at = this.count++;
    if (at === this.seqs.length) this.#grow(Math.max(FIRST_ENTRIES, at * 2));
    this.seqs[at] = seq;
    this.attempts[at] = attempts;
    this.dueMs[at] = dueMs;
  }

  clear(): void {
    this.count = 0;
  }

  #grow(capacity: number): void {
    const { seqs, attempts, dueMs } = this;
    this.seqs = new Float64Array(capacity);
    this.attempts = new Uint16Array(capacity);
    this.dueMs = new Float64Array(capacity);
    this.seqs.set(seqs);
    this.attempts.set(attempts);
    this.dueMs.set(dueMs);
  }

  /** The entries in a buffer of their own. */
  encode(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.count * MAX_ENTRY_BYTES);
    let at = 0, seq = 0, dueUs = 0;
    for (let i = 0; i < this.count; i++) {
      const isDue = this.dueMs[i] > 0, seqStep = this.seqs[i] - seq;
      const us = isDue ? Math.ceil(this.dueMs[i] * 1000) : dueUs, dueStep = us - dueUs;
      const flags = (isDue ? HAS_DUE : 0) | (dueStep < 0 ? DUE_BACK : 0) | (seqStep < 0 ? SEQ_BACK : 0);
      at = putVarint(bytes, at, this.attempts[i] * 8 + flags);
      at = putVarint(bytes, at, Math.abs(seqStep));
      if (isDue) at = putVarint(bytes, at, Math.abs(dueStep));
      seq = this.seqs[i];
      dueUs = us;
    }
    return bytes.subarray(0, at);
  }

  /** Adds the `count` entries that `bytes` encodes. @throws {RangeError} when the bytes end too soon */
  decode(bytes: Uint8Array, count: number): void {
    const reader = new VarintReader(bytes);
    let seq = 0, dueUs = 0;
    for (let i = 0; i < count; i++) {
      const flags = reader.next(), seqStep = reader.next();
      seq += (flags & SEQ_BACK) === 0 ? seqStep : -seqStep;
      let dueMs = 0;
      if ((flags & HAS_DUE) !== 0) {
        const dueStep = reader.next();
        dueUs += (flags & DUE_BACK) === 0 ? dueStep : -dueStep;
        dueMs = dueUs / 1000;
      }
      this.add(seq, flags >>> 3, dueMs);
    }
  }
}

/** @returns the offset behind it */
function putVarint(bytes: Uint8Array, at: number, value: number): number {
  // Numbers may have 53 bits, of which the bit operators see 32.
  while (value >= 0x40000000) {
    const rest = Math.floor(value / 128);
    bytes[at++] = (value - rest * 128) | 0x80;
    value = rest;
  }
  while (value >= 0x80) {
    bytes[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[at++] = value;
  return at;
}

class VarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(): number {
    const bytes = this.#bytes;
    let value = 0, scale = 1;
    for (;;) {
      if (this.#at >= bytes.length) throw new RangeError("a list of tracked messages ends inside an entry");
      const byte = bytes[this.#at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }
}
