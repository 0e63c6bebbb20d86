/**
 * What the log tells of one channel, record by record. Each record costs what it names, whatever range of sequence
 * numbers it spans: those are microseconds, and a quiet hour is a range of billions.
 *
 * Tested in test/storage/state/recovered_state_test.ts.
 */
import type { LogFile } from "../log_file.ts";
import type { BasePlace, SeqRun } from "./state_records.ts";
import type { TrackedList } from "./tracked_list.ts";

export interface RecoveredTracked {
  attempts: number;
  /** Steady time; 0 for at once. */
  dueMs: number;
}

export interface RecoveredDead {
  attempts: number;
  /** A number of `DEATH_REASONS`. */
  reason: number;
  /** Unix ms. */
  diedMs: number;
  consumer: string;
  /** Where a copy may be, which would make it finished; null when it was not moved. */
  copy: { topic: number; seq: number } | null;
}

export class RecoveredChannel {
  readonly number: number;
  readonly name: string;
  cursorSeq: number;
  /** Tracked messages that records told of one by one; they stand for those of the base. */
  readonly tracked = new Map<number, RecoveredTracked>();
  readonly dead = new Map<number, RecoveredDead>();
  /** What was set of its policy, as JSON. */
  settings = "";
  /** Where the tracked messages of the base are. */
  base: readonly BasePlace[] = [];
  /** The same with their files, those that there are. */
  readonly placedBase: { file: LogFile; place: BasePlace }[] = [];
  /** What is there, once it was read. */
  baseList: TrackedList | null = null;
  /** Messages of the base, perhaps, that are finished. */
  readonly finishedOfBase = new Set<number>();
  /** Finished messages at or after the cursor. */
  doneAhead: { from: number; to: number }[] = [];
  #runs: SeqRun[] = [];
  /** Finished since the position that has the runs was told. */
  readonly #finished = new Set<number>();

  constructor(number: number, name: string, startSeq: number) {
    this.number = number;
    this.name = name;
    this.cursorSeq = startSeq;
  }

  /** Unfinished messages below the cursor that are not tracked. */
  get runs(): SeqRun[] {
    if (this.#finished.size === 0) return this.#runs;
    const finished = Float64Array.from(this.#finished).sort();
    return this.#runs.flatMap((run) => [...without(run, finished)]);
  }

  /** All below `cursorSeq` is dropped. What was not released is kept, and with it when it is due. */
  empty(cursorSeq: number): void {
    this.#move(cursorSeq, []);
    for (const seq of this.tracked.keys()) if (seq < cursorSeq) this.tracked.delete(seq);
    this.dead.clear();
    this.base = [];
    this.finishedOfBase.clear();
  }

  /** All below `cursorSeq` is finished but for `runs` and what is tracked. */
  setPosition(cursorSeq: number, runs: SeqRun[]): void {
    this.#move(cursorSeq, runs);
  }

  #move(cursorSeq: number, runs: SeqRun[]): void {
    this.cursorSeq = cursorSeq;
    this.#runs = runs;
    this.#finished.clear();
    if (this.doneAhead.length > 0) this.doneAhead = this.doneAhead.filter((range) => range.to > cursorSeq);
  }

  /** What is tracked below `releasedSeq` is in `base`, or told behind it. */
  setBase(base: readonly BasePlace[], releasedSeq: number): void {
    this.base = base;
    this.finishedOfBase.clear();
    for (const seq of this.tracked.keys()) if (seq < releasedSeq) this.tracked.delete(seq);
  }

  track(seq: number, attempts: number, dueMs: number): void {
    this.tracked.set(seq, { attempts, dueMs });
    this.dead.delete(seq);
  }

  /** A message became a dead letter. */
  die(seq: number, attempts: number, reason: number, diedMs: number, consumer: string): void {
    this.tracked.delete(seq);
    if (this.base.length > 0) this.finishedOfBase.add(seq);
    this.dead.set(seq, { attempts, reason, diedMs, consumer, copy: null });
  }

  /** A dead letter was published elsewhere, if that is in the log. */
  move(seq: number, topic: number, newSeq: number): void {
    const letter = this.dead.get(seq);
    if (letter !== undefined) letter.copy = { topic, seq: newSeq };
  }

  finish(seq: number): void {
    this.tracked.delete(seq);
    this.dead.delete(seq);
    if (this.base.length > 0) this.finishedOfBase.add(seq);
    // Its position record may be older than its end and still list it, or the cursor be before it.
    if (this.#runs.length > 0) this.#finished.add(seq);
    if (seq >= this.cursorSeq) this.doneAhead.push({ from: seq, to: seq + 1 });
  }

  /** Messages [from, to) are finished. */
  finishAhead(from: number, to: number): void {
    this.doneAhead.push({ from, to });
    const { tracked } = this;
    if (to - from < tracked.size) {
      for (let seq = from; seq < to; seq++) tracked.delete(seq);
      return;
    }
    for (const seq of tracked.keys()) if (seq >= from && seq < to) tracked.delete(seq);
  }
}

/** What is left of a run without the numbers in `finished`, which ascend. */
function* without({ from, count }: SeqRun, finished: Float64Array): Generator<SeqRun> {
  let low = 0, high = finished.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (finished[middle] < from) low = middle + 1;
    else high = middle;
  }
  const to = from + count;
  let start = from;
  for (; low < finished.length && finished[low] < to; low++) {
    if (finished[low] > start) yield { from: start, count: finished[low] - start };
    start = finished[low] + 1;
  }
  if (start < to) yield { from: start, count: to - start };
}
