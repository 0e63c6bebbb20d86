/**
 * A topic: a log of records (`topic_log/topic_log.ts`) and the channels that read it.
 *
 * Publishing appends and marks the topic for the end of the turn; it never waits. Committed records are released to
 * the channels at once, unless the topic is paused, is being set up, or has no channel, which is how the first channel
 * gets the whole backlog.
 *
 * Creating and deleting channels, emptying, pausing and deleting the topic tell the host, so that nobody can forget
 * the log record.
 */
import type { Buffer } from "../buffers/buffer_pool.ts";
import type { Segment, Timestamp } from "../storage/segment.ts";
import { Channel, type ChannelHost, type ChannelTopic } from "./channel.ts";
import { deferUnreadable, giveUp } from "./channel/unreadable.ts";
import { waitingBytes } from "./channel/expiry_and_bounds.ts";
import { type KeyFinder, keyFinder } from "../policies/message_key.ts";
import type { TopicPolicy } from "../policies/policy.ts";
import { noSettings, type PolicyBook } from "../policies/policy_book.ts";
import type { Settings } from "../policies/settings.ts";
import { TopicLog } from "./topic_log/topic_log.ts";
import { type DeferredRecord, UnreleasedRecords } from "./unreleased_records.ts";

/** What topics need of the broker around them. */
export interface TopicHost extends ChannelHost {
  /** Messages an ephemeral topic or channel keeps before new ones are dropped. */
  readonly memQueueSize: number;
  /** The topic has committed records that are to be released in the next turn. */
  markReleasing(topic: Topic): void;
  readonly policies: PolicyBook;
  /** The topic has policies that ask for `upkeep` once a second. */
  needsUpkeep(topic: Topic): void;
  /** The topic has records to commit. */
  markTopic(topic: Topic): void;
  /** The topic had records since it was last looked at. */
  topicUsed(topic: Topic): void;
  segmentSealed(topic: Topic, segment: Segment): void;
  channelCreated(channel: Channel): void;
  channelDeleted(channel: Channel): void;
  topicEmptied(topic: Topic): void;
  topicDeleted(topic: Topic): void;
}

export class Topic implements ChannelTopic {
  readonly host: TopicHost;
  readonly name: string;
  readonly ephemeral: boolean;
  readonly number: number;
  readonly log: TopicLog;
  readonly channels = new Map<string, Channel>();
  paused = false;
  exiting = false;
  /** Set while channels known to lookupd are still being created: nothing is released. */
  settingUp = false;

  /** What was set of its policy; the broker changes it, see `Broker.setPolicy`. */
  settings: Settings = noSettings;
  /** What is in force. */
  policy: TopicPolicy;

  /** Messages published, those that an ephemeral topic dropped among them. */
  messageCount = 0;
  /** Bytes of their bodies. */
  messageBytes = 0;
  /** True while the topic is in the list of those with records to commit. */
  isMarked = false;
  /** True when records came since the last look of the housekeeping. */
  recentlyUsed = false;
  /** True when publishers are to be refused at a bound, see `refusal`. */
  isBounded = false;
  #findKey: KeyFinder | null;
  readonly #unreleased = new UnreleasedRecords();

  /** @param firstSeq the sequence number of the first message */
  constructor(host: TopicHost, name: string, number: number, firstSeq: number, ephemeral: boolean) {
    this.host = host;
    this.name = name;
    this.number = number;
    this.ephemeral = ephemeral;
    this.policy = host.policies.topicPolicy(name, noSettings);
    this.#findKey = keyFinder(this.policy.keyPlace);
    this.#readBound();
    this.log = new TopicLog(host, firstSeq, (segment) => host.segmentSealed(this, segment));
  }

  /** Unreleased records that will be deferred, in sequence order. */
  get deferred(): readonly DeferredRecord[] {
    return this.#unreleased.deferred;
  }

  /** Those of them from `seq` on. */
  deferredFrom(seq: number): Iterable<DeferredRecord> {
    return this.#unreleased.deferredFrom(seq);
  }

  /** Committed records that are not released: the topic's depth. */
  get pendingCount(): number {
    return this.log.pendingCount;
  }

  // ---- publishing ---------------------------------------------------------------------------

  /**
   * Appends one message.
   *
   * @param delayMs how long after its release it becomes deliverable; 0 for at once
   */
  publish(source: Buffer, bodyStart: number, bodyBytes: number, delayMs = 0): void {
    this.messageCount++;
    this.messageBytes += bodyBytes;
    if (this.ephemeral && this.#room() <= 0) return;
    const { log, host } = this, { time } = host, seq = log.endSeq;
    log.append(source, bodyStart, bodyBytes, time);
    if (delayMs > 0) this.#unreleased.defer({ seq, delayMs, publishedMs: host.nowMs });
    if (!this.isMarked) host.markTopic(this);
  }

  /**
   * Appends `count` messages laid out as in MPUB: int32 size and body, each.
   *
   * @param at offset of the first size; all sizes were checked
   */
  publishSized(source: Buffer, at: number, count: number): void {
    const taken = this.ephemeral ? Math.min(count, this.#room()) : count;
    const end = this.log.appendSized(source, at, taken);
    this.messageCount += count;
    this.messageBytes += end - at - 4 * taken;
    if (!this.isMarked) this.host.markTopic(this);
  }

  /** How many more messages an ephemeral topic takes: without a channel to go to they stay in it. */
  #room(): number {
    if (this.channels.size > 0 && !this.paused && !this.settingUp) return Infinity;
    const { endSeq, committedSeq, pendingCount } = this.log;
    return Math.max(0, this.host.memQueueSize - (endSeq - committedSeq + pendingCount));
  }

  // ---- commit and release -------------------------------------------------------------------

  /** Records below `seq` are safe: they may be released. */
  commitTo(seq: number): void {
    this.#commitTo(seq);
    this.release();
  }

  #commitTo(seq: number): void {
    this.log.commitTo(seq);
    if (this.recentlyUsed) return;
    this.recentlyUsed = true;
    this.host.topicUsed(this);
  }

  /** Forgets the records that could not be made safe. */
  rollBack(): void {
    this.#unreleased.rollBack(this.log.committedSeq);
    const { messageCount, bodyBytes } = this.log.rollBack();
    this.messageCount -= messageCount;
    this.messageBytes -= bodyBytes;
    this.release();
  }

  /** Lets the channels read what is committed, unless something is in the way. */
  release(): void {
    if (!this.paused && !this.settingUp && !this.exiting && this.channels.size > 0) this.#releaseCommitted();
  }

  #releaseCommitted(): void {
    const { log, host, channels } = this, { work } = host;
    if (log.committedSeq <= log.releasedSeq) return;
    const room = Math.ceil(Math.max(0, work.left) / channels.size);
    const count = log.releaseTo(this.#unreleased.firstDeferredBehind(room));
    for (const channel of channels.values()) channel.admit(log.releasedSeq, count, host.memQueueSize);
    work.left -= channels.size * this.#unreleased.release(log, channels, host.nowMs);
    log.unclaimReleased();
    // More deferred messages than a turn may move: the rest, and what is behind, is released in the next.
    if (log.releasedSeq < log.committedSeq) host.markReleasing(this);
  }

  /** Records [from, to) of a segment are damaged: they are given up. */
  lose(segment: Segment, from: number, to: number): void {
    const end = this.#releasedOf(segment, from, to);
    if (from < end) { for (const channel of this.channels.values()) giveUp(channel, segment, from, end); }
    if (end < to) this.#unreleased.lose(segment.firstSeq + end, segment.firstSeq + to);
  }

  /** Records [from, to) of a segment cannot be read now: they are deferred until `atMs`, monotonic. */
  deferUnreadable(segment: Segment, from: number, to: number, atMs: number): void {
    const end = this.#releasedOf(segment, from, to);
    if (from < end) {
      for (const channel of this.channels.values()) deferUnreadable(channel, segment, from, end, atMs);
    }
    if (end < to) this.#unreleased.refused(segment, end, to);
  }

  #releasedOf(segment: Segment, from: number, to: number): number {
    if (segment.seqs !== null) return to;
    return Math.max(from, Math.min(to, this.log.releasedSeq - segment.firstSeq));
  }

  // ---- take-over ----------------------------------------------------------------------------

  /** Appends a message that another program counted when it was published, with the time that it had then. */
  appendImported(source: Buffer, bodyStart: number, bodyBytes: number, time: Timestamp): void {
    this.log.append(source, bodyStart, bodyBytes, time);
    if (!this.isMarked) this.host.markTopic(this);
  }

  /**
   * Commits the records from `firstSeq` on and releases them to `channel` alone, also when the topic is paused: they
   * were past their topic. They were counted before.
   *
   * @param attempts how often each was delivered; one that never was waits, others are requeued
   */
  releaseImported(channel: Channel, firstSeq: number, attempts: readonly number[]): void {
    const { log } = this;
    this.#commitTo(log.endSeq);
    this.#releaseCommitted();
    for (const other of this.channels.values()) {
      other.messageCount -= attempts.length;
      if (other !== channel) other.finishWaiting(firstSeq, log.endSeq);
    }
    for (let i = attempts.length - 1; i >= 0; i--) {
      if (attempts[i] === 0) continue;
      const segment = log.segmentOf(firstSeq + i);
      channel.restore(segment, firstSeq + i - segment.firstSeq, attempts[i], null);
    }
  }

  // ---- restoring ----------------------------------------------------------------------------

  /** Adds a channel whose next message is `cursorSeq`; all before counts as finished. */
  restoreChannel(name: string, cursorSeq: number): Channel {
    const channel = this.#newChannel(name, false), { segment, index } = this.log.placeOf(cursorSeq);
    channel.position.start(segment, index);
    channel.waitingCount = this.log.countBetween(cursorSeq, this.log.releasedSeq);
    return channel;
  }

  /** Restores, from before a restart, that an unreleased record will be deferred. */
  restoreDeferred(deferred: DeferredRecord): void {
    this.#unreleased.defer(deferred);
  }

  // ---- operations ---------------------------------------------------------------------------

  /** The channel of that name, created at the released position when there is none. */
  channel(name: string, ephemeral: boolean): Channel {
    const existing = this.channels.get(name);
    if (existing !== undefined) return existing;
    const channel = this.#newChannel(name, ephemeral), { segment, index } = this.log.releasedAt();
    channel.position.start(segment, index);
    this.host.channelCreated(channel);
    this.release();
    return channel;
  }

  #newChannel(name: string, ephemeral: boolean): Channel {
    const channel = new Channel(this, name, ephemeral);
    this.channels.set(name, channel);
    this.#enforce(channel);
    return channel;
  }

  // ---- policy -------------------------------------------------------------------------------

  /** Puts in force what was set, here and in the channels. */
  setSettings(settings: Settings): void {
    this.settings = settings;
    this.policy = this.host.policies.topicPolicy(this.name, settings);
    this.#findKey = keyFinder(this.policy.keyPlace);
    this.#readBound();
    for (const channel of this.channels.values()) this.#enforce(channel);
  }

  /** Puts in force what was set of a channel. */
  setChannelSettings(channel: Channel, settings: Settings): void {
    channel.settings = settings;
    this.#enforce(channel);
  }

  #readBound(): void {
    const { overflow, maxDepth, maxBytes } = this.policy;
    this.isBounded = overflow === "reject" && (maxDepth > 0 || maxBytes > 0);
  }

  /**
   * Why `count` messages with `bodyBytes` in all cannot be taken: what is full, and how full. Null when they can.
   *
   * Only for topics that are bounded.
   */
  refusal(count: number, bodyBytes: number): string | null {
    const { maxDepth, maxBytes } = this.policy, { log } = this;
    const unreleased = log.pendingCount + (log.endSeq - log.committedSeq);
    const over = (what: string, depth: number, bytes: number): string | null => {
      const wouldBe = depth + unreleased + count;
      if (maxDepth > 0 && wouldBe > maxDepth) {
        return `${what} is full: ${
          depth + unreleased
        } messages, ${count} more would pass max_depth ${maxDepth}`;
      }
      if (maxBytes > 0 && bytes + bodyBytes > maxBytes) {
        return `${what} is full: ${
          Math.round(bytes)
        } bytes, ${bodyBytes} more would pass max_bytes ${maxBytes}`;
      }
      return null;
    };
    const heldBytes = maxBytes > 0 ? log.bytesFrom(log.releasedSeq) : 0;
    if (this.channels.size === 0) return over(`topic ${this.name}`, 0, heldBytes);
    for (const channel of this.channels.values()) {
      const bytes = maxBytes > 0 ? waitingBytes(channel) + heldBytes : 0;
      const refusal = over(`channel ${this.name}/${channel.name}`, channel.unfinishedCount, bytes);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  /** Once a second, where policies ask for it; false when they do not any more. */
  upkeep(): boolean {
    let isNeeded = false;
    for (const channel of this.channels.values()) {
      if (channel.policy.ttlMs === 0) continue;
      isNeeded = true;
      channel.expire();
    }
    return isNeeded && !this.exiting;
  }

  #enforce(channel: Channel): void {
    channel.setPolicy(
      this.host.policies.channelPolicy(this.name, channel.name, channel.settings, this.policy),
      this.#findKey,
    );
    if (channel.policy.ttlMs > 0) this.host.needsUpkeep(this);
  }

  deleteChannel(name: string): boolean {
    const channel = this.channels.get(name);
    if (channel === undefined) return false;
    this.channels.delete(name);
    channel.end();
    this.host.channelDeleted(channel);
    if (this.ephemeral && this.channels.size === 0 && !this.exiting) this.delete();
    return true;
  }

  setPaused(paused: boolean): void {
    this.paused = paused;
    this.release();
    this.host.pauseChanged();
  }

  /** Drops the messages that no channel has been given yet, but not those whose group is undecided. */
  empty(): void {
    const { log } = this, from = log.releasedSeq;
    log.releaseTo(log.committedSeq);
    this.#unreleased.dropBefore(log.releasedSeq);
    for (const channel of this.channels.values()) channel.finishUnreleased(from, log.releasedSeq);
    log.unclaimReleased();
    this.host.topicEmptied(this);
  }

  /** Deletes the topic with its channels and messages. */
  delete(): void {
    this.exiting = true;
    for (const name of [...this.channels.keys()]) this.deleteChannel(name);
    this.log.end();
    this.host.topicDeleted(this);
  }

  /** @throws Error when the log, its claims or a channel contradict themselves */
  invariants(): void {
    try {
      this.log.invariants();
      for (const channel of this.channels.values()) checkChannel(channel);
    } catch (cause) {
      throw new Error(`TOPIC(${this.name}): ${(cause as Error).message}`, { cause });
    }
  }
}

/** Bytes of `count` bodies laid out as in MPUB, from offset `at`. */
export function sizedBytes({ view }: Buffer, at: number, count: number): number {
  let bytes = 0;
  for (let i = 0; i < count; i++) {
    const size = view.getInt32(at);
    bytes += size;
    at += 4 + size;
  }
  return bytes;
}

function checkChannel(channel: Channel): void {
  try {
    channel.invariants();
  } catch (cause) {
    throw new Error(`CHANNEL(${channel.name}): ${(cause as Error).message}`, { cause });
  }
}
