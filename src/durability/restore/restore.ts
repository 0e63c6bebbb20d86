/**
 * Builds topics and channels from what recovery read.
 *
 * All messages come back as evicted segments; they are read when a consumer wants them, so the broker serves
 * before its backlog is in memory.
 */
import { SeqSet } from "../../storage/state/seq_set.ts";
import type { SteadyTime } from "../../clock/steady_time.ts";
import type { Logger } from "../../log/logger.ts";
import { isEphemeral } from "../../protocol/names.ts";
import type { RecoveredBlock, Recovery } from "../../storage/recovery.ts";
import type { RecoveredChannel, RecoveredDead } from "../../storage/state/recovered_channel.ts";
import type { RecoveredTopic } from "../../storage/state/recovered_state.ts";
import { DEATH_REASONS } from "../../broker/channel/dead_letters.ts";
import type { Settings } from "../../policies/settings.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import type { Compaction } from "../backlog/compaction.ts";
import type { Metadata } from "../metadata.ts";
import type { SoundCheck } from "./copies.ts";
import { findDense, placeBlocks, type Places } from "./places.ts";
import type { PositionWriter } from "../position_writer.ts";
import { snapshotWritten } from "../positions.ts";
import type { TrackedBases } from "../tracked_bases.ts";
import type { Residency } from "../backlog/residency.ts";
import type { Topic } from "../../broker/topic.ts";

/** Who is told of what is restored. */
export interface RestoreTargets {
  residency: Residency;
  compaction: Compaction;
  positions: PositionWriter;
  bases: TrackedBases;
  steady: SteadyTime;
}

/** What restoring one topic needs. */
interface Restoring extends RestoreTargets {
  broker: Broker;
  logger: Logger;
  isSound: SoundCheck;
}

/** Restores topics, channels, positions and paused flags. Nothing may have been published yet. */
export function restore(
  broker: Broker,
  { state, blocks, isSound }: Recovery,
  metadata: Metadata,
  targets: RestoreTargets,
  logger: Logger,
): void {
  const restoring = { ...targets, broker, logger, isSound };
  targets.steady.resume(state.aheadMs, state.reachedMs);
  finishMoved(state, blocks);
  for (const recovered of state.topics.values()) {
    const isPaused = metadata.topic(recovered.name)?.paused ?? false;
    restoreTopic(restoring, recovered, blocks.get(recovered.number) ?? [], isPaused);
    // Their entries are many: they go as soon as they are not needed.
    blocks.delete(recovered.number);
  }
  restoreMetadata(broker, metadata);
}

/** Dead letters that were published elsewhere are finished if their copies are there: it went out in the same group. */
function finishMoved(state: Recovery["state"], blocks: Recovery["blocks"]): void {
  for (const { channel } of state.channels.values()) {
    for (const [seq, { copy }] of channel.dead) {
      if (copy === null) continue;
      const isThere = blocks.get(copy.topic)?.some(({ entry, seqs }) =>
        seqs === null
          ? entry.firstSeq <= copy.seq && copy.seq < entry.firstSeq + entry.count
          : seqs.includes(copy.seq)
      );
      if (isThere) channel.finish(seq);
    }
  }
}

/** Creates what only `nsqd.dat` knows, as that of Go nsqd does, and sets the paused flags. */
function restoreMetadata(broker: Broker, metadata: Metadata): void {
  for (const { name, paused, channels } of metadata.topics) {
    const topic = broker.topic(name, isEphemeral(name));
    topic.paused = paused;
    for (const entry of channels) topic.channel(entry.name, isEphemeral(entry.name)).paused = entry.paused;
    topic.release();
  }
}

function restoreTopic(
  restoring: Restoring,
  recovered: RecoveredTopic,
  blocks: RecoveredBlock[],
  isPaused: boolean,
): void {
  const { broker, residency, compaction, steady, logger } = restoring;
  const topic = broker.addTopic(
    recovered.name,
    recovered.number,
    recovered.releasedSeq,
    isEphemeral(recovered.name),
  );
  topic.paused = isPaused;
  if (recovered.settings !== "") topic.setSettings(readSettings(recovered.settings));
  const places = placeBlocks(topic, blocks, restoring.isSound);
  for (const segment of places.dense) residency.addEvicted(topic, segment);
  const { last } = topic.log, lastSeq = Math.max(recovered.endSeq, last?.endSeq ?? 0);
  // A tail that was in memory only may be lost; today in microseconds is past any id that was given out.
  const endSeq = Math.max(lastSeq, Math.floor(broker.wallMs() * 1000));
  broker.raiseFirstSeq(endSeq);
  const released = recovered.channels.size > 0 && !isPaused ? endSeq : releasedSeqOf(recovered);
  topic.log.restore(endSeq, released);
  for (const deferred of recovered.deferred) {
    // One of a group that failed, or of a file that is missing, has a delay and no record.
    if (deferred.seq >= released && findDense(places.dense, deferred.seq) !== null) {
      const { seq, delayMs, publishedMs } = deferred;
      topic.restoreDeferred({ seq, delayMs, publishedMs: steady.toMonotonic(publishedMs) });
    }
  }
  let missing = 0;
  for (const channel of recovered.channels.values()) {
    missing += restoreChannel(restoring, topic, channel, places);
  }
  if (missing > 0) {
    logger.warn(`TOPIC(${topic.name}): ${missing} unfinished messages are not in the log any more`);
  }
  topic.log.unclaimReleased();
  for (const sparse of places.sparse) {
    if (sparse.claims === 0) broker.segmentUnclaimed(sparse);
    else compaction.addSparse(topic, sparse);
  }
}

/** A channel that was created or emptied tells how far the topic was released, also when the topic does not. */
function releasedSeqOf(recovered: RecoveredTopic): number {
  let releasedSeq = recovered.releasedSeq;
  for (const { cursorSeq } of recovered.channels.values()) releasedSeq = Math.max(releasedSeq, cursorSeq);
  return releasedSeq;
}

/** @returns how many unfinished messages were not found */
function restoreChannel(
  { positions, bases, steady }: Restoring,
  topic: Topic,
  recovered: RecoveredChannel,
  places: Places,
): number {
  const channel = topic.restoreChannel(recovered.name, recovered.cursorSeq);
  positions.register(channel, recovered.number);
  let missing = 0;
  const restoreTracked = (seq: number, attempts: number, dueMs: number) => {
    const atMs = dueMs > 0 ? steady.toMonotonic(dueMs) : null;
    return restoreMessage(channel, places, seq, attempts, atMs);
  };
  const { tracked, baseList, finishedOfBase } = recovered, gone: number[] = [];
  for (let i = 0; i < (baseList?.count ?? 0); i++) {
    const seq = baseList!.seqs[i];
    if (tracked.has(seq) || finishedOfBase.has(seq)) continue;
    if (!restoreTracked(seq, baseList!.attempts[i], baseList!.dueMs[i])) gone.push(seq);
  }
  for (const [seq, { attempts, dueMs }] of tracked) {
    if (seq < topic.log.releasedSeq && !restoreTracked(seq, attempts, dueMs)) missing++;
  }
  missing += gone.length;
  // So far the log told of all of it.
  snapshotWritten(channel);
  if (recovered.placedBase.length > 0) {
    bases.restore(channel, recovered.placedBase, new SeqSet([...tracked.keys(), ...finishedOfBase, ...gone]));
  }
  for (const run of recovered.runs) {
    for (let seq = run.from; seq < run.from + run.count; seq++) {
      if (!restoreMessage(channel, places, seq, 1, null)) missing++;
    }
  }
  for (const [seq, letter] of recovered.dead) {
    if (!restoreDead(channel, places, seq, letter)) missing++;
  }
  if (recovered.settings !== "") topic.setChannelSettings(channel, readSettings(recovered.settings));
  for (const { from, to } of merged(recovered.doneAhead)) {
    // The log may have a gap, in which a cursor rests inside of a range that it passed.
    channel.finishWaiting(Math.max(from, recovered.cursorSeq), to);
  }
  return missing;
}

/** The ranges in order, those that meet as one: each costs a walk over segments. */
function merged(ranges: readonly { from: number; to: number }[]): { from: number; to: number }[] {
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = result[result.length - 1];
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}

/** What was set of a policy, as the log has it. */
function readSettings(text: string): Settings {
  return new Map(Object.entries(JSON.parse(text)));
}

/** @returns whether its record was found */
function restoreDead(channel: Channel, places: Places, seq: number, letter: RecoveredDead): boolean {
  const { attempts, diedMs, consumer } = letter, reason = DEATH_REASONS[letter.reason];
  const dense = findDense(places.dense, seq), sparse = dense === null ? places.bySeq.get(seq) : undefined;
  if (dense === null && sparse === undefined) return false;
  const segment = dense ?? sparse!.segment, index = dense === null ? sparse!.index : seq - dense.firstSeq;
  channel.restoreDead({ seq, segment, index, attempts, reason, diedMs, consumer });
  return true;
}

function restoreMessage(
  channel: Channel,
  places: Places,
  seq: number,
  attempts: number,
  atMs: number | null,
): boolean {
  const dense = findDense(places.dense, seq), sparse = places.bySeq.get(seq);
  // A record that compaction gathered stays where it is, unless the channel comes to its old place yet.
  if (sparse !== undefined && (dense === null || !channel.position.isAhead(dense, seq - dense.firstSeq))) {
    channel.restore(sparse.segment, sparse.index, attempts, atMs);
    return true;
  }
  if (dense === null) return false;
  channel.restore(dense, seq - dense.firstSeq, attempts, atMs);
  return true;
}
