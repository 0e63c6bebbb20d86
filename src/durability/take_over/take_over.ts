/**
 * Takes over the messages that Go nsqd left in the data path.
 *
 * A topic's queue goes to the topic, a channel's queue to that channel only. Batches go to the log one by one, each
 * with whose it is, and how far each queue came is recorded once they are on the disk: a start that is killed goes
 * on there, and at worst the last batch comes twice. When all is in the log and on the disk, the old files are
 * moved to a dated folder; only then are the places forgotten.
 */
import type { Clock } from "../../clock/clock.ts";
import type { Logger } from "../../log/logger.ts";
import { isEphemeral, isValidName } from "../../protocol/names.ts";
import {
  dataFileName,
  type DiskQueue,
  type DiskQueueBatch,
  DiskQueueFile,
  type DiskQueueRecord,
  findDiskQueues,
  missingFiles,
} from "./disk_queue.ts";
import type { FileSystem } from "../../storage/file_system.ts";
import type { StateWriter } from "../../storage/state/state_records.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import type { ImportLog } from "./import_log.ts";
import type { Topic } from "../../broker/topic.ts";

export interface TakeOverSteps {
  /** Bytes of records that go to the log together. */
  batchBytes: number;
  /** How often the log tells how far it is, ms. */
  progressMs: number;
}

const STEPS: TakeOverSteps = { batchBytes: 4 << 20, progressMs: 2000 };

interface TakeOver {
  broker: Broker;
  log: ImportLog;
  fileSystem: FileSystem;
  directory: string;
  clock: Clock;
  logger: Logger;
  steps: TakeOverSteps;
  messages: number;
  bytes: number;
  damagedBytes: number;
  reportedAtMs: number;
}

/** Does nothing when there are no queues of Go nsqd. @throws when the disk refuses */
export async function takeOver(
  broker: Broker,
  log: ImportLog,
  fileSystem: FileSystem,
  directory: string,
  clock: Clock,
  logger: Logger,
  steps: TakeOverSteps = STEPS,
): Promise<void> {
  const queues = findDiskQueues(fileSystem, directory);
  // The start before may have been killed when it had moved the last file.
  if (queues.length === 0) return log.forget();
  logger.info(`TAKE-OVER: ${queues.length} queues of the original nsqd in ${directory}`);
  const run: TakeOver = {
    broker,
    log,
    fileSystem,
    directory,
    clock,
    logger,
    steps,
    messages: 0,
    bytes: 0,
    damagedBytes: 0,
    reportedAtMs: clock.monotonicMs(),
  };
  for (const queue of queues) {
    if (isDurableName(queue.topic) && (queue.channel === null || isDurableName(queue.channel))) {
      await takeQueue(run, queue);
    } else logger.warn(`TAKE-OVER: ${queue.name} is no valid name; its files are only moved aside`);
  }
  await log.finish();
  const folder = await moveAside(run, queues);
  log.forget();
  const damage = run.damagedBytes > 0 ? `, ${run.damagedBytes} bytes were damaged and left out` : "";
  logger.info(
    `TAKE-OVER: done, ${run.messages} messages, ${run.bytes} bytes${damage}; the old files are in ${folder}`,
  );
}

/** Go nsqd has no disk queues for what is ephemeral, where messages would be dropped. */
function isDurableName(name: string): boolean {
  return isValidName(name) && !isEphemeral(name);
}

async function takeQueue(run: TakeOver, queue: DiskQueue): Promise<void> {
  warnOfQueue(run, queue);
  const before = placeBefore(run, queue), messagesBefore = run.messages;
  for (const number of queue.fileNumbers) {
    let at = number === queue.fileNumbers[0] ? queue.readPosition : 0;
    if (before !== undefined && number < before.fileNumber) continue;
    if (before !== undefined && number === before.fileNumber) at = Math.max(at, before.position);
    const path = `${run.directory}/${dataFileName(queue.name, number)}`;
    const file = new DiskQueueFile(run.fileSystem, path);
    try {
      warnOfFile(run, queue, number, path, file.sizeBytes);
      while (at < file.sizeBytes) {
        const batch = file.readBatch(at, run.steps.batchBytes);
        takeBatch(run, queue, batch, path);
        await groupDecided(run.broker);
        await run.log.note(queue.name, { fileNumber: number, position: batch.end });
        at = batch.end;
        report(run, path, at, file.sizeBytes);
      }
    } finally {
      file.close();
    }
  }
  const found = run.messages - messagesBefore, depth = queue.meta?.depth ?? 0;
  if (before === undefined && found < depth) {
    run.logger.warn(`TAKE-OVER: ${queue.name} has ${found} messages, its meta file counts ${depth}`);
  }
}

/**
 * Where the start before came to. Should Go nsqd have run since, and begun its files anew, that place says
 * nothing of them: better some messages twice than one not at all.
 */
function placeBefore(run: TakeOver, queue: DiskQueue): { fileNumber: number; position: number } | undefined {
  const before = run.log.placeOf(queue.name), { fileNumbers } = queue;
  if (before === undefined || fileNumbers.length === 0) return before;
  const { fileNumber, position } = before, name = dataFileName(queue.name, fileNumber);
  let isSame = fileNumber <= fileNumbers[fileNumbers.length - 1];
  if (isSame && fileNumbers.includes(fileNumber)) {
    const file = new DiskQueueFile(run.fileSystem, `${run.directory}/${name}`);
    isSame = file.sizeBytes >= position;
    file.close();
  }
  if (isSame) return before;
  run.logger.warn(
    `TAKE-OVER: ${queue.name} was taken over to ${position} of ${name}; its files are new since`,
  );
  return undefined;
}

function warnOfQueue(run: TakeOver, queue: DiskQueue): void {
  const { name, isMetaSound, badFiles } = queue, { logger } = run;
  if (!isMetaSound) {
    logger.warn(`TAKE-OVER: the meta file of ${name} is damaged; all in its files counts as unread`);
  }
  for (const file of badFiles) {
    logger.warn(`TAKE-OVER: ${file} was put away as damaged by the original; it is only moved aside`);
  }
  for (const { from, to } of missingFiles(queue)) {
    const last = from === to ? "" : ` to ${dataFileName(name, to)}`;
    logger.warn(`TAKE-OVER: ${dataFileName(name, from)}${last} should be there and is not`);
  }
}

/** The rest of a record that was cut off shows as damage; whole records that are missing show only here. */
function warnOfFile(run: TakeOver, queue: DiskQueue, number: number, path: string, sizeBytes: number): void {
  const { meta } = queue;
  if (meta === null) return;
  const readTo = number === meta.readFile ? meta.readPosition : 0;
  const writtenTo = number === meta.writeFile ? meta.writePosition : 0;
  if (sizeBytes >= Math.max(readTo, writtenTo)) return;
  run.logger.warn(
    `TAKE-OVER: ${path} has ${sizeBytes} bytes, its meta file says it was read to ${readTo} and written to ${writtenTo}`,
  );
}

/** The topic is in the group of this turn, which a later batch must not meet half decided. */
async function groupDecided(broker: Broker): Promise<void> {
  const decided = broker.committer.wait();
  broker.beginTurn();
  await decided;
}

function takeBatch(run: TakeOver, queue: DiskQueue, batch: DiskQueueBatch, path: string): void {
  for (const { from, to } of batch.damaged) {
    run.damagedBytes += to - from;
    run.logger.warn(`TAKE-OVER: ${to - from} bytes at ${from} of ${path} are damaged and are left out`);
  }
  if (batch.records.length === 0) return;
  // Not before: a queue without messages is no reason for a topic that nsqd.dat does not name.
  const topic = run.broker.topic(queue.topic, false);
  const channel = queue.channel === null ? null : topic.channel(queue.channel, false);
  const firstSeq = topic.log.endSeq;
  append(run, topic, batch);
  run.log.write(topic, (into) => {
    if (channel !== null) tell(run.log, topic, channel, firstSeq, batch.records, into);
  });
  if (channel === null) topic.commitTo(topic.log.endSeq);
  else topic.releaseImported(channel, firstSeq, batch.records.map(({ attempts }) => attempts));
}

/** Appends the records to the topic's log, with the timestamps they had. They were counted when they were published. */
function append(run: TakeOver, topic: Topic, batch: DiskQueueBatch): void {
  for (const { timestampHigh: high, timestampLow: low, bodyStart, bodyBytes } of batch.records) {
    topic.appendImported(batch.source, bodyStart, bodyBytes, { high, low });
    run.bytes += bodyBytes;
  }
  run.messages += batch.records.length;
}

/** Adds what makes the records from `firstSeq` on those of `channel` alone, after a crash too. */
function tell(
  log: ImportLog,
  topic: Topic,
  channel: Channel,
  firstSeq: number,
  records: readonly DiskQueueRecord[],
  into: StateWriter,
): void {
  const { name, channels } = topic, { endSeq, releasedSeq } = topic.log;
  // Should the crash take the records and leave this, their sequence numbers must not be given to others.
  into.add({ type: "topic", topic: topic.number, name, endSeq, releasedSeq });
  into.add({ type: "topic position", topic: topic.number, releasedSeq: endSeq });
  for (const other of channels.values()) {
    if (other === channel || !other.durable) continue;
    into.add({ type: "done ahead", channel: log.numberOf(other), from: firstSeq, to: endSeq });
  }
  const number = log.numberOf(channel);
  records.forEach(({ attempts }, i) => {
    if (attempts > 0) into.add({ type: "tracked", channel: number, seq: firstSeq + i, attempts, dueMs: 0 });
  });
}

function report(run: TakeOver, path: string, at: number, sizeBytes: number): void {
  if (run.clock.monotonicMs() - run.reportedAtMs < run.steps.progressMs) return;
  run.reportedAtMs = run.clock.monotonicMs();
  run.logger.info(
    `TAKE-OVER: ${run.messages} messages, ${run.bytes} bytes so far; at ${at} of ${sizeBytes} in ${path}`,
  );
}

/** Moves the files of all queues to a folder of their own. */
async function moveAside(run: TakeOver, queues: DiskQueue[]): Promise<string> {
  const { fileSystem, directory } = run;
  const date = new Date(run.clock.nowMs()).toISOString();
  const stamp = date.replace(/[-:]/g, "").replace(/\..*/, "").replace("T", "-");
  let folder = `${directory}/taken-over-${stamp}`;
  while (fileSystem.exists(folder)) folder += "x";
  fileSystem.makeDirectory(folder);
  for (const queue of queues) {
    for (const file of queue.files) fileSystem.rename(`${directory}/${file}`, `${folder}/${file}`);
  }
  await fileSystem.syncDirectory(folder);
  await fileSystem.syncDirectory(directory);
  return folder;
}
