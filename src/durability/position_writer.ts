/**
 * What the log is told of topics and channels: creation and deletion with the group they happen in, because where
 * a channel starts decides what it gets; positions lazily, at the latest every `--sync-timeout`.
 *
 * Records are staged here and go out with the next group. What a write that failed did not take stays staged.
 */
import type { SteadyTime } from "../clock/steady_time.ts";
import type { Broker } from "../broker/broker.ts";
import type { Channel, ChannelTopic } from "../broker/channel.ts";
import { FULL_JOURNAL } from "../broker/channel/journal.ts";
import type { Topic } from "../broker/topic.ts";
import type { CommitLog } from "../storage/commit_log.ts";
import { StateWriter } from "../storage/state/state_records.ts";
import { settingsText, snapshotWritten, writeChanges, writeMessages } from "./positions.ts";
import type { TrackedBases } from "./tracked_bases.ts";

export class PositionWriter {
  /** Records that go out with the next group. */
  readonly staged = new StateWriter();
  /** Called when something that `nsqd.dat` holds changed; `now` when it must be there before the answer. */
  onMetadataChange: (now: boolean) => void = () => {};

  readonly #log: CommitLog;
  readonly #bases: TrackedBases;
  readonly #steady: SteadyTime;
  readonly #dirtyChannels = new Set<Channel>();
  /** Those that have so many messages to tell of that they do not wait for the next flush. */
  readonly #fullChannels = new Set<Channel>();
  readonly #channelNumbers = new Map<Channel, number>();
  #nextChannelNumber = 1;
  #broker: Broker | null = null;

  constructor(log: CommitLog, bases: TrackedBases, steady: SteadyTime) {
    this.#log = log;
    this.#bases = bases;
    this.#steady = steady;
  }

  /** What is staged from here on asks `broker` for a turn to go out in. */
  begin(broker: Broker): void {
    this.#broker = broker;
  }

  // ---- channels and their numbers -----------------------------------------------------------

  /** The number of a durable channel in the log. */
  numberOf(channel: Channel): number {
    return this.#channelNumbers.get(channel)!;
  }

  /** Gives a channel its number in the log; a restored one keeps its own, or a torn snapshot would mix them up. */
  register(channel: Channel, number = this.#nextChannelNumber): number {
    this.#nextChannelNumber = Math.max(this.#nextChannelNumber, number + 1);
    this.#channelNumbers.set(channel, number);
    return number;
  }

  // ---- positions ----------------------------------------------------------------------------

  changed(channel: Channel): void {
    this.#dirtyChannels.add(channel);
  }

  /** The channel has many messages to tell of: they go out with the next groups, a bounded number with each. */
  journalFull(channel: Channel): void {
    this.#fullChannels.add(channel);
    this.#askForGroup();
  }

  /** Stages messages of the channels that have many to tell of. */
  stageMany(): void {
    for (const channel of this.#fullChannels) {
      const number = this.#channelNumbers.get(channel), { journal } = channel;
      if (number !== undefined && !channel.exiting) {
        writeMessages(channel, number, this.staged, this.#steady, this.#bases, 2 * FULL_JOURNAL);
        if (journal.size > FULL_JOURNAL) continue;
      }
      this.#fullChannels.delete(channel);
    }
    if (this.#fullChannels.size > 0) this.#askForGroup();
  }

  #askForGroup(): void {
    this.#broker?.committer.requestCommit();
    this.#broker?.beginTurn();
  }

  /** Writes all changed positions as a group of its own. @throws when the disk refuses */
  flush(): void {
    this.noteClock();
    if (this.#dirtyChannels.size === 0 && this.staged.count === 0) return;
    // A start on a clock that was set back knows by this how late it is at least.
    this.stageClock(this.staged);
    for (const channel of this.#dirtyChannels) {
      const number = this.#channelNumbers.get(channel);
      if (number === undefined || channel.exiting) continue;
      writeChanges(channel, number, this.staged, this.#steady, this.#bases);
      this.stageReleased(channel.topic);
    }
    this.#dirtyChannels.clear();
    this.writeStaged();
  }

  /** Tells the log when the wall clock was set since the last call. */
  noteClock(): void {
    if (this.#steady.check()) this.stageClock(this.staged);
  }

  stageClock(into: StateWriter): void {
    into.add({ type: "clock", steadyMs: this.#steady.nowMs(), aheadMs: this.#steady.aheadMs });
  }

  /** Writes what is staged as a group of its own. @throws when the disk refuses; it stays staged then */
  writeStaged(): void {
    this.#log.appendState(this.staged);
    this.#log.commit();
    this.staged.clear();
  }

  /** All there is to tell is in a snapshot that was written. */
  snapshotWritten(): void {
    for (const channel of this.#channelNumbers.keys()) {
      if (channel.journal.isBehind) snapshotWritten(channel);
    }
    this.#dirtyChannels.clear();
    this.staged.clear();
  }

  stageReleased(topic: ChannelTopic): void {
    this.staged.add({ type: "topic position", topic: topic.number, releasedSeq: topic.log.releasedSeq });
  }

  // ---- topics and channels ------------------------------------------------------------------

  topicCreated({ number: topic, name, log: { endSeq, releasedSeq } }: Topic): void {
    this.staged.add({ type: "topic", topic, name, endSeq, releasedSeq });
    this.#hasStaged(false);
  }

  topicDeleted(topic: Topic): void {
    this.staged.add({ type: "topic deleted", topic: topic.number });
    this.#hasStaged(true);
  }

  topicEmptied(topic: Topic): void {
    this.stageReleased(topic);
    // With the positions, or a crash soon after would bring back what was emptied.
    for (const channel of topic.channels.values()) {
      const number = this.#channelNumbers.get(channel);
      if (number !== undefined) writeChanges(channel, number, this.staged, this.#steady, this.#bases);
      this.#dirtyChannels.delete(channel);
    }
    this.#hasStaged(false);
  }

  channelCreated(channel: Channel): void {
    const number = this.register(channel), { topic, name } = channel;
    const startSeq = topic.log.releasedSeq;
    this.staged.add({ type: "channel", channel: number, topic: topic.number, name, startSeq });
    this.#hasStaged(false);
  }

  channelDeleted(channel: Channel): void {
    const number = this.#channelNumbers.get(channel);
    if (number === undefined) return;
    this.#channelNumbers.delete(channel);
    this.#dirtyChannels.delete(channel);
    this.#bases.drop(channel);
    this.staged.add({ type: "channel deleted", channel: number });
    this.stageReleased(channel.topic);
    // With its topic all of them go at once.
    this.#hasStaged(!channel.topic.exiting);
  }

  topicPolicyChanged(topic: Topic): void {
    this.staged.add({ type: "topic policy", topic: topic.number, settings: settingsText(topic) });
    this.#hasStaged(false);
  }

  channelPolicyChanged(channel: Channel): void {
    const number = this.#channelNumbers.get(channel)!;
    this.staged.add({ type: "channel policy", channel: number, settings: settingsText(channel) });
    this.#hasStaged(false);
  }

  /** The copy of a dead letter is in the group of this turn. */
  deadLetterMoved(channel: Channel, seq: number, { number: topic }: Topic, newSeq: number): void {
    const number = this.#channelNumbers.get(channel)!;
    // That it died has to be told before.
    if (channel.journal.deaths.length > 0) {
      writeChanges(channel, number, this.staged, this.#steady, this.#bases);
    }
    this.staged.add({ type: "dead moved", channel: number, seq, topic, newSeq });
  }

  channelEmptied(channel: Channel): void {
    const number = this.#channelNumbers.get(channel)!;
    this.#bases.drop(channel);
    this.staged.add({ type: "channel emptied", channel: number, cursorSeq: channel.topic.log.releasedSeq });
    this.#hasStaged(false);
  }

  /** The change goes out with the group of this turn, also when nothing is published in it. */
  #hasStaged(areNamesGone: boolean): void {
    // A name that only nsqd.dat knows is created at the next start, so it must not outlive a deletion.
    this.onMetadataChange(areNamesGone);
    this.#askForGroup();
  }
}
