/**
 * The dead letters of a channel: messages that are not delivered any more, kept with why, when and who had them last.
 *
 * There may be millions, so each is a row of columns and an entry of a map, about 100 bytes, and no object. Rows of
 * letters that left are used again.
 *
 * Cost: adding, removing and finding are O(1); listing sorts once after changes.
 *
 * Tested in test/broker/dead_letters_test.ts.
 */
import type { Segment } from "../../storage/segment.ts";

/** Why a message died: too many attempts, too old, or pushed out by a bound. Its place is its number in the log. */
export const DEATH_REASONS = ["attempts", "expired", "overflow"] as const;
export type DeathReason = typeof DEATH_REASONS[number];

/** One of them, as it was when it was asked for. */
export interface DeadLetter {
  readonly seq: number;
  readonly segment: Segment;
  readonly index: number;
  readonly attempts: number;
  readonly reason: DeathReason;
  /** Unix ms. */
  readonly diedMs: number;
  /** Client id and address of the consumer that had it last; empty when none had. */
  readonly consumer: string;
}

const FIRST_ROWS = 64;
const NO_TIMES = new Float64Array(0);
const NO_WORDS = new Uint32Array(0);
const NO_ATTEMPTS = new Uint16Array(0);
const NO_REASONS = new Uint8Array(0);

export class DeadLetters {
  readonly #rows = new Map<number, number>();
  readonly #counts: Record<DeathReason, number> = { attempts: 0, expired: 0, overflow: 0 };
  // Few channels have any, and there may be very many channels: nothing is made before the first.
  #diedMs = NO_TIMES;
  #indexes = NO_WORDS;
  #attempts = NO_ATTEMPTS;
  #reasons = NO_REASONS;
  #consumers = NO_WORDS;
  readonly #segments: (Segment | null)[] = [];
  readonly #freeRows: number[] = [];
  /** Names of consumers, each once. */
  readonly #names: string[] = [];
  readonly #nameNumbers = new Map<string, number>();
  /** The sequence numbers, ascending; null after a change. */
  #sorted: Float64Array | null = null;

  get size(): number {
    return this.#rows.size;
  }

  /** How many died of `reason`. */
  countOf(reason: DeathReason): number {
    return this.#counts[reason];
  }

  has(seq: number): boolean {
    return this.#rows.has(seq);
  }

  /** The letter is not there yet. */
  add({ seq, segment, index, attempts, reason, diedMs, consumer }: DeadLetter): void {
    const row = this.#freeRows.pop() ?? this.#segments.push(null) - 1;
    if (row >= this.#diedMs.length) this.#grow();
    this.#rows.set(seq, row);
    this.#segments[row] = segment;
    this.#indexes[row] = index;
    this.#attempts[row] = attempts;
    this.#reasons[row] = DEATH_REASONS.indexOf(reason);
    this.#diedMs[row] = diedMs;
    this.#consumers[row] = this.#numberOf(consumer);
    this.#counts[reason]++;
    this.#sorted = null;
  }

  get(seq: number): DeadLetter | undefined {
    const row = this.#rows.get(seq);
    if (row === undefined) return undefined;
    return {
      seq,
      segment: this.#segments[row]!,
      index: this.#indexes[row],
      attempts: this.#attempts[row],
      reason: DEATH_REASONS[this.#reasons[row]],
      diedMs: this.#diedMs[row],
      consumer: this.#names[this.#consumers[row]],
    };
  }

  /** Takes a letter that is there out. */
  remove(seq: number): void {
    const row = this.#rows.get(seq)!;
    this.#rows.delete(seq);
    this.#counts[DEATH_REASONS[this.#reasons[row]]]--;
    this.#segments[row] = null;
    this.#freeRows.push(row);
    this.#sorted = null;
  }

  /** The record of a letter is in another place now. */
  relocate(seq: number, segment: Segment, index: number): void {
    const row = this.#rows.get(seq)!;
    this.#segments[row] = segment;
    this.#indexes[row] = index;
  }

  clear(): void {
    this.#rows.clear();
    this.#segments.length = this.#freeRows.length = 0;
    for (const reason of DEATH_REASONS) this.#counts[reason] = 0;
    this.#sorted = null;
  }

  /** Where all of them are, in no order. */
  *values(): Generator<{ seq: number; segment: Segment; index: number }> {
    for (const [seq, row] of this.#rows) {
      yield { seq, segment: this.#segments[row]!, index: this.#indexes[row] };
    }
  }

  /** Sequence numbers from `seq` on, ascending. What is removed meanwhile may still come. */
  *from(seq: number): Generator<number> {
    const sorted = this.#inOrder();
    for (let at = lowerBound(sorted, seq); at < sorted.length; at++) yield sorted[at];
  }

  /** Sequence numbers from `seq` down, likewise. */
  *downFrom(seq: number): Generator<number> {
    const sorted = this.#inOrder();
    for (let at = lowerBound(sorted, seq + 1) - 1; at >= 0; at--) yield sorted[at];
  }

  #inOrder(): Float64Array {
    return this.#sorted ??= Float64Array.from(this.#rows.keys()).sort();
  }

  #numberOf(name: string): number {
    let number = this.#nameNumbers.get(name);
    if (number === undefined) {
      number = this.#names.push(name) - 1;
      this.#nameNumbers.set(name, number);
    }
    return number;
  }

  #grow(): void {
    const rows = Math.max(FIRST_ROWS, this.#diedMs.length * 2);
    this.#diedMs = grown(this.#diedMs, new Float64Array(rows));
    this.#indexes = grown(this.#indexes, new Uint32Array(rows));
    this.#attempts = grown(this.#attempts, new Uint16Array(rows));
    this.#reasons = grown(this.#reasons, new Uint8Array(rows));
    this.#consumers = grown(this.#consumers, new Uint32Array(rows));
  }
}

/** The first place whose number is not below `seq`. */
function lowerBound(sorted: Float64Array, seq: number): number {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

function grown<T extends { set(from: T): void }>(from: T, into: T): T {
  into.set(from);
  return into;
}
