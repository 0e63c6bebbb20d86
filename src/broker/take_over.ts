/**
 * Takes over the messages that the original nsqd left in the data path.
 *
 * A topic's queue goes to the topic, a channel's queue to that channel only. How far each queue came is
 * recorded behind the messages in the log, so a start that is killed half-way goes on there; at worst the last batch
 * comes twice. When all is in the log and on the disk, the old files are moved to a dated folder.
 */
import type { Logger } from "../log/logger.ts";
import { isEphemeral, isValidName } from "../protocol/names.ts";
import { type Buffer, wrapBuffer } from "../buffers/buffer_pool.ts";
import {
  dataFileName,
  type DiskQueue,
  type DiskQueueRecord,
  findDiskQueues,
  findNextRecord,
  readDiskQueueRecord,
} from "../storage/disk_queue.ts";
import { type FileSystem, readWhole } from "../storage/file_system.ts";
import type { Broker } from "./broker.ts";
import type { Channel } from "./channel.ts";
import type { Persistence } from "./persistence.ts";
import type { Topic } from "./topic.ts";

/** Bytes of records that go to the log together. */
const BATCH_BYTES = 4 << 20;
const PROGRESS_MS = 2000;

interface TakeOver {
  broker: Broker;
  persistence: Persistence;
  fileSystem: FileSystem;
  directory: string;
  logger: Logger;
  messages: number;
  bytes: number;
  damagedBytes: number;
  reportedAtMs: number;
}

/** Does nothing when there are no queues of the original. @throws when the disk refuses */
export async function takeOver(
  broker: Broker,
  persistence: Persistence,
  fileSystem: FileSystem,
  directory: string,
  logger: Logger,
): Promise<void> {
  const queues = findDiskQueues(fileSystem, directory);
  if (queues.length === 0) return;
  logger.info(`TAKE-OVER: ${queues.length} queues of the original nsqd in ${directory}`);
  const run: TakeOver = {
    broker,
    persistence,
    fileSystem,
    directory,
    logger,
    messages: 0,
    bytes: 0,
    damagedBytes: 0,
    reportedAtMs: performance.now(),
  };
  for (const queue of queues) {
    if (isValidName(queue.topic) && (queue.channel === null || isValidName(queue.channel))) {
      await takeQueue(run, queue);
    } else logger.warn(`TAKE-OVER: ${queue.name} is no valid name; its files are only moved aside`);
  }
  persistence.forgetImported();
  await persistence.sync();
  const folder = moveAside(run, queues);
  const damage = run.damagedBytes > 0 ? `, ${run.damagedBytes} bytes were damaged and left out` : "";
  logger.info(
    `TAKE-OVER: done, ${run.messages} messages, ${run.bytes} bytes${damage}; the old files are in ${folder}`,
  );
}

async function takeQueue(run: TakeOver, queue: DiskQueue): Promise<void> {
  const topic = run.broker.topic(queue.topic, isEphemeral(queue.topic));
  const channel = queue.channel === null ? null : topic.channel(queue.channel, isEphemeral(queue.channel));
  const before = run.persistence.imported(queue.name);
  for (const number of queue.fileNumbers) {
    let at = number === queue.fileNumbers[0] ? queue.readPosition : 0;
    if (before !== undefined && number < before.fileNumber) continue;
    if (before !== undefined && number === before.fileNumber) at = Math.max(at, before.position);
    const bytes = readWhole(run.fileSystem, `${run.directory}/${dataFileName(queue.name, number)}`);
    const source = wrapBuffer(bytes);
    while (at < bytes.length) {
      const batch = readBatch(run, queue, number, source, at);
      if (batch.records.length > 0) append(run, topic, channel, source, batch.records);
      run.persistence.noteImported(queue.name, number, batch.end);
      at = batch.end;
      report(run, queue);
      // Reading segments back and signals get their turn.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

function readBatch(run: TakeOver, queue: DiskQueue, number: number, source: Buffer, from: number) {
  const { bytes, view } = source, records: DiskQueueRecord[] = [];
  let at = from;
  while (at < bytes.length && at - from < BATCH_BYTES) {
    const record = readDiskQueueRecord(bytes, view, at);
    if (record !== null) {
      records.push(record);
      at = record.end;
      continue;
    }
    const next = findNextRecord(bytes, view, at + 1);
    run.damagedBytes += next - at;
    run.logger.warn(
      `TAKE-OVER: ${next - at} bytes at ${at} of ${
        dataFileName(queue.name, number)
      } are damaged and are left out`,
    );
    at = next;
  }
  return { records, end: at };
}

/** Appends a batch to the topic's log and gives it to the channel alone, or to all when that is null. */
function append(
  run: TakeOver,
  topic: Topic,
  channel: Channel | null,
  source: Buffer,
  records: DiskQueueRecord[],
): void {
  const { broker, persistence } = run, firstSeq = topic.endSeq, wasPaused = topic.paused;
  broker.beginTurn();
  for (const record of records) {
    broker.time.high = record.timestampHigh;
    broker.time.low = record.timestampLow;
    topic.publish(source, record.bodyStart, record.bodyBytes);
    run.bytes += record.bodyBytes;
  }
  run.messages += records.length;
  // What lay in a channel's queue was past the topic, so a pause of the topic does not hold it.
  if (channel !== null) topic.paused = false;
  persistence.writeThrough(topic);
  broker.endTurn();
  topic.paused = wasPaused;
  if (channel !== null) giveTo(topic, channel, firstSeq, records);
}

function giveTo(topic: Topic, channel: Channel, firstSeq: number, records: DiskQueueRecord[]): void {
  for (const other of topic.channels.values()) {
    if (other === channel) continue;
    const left = other.finishAhead(firstSeq, topic.endSeq);
    other.waitingCount -= left;
    other.messageCount -= left;
  }
  let segment = topic.last;
  for (let i = records.length - 1; i >= 0; i--) {
    if (records[i].attempts === 0) continue;
    while (segment !== null && segment.firstSeq > firstSeq + i) segment = segment.prev;
    if (segment !== null) channel.restore(segment, firstSeq + i - segment.firstSeq, records[i].attempts, 0);
  }
}

function report(run: TakeOver, queue: DiskQueue): void {
  if (performance.now() - run.reportedAtMs < PROGRESS_MS) return;
  run.reportedAtMs = performance.now();
  run.logger.info(`TAKE-OVER: ${run.messages} messages, ${run.bytes} bytes so far, in ${queue.name}`);
}

/** Moves the files of all queues to a folder of their own. */
function moveAside(run: TakeOver, queues: DiskQueue[]): string {
  const stamp = new Date().toISOString().replace(/[-:]/g, "").replace(/\..*/, "").replace("T", "-");
  let folder = `${run.directory}/taken-over-${stamp}`;
  while (run.fileSystem.exists(folder)) folder += "x";
  run.fileSystem.makeDirectory(folder);
  for (const queue of queues) {
    for (const file of queue.files) run.fileSystem.rename(`${run.directory}/${file}`, `${folder}/${file}`);
  }
  run.fileSystem.syncDirectory(run.directory);
  return folder;
}
