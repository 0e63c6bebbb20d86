/**
 * The snapshot of a registration database as text: one JSON value on each line.
 *
 *     {"format":"nsqlookupd registrations","version":1}
 *     {"topic":"orders","channels":["billing"]}              keys, also those without producers
 *     {"id":"10.0.0.7:50512","info":{...},"last_update":ms,"topics":[["orders","billing"]],
 *      "tombstones":[["orders",ms]]}                         producers with topics and their channels
 *     {"lines":3,"crc32":1234}                               of the lines before, their ends included
 *
 * Ephemeral keys are held only as part of a producer: without one nobody would ever remove them.
 * A change of this format raises the version and keeps a reader for the old one.
 *
 * Tested in test/lookupd/snapshot_test.ts.
 */
import { crc32 } from "node:zlib";
import { isEphemeral, isValidName } from "../protocol/names.ts";
import type { Producer, ProducerInfo } from "./producer.ts";
import { type RegistrationDb } from "./registration_db.ts";
import { NOT_TOMBSTONED, type Topic } from "./producer.ts";

const FORMAT = "nsqlookupd registrations";
const VERSION = 1;

/** The text is not a snapshot, or not all of one. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
}

interface TopicLine {
  topic: string;
  channels: string[];
}

interface ProducerLine {
  id: string;
  info: ProducerInfo;
  last_update: number;
  topics: string[][];
  tombstones: [topic: string, tombstonedAtMs: number][];
}

/**
 * Yields the lines of a snapshot, each with its end. The caller may let the database change in
 * between: each line is true when it is taken, and a change asks for another snapshot anyway.
 */
export function* encodeSnapshot(db: RegistrationDb): Generator<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  let lines = 0;
  let checksum = 0;
  for (const value of snapshotValues(db)) {
    const line = encoder.encode(JSON.stringify(value) + "\n");
    lines++;
    checksum = crc32(line, checksum);
    yield line;
  }
  yield encoder.encode(JSON.stringify({ lines, crc32: checksum }) + "\n");
}

function* snapshotValues(db: RegistrationDb): Generator<unknown> {
  yield { format: FORMAT, version: VERSION };
  for (const topic of db.topics()) {
    if (topic.isRegistered && !isEphemeral(topic.name)) yield topicLine(topic);
  }
  for (const producer of db.producers) yield producerLine(producer);
}

function topicLine(topic: Topic): TopicLine {
  const channels = [...topic.channels.keys()].filter((channel) => !isEphemeral(channel));
  return { topic: topic.name, channels };
}

function producerLine(producer: Producer): ProducerLine {
  const topics: string[][] = [];
  const tombstones: [string, number][] = [];
  for (const topic of producer.topics) {
    const names = [topic.name];
    for (const [channel, producers] of topic.channels) if (producers.has(producer)) names.push(channel);
    topics.push(names);
    const tombstonedAtMs = topic.producers.get(producer) ?? NOT_TOMBSTONED;
    if (tombstonedAtMs !== NOT_TOMBSTONED) tombstones.push([topic.name, tombstonedAtMs]);
  }
  const { id, info, lastUpdateMs } = producer;
  return { id, info, last_update: lastUpdateMs, topics, tombstones };
}

/**
 * Fills the empty database from the bytes of a snapshot; producers that have been silent for longer
 * than the inactivity timeout are left out.
 *
 * @throws {SnapshotError} when they are not a complete snapshot of a known version; the database is
 * then as it was
 */
export function decodeSnapshot(bytes: Uint8Array, db: RegistrationDb): void {
  const lines = checkedLines(bytes);
  const topics: TopicLine[] = [];
  const producers: ProducerLine[] = [];
  for (const line of lines) {
    if (isTopicLine(line)) topics.push(line);
    else if (isProducerLine(line)) producers.push(line);
    else throw new SnapshotError(`line is neither a topic nor a producer: ${JSON.stringify(line)}`);
  }
  for (const { topic, channels } of topics) {
    db.createTopic(topic);
    for (const channel of channels) db.createChannel(topic, channel);
  }
  for (const line of producers) restoreProducer(db, line);
  db.expireRestored();
}

function restoreProducer(db: RegistrationDb, line: ProducerLine): void {
  // A clock that was set back must not keep a producer for longer than the timeout.
  const lastUpdateMs = Math.min(line.last_update, db.nowMs);
  const producer = db.restore(line.id, line.info, lastUpdateMs);
  for (const [topic, ...channels] of line.topics) {
    db.register(producer, topic, "");
    for (const channel of channels) db.register(producer, topic, channel);
  }
  for (const [topic, tombstonedAtMs] of line.tombstones) db.restoreTombstone(producer, topic, tombstonedAtMs);
}

/** Returns the values between the first and the last line. */
function checkedLines(bytes: Uint8Array): unknown[] {
  const lastLineAt = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  const end = parseLine(new TextDecoder().decode(bytes.subarray(lastLineAt)));
  const head = bytes.subarray(0, lastLineAt);
  if (!isRecord(end) || end.crc32 !== crc32(head)) {
    throw new SnapshotError(`checksum of ${bytes.length} bytes does not match`);
  }
  const lines = new TextDecoder().decode(head).split("\n").slice(0, -1).map(parseLine);
  const [first, ...rest] = lines;
  if (end.lines !== lines.length || !isRecord(first) || first.format !== FORMAT) {
    throw new SnapshotError(`not a snapshot of registrations`);
  }
  if (first.version !== VERSION) {
    throw new SnapshotError(`version of the snapshot is ${first.version}, version read is ${VERSION}`);
  }
  return rest;
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SnapshotError(`line is not JSON: ${text.slice(0, 80)}`, { cause: error });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTopicLine(value: unknown): value is TopicLine {
  return isRecord(value) && areNames([value.topic]) && areNames(value.channels);
}

function isProducerLine(value: unknown): value is ProducerLine {
  return isRecord(value) && typeof value.id === "string" && typeof value.last_update === "number" &&
    isInfo(value.info) && Array.isArray(value.topics) && value.topics.every(areNames) &&
    Array.isArray(value.tombstones) && value.tombstones.every(isTombstone);
}

function isTombstone(value: unknown): boolean {
  return Array.isArray(value) && areNames([value[0]]) && typeof value[1] === "number";
}

function isInfo(value: unknown): value is ProducerInfo {
  return isRecord(value) && Array.isArray(value.broadcastAddresses) &&
    [value.broadcastAddress, value.hostname, value.version, value.topologyZone, value.topologyRegion]
      .every((text) => typeof text === "string") &&
    typeof value.tcpPort === "number" && typeof value.httpPort === "number";
}

function areNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string" && isValidName(name));
}
