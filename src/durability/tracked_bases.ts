/**
 * Keeps the cost of snapshots in proportion to what changed: the tracked messages of a channel that has many are
 * written to a kept file once, as its base, and a snapshot names the base and what changed since.
 *
 * A base is written in the background, some thousand messages at a time; the log names it once it is on the disk,
 * and tells in the same group what changed meanwhile, so it need not be of one moment. A base is written anew when
 * half of it has changed; the old one goes once the log that does not need it is on the disk.
 */
import type { SteadyTime } from "../clock/steady_time.ts";
import { setImmediate } from "node:timers";
import type { Channel } from "../broker/channel.ts";
import type { CommitLog } from "../storage/commit_log.ts";
import type { LogFile } from "../storage/log_file.ts";
import type { BasePlace, StateWriter } from "../storage/state/state_records.ts";
import { placeBytes } from "../storage/state/tracked_base.ts";
import { SeqSet } from "../storage/state/seq_set.ts";
import { TrackedList } from "../storage/state/tracked_list.ts";
import { trackedDueMs } from "./positions.ts";

/** A channel with fewer tracked messages has no base: they are told in full. */
const MIN_TRACKED = 8192;
/** Messages that are written at a time. */
const STEP_MESSAGES = 8192;

/** Where a part of a base is. */
export interface PlacedBase {
  file: LogFile;
  place: BasePlace;
}

/** What puts state records into the log. */
export interface StateTeller {
  readonly staged: StateWriter;
  numberOf(channel: Channel): number;
  stageReleased(topic: Channel["topic"]): void;
  /** @throws when the disk refuses; they stay staged then */
  writeStaged(): void;
}

/** What is known of one channel. */
interface Entry {
  base: PlacedBase[];
  count: number;
  /** Sequence numbers of what was tracked, changed or finished since the base was begun. */
  changed: SeqSet;
  /** The same for the base that is being written, null while none is. */
  nextChanged: SeqSet | null;
  /** True when compaction wants the files of the base empty. */
  mustMove: boolean;
}

export class TrackedBases {
  readonly #log: CommitLog;
  readonly #steady: SteadyTime;
  readonly #entries = new Map<Channel, Entry>();
  /** Bases that were given up, wanted until the log on the disk tells so. */
  #retired: PlacedBase[] = [];
  #teller!: StateTeller;
  #isStopped = false;

  constructor(log: CommitLog, steady: SteadyTime) {
    this.#log = log;
    this.#steady = steady;
  }

  /** Bases are named in the log through `teller`. */
  begin(teller: StateTeller): void {
    this.#teller = teller;
  }

  /** A tracked message of `channel` changed or ended: the log is told of it. */
  changed(channel: Channel, seq: number): void {
    const entry = this.#entries.get(channel);
    if (entry === undefined) return;
    if (entry.base.length > 0) entry.changed.add(seq);
    entry.nextChanged?.add(seq);
  }

  /** The channel has a base from before a restart. @param changed what later records told of */
  restore(channel: Channel, base: PlacedBase[], changed: SeqSet): void {
    const count = base.reduce((sum, { place }) => sum + place.count, 0);
    this.#entries.set(channel, { base, count, changed, nextChanged: null, mustMove: false });
  }

  /** The channel was emptied or deleted. */
  drop(channel: Channel): void {
    const entry = this.#entries.get(channel);
    if (entry === undefined) return;
    this.#entries.delete(channel);
    this.#retired.push(...entry.base);
  }

  /** Adds the tracked messages of `channel`: all of them, or the base and what changed since. */
  writeTo(into: StateWriter, channel: Channel, number: number): void {
    const entry = this.#entries.get(channel), list = new TrackedList();
    const hasBase = entry !== undefined && entry.base.length > 0;
    if (hasBase) {
      // What the journal has not told yet.
      for (const { seq } of channel.journal.tracked) this.changed(channel, seq);
      for (const seq of channel.journal.ends) this.changed(channel, seq);
      for (const seq of channel.journal.deaths) this.changed(channel, seq);
      const places = entry.base.map(({ place }) => place);
      into.add({ type: "tracked base", channel: number, places });
      for (const seq of entry.changed) {
        const message = channel.tracked.get(seq);
        if (message === undefined) into.add({ type: "tracked finished", channel: number, seq });
        else list.add(seq, message.attempts, trackedDueMs(message, this.#steady));
      }
    } else {
      for (const message of channel.tracked.values()) {
        list.add(message.seq, message.attempts, trackedDueMs(message, this.#steady));
      }
    }
    if (list.count > 0) into.add({ type: "tracked list", channel: number, list });
  }

  /** Bases in `files` are lost: their channels are told in full until they have others. */
  forget(files: ReadonlySet<LogFile>): void {
    for (const [channel, { base }] of this.#entries) {
      if (!base.some(({ file }) => files.has(file))) continue;
      this.#entries.delete(channel);
      forget(base);
    }
  }

  /** Has what lies in `file` written anew, so that it can go. */
  moveOut(file: LogFile): void {
    for (const entry of this.#entries.values()) {
      if (entry.base.some((part) => part.file === file)) entry.mustMove = true;
    }
  }

  // ---- writing ------------------------------------------------------------------------------

  /** One round: lets go of old bases, and writes those that are due. @throws when the disk refuses */
  async run(channels: Iterable<Channel>): Promise<void> {
    if (this.#retired.length > 0 && this.#teller.staged.count === 0) {
      const retired = this.#retired;
      this.#retired = [];
      await this.#log.sync();
      forget(retired);
    }
    for (const channel of channels) {
      if (this.#isStopped) return;
      if (channel.durable && !channel.exiting && this.#isDue(channel)) await this.#build(channel);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  #isDue(channel: Channel): boolean {
    const entry = this.#entries.get(channel), size = channel.tracked.size;
    if (entry === undefined || entry.base.length === 0) return size >= MIN_TRACKED;
    return entry.mustMove || entry.changed.size > Math.max(MIN_TRACKED, entry.count) / 2;
  }

  async #build(channel: Channel): Promise<void> {
    const entry = this.#entries.get(channel) ??
      { base: [], count: 0, changed: new SeqSet(), nextChanged: null, mustMove: false };
    this.#entries.set(channel, entry);
    const changed = entry.nextChanged = new SeqSet(), base: PlacedBase[] = [], list = new TrackedList();
    const isCurrent = () => this.#entries.get(channel) === entry && !this.#isStopped;
    try {
      // The map may change while this waits: its iterator goes on with what it has then.
      for (const message of channel.tracked.values()) {
        list.add(message.seq, message.attempts, trackedDueMs(message, this.#steady));
        // Its end has to be told from now on, also when its journal entry was not written yet.
        message.saved = true;
        if (list.count < STEP_MESSAGES) continue;
        base.push(this.#write(list));
        await nextTurn();
        if (!isCurrent()) break;
      }
      if (isCurrent() && list.count > 0) base.push(this.#write(list));
      if (isCurrent()) await this.#log.syncKept();
    } catch (cause) {
      entry.nextChanged = null;
      forget(base);
      throw cause;
    }
    entry.nextChanged = null;
    if (!isCurrent()) return forget(base);
    this.#retired.push(...entry.base);
    entry.base = base;
    entry.count = base.reduce((sum, { place }) => sum + place.count, 0);
    entry.changed = changed;
    entry.mustMove = false;
    const teller = this.#teller;
    // What is not released yet is not in the base.
    teller.stageReleased(channel.topic);
    this.writeTo(teller.staged, channel, teller.numberOf(channel));
    teller.writeStaged();
  }

  #write(list: TrackedList): PlacedBase {
    const part = this.#log.keepTracked(list);
    part.file.liveBytes += placeBytes(part.place);
    list.clear();
    return part;
  }
}

function forget(base: PlacedBase[]): void {
  for (const { file, place } of base) file.liveBytes -= placeBytes(place);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}
