/**
 * What a connection publishes: PUB, MPUB and DPUB, from their checks to the topic.
 *
 * Most clients publish to one topic, so that of the last command is kept with its name as bytes: the next
 * command for it is one comparison and no lookup.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Topic } from "../../broker/topic.ts";
import type { Buffer } from "../../buffers/buffer_pool.ts";
import type { Parameters } from "../../protocol/command_reader.ts";
import { parseTimeoutMs, parseUint64 } from "../../protocol/decimal.ts";
import * as errors from "../../protocol/errors.ts";
import { isEphemeral, isValidNameBytes } from "../../protocol/names.ts";

const decoder = new TextDecoder();

/** What publishing needs of the host of a connection. */
export interface PublisherHost {
  readonly broker: Broker;
  readonly maxReqTimeoutMs: number;
}

export class Publisher {
  /** Messages published on this connection, by topic; null while there are none. */
  counts: Map<string, number> | null = null;
  /** The command that is at work, or was last. */
  command: errors.PublishCommand = "PUB";
  /** Where it publishes to; a valid name once `begin()` returned. */
  topicName = "";

  readonly #host: PublisherHost;
  #topic: Topic | null = null;
  #nameBytes: Uint8Array = new Uint8Array(0);
  #delayMs = 0;

  constructor(host: PublisherHost) {
    this.#host = host;
  }

  /** The line of a command is complete. @throws {ClientError} */
  begin(name: errors.PublishCommand, parameters: Parameters): void {
    if (parameters.count < (name === "DPUB" ? 2 : 1)) throw errors.tooFewParameters(name);
    const from = parameters.from(0), to = parameters.to(0);
    this.command = name;
    this.#delayMs = 0;
    if (!this.#isLastTopic(parameters.buffer, from, to)) {
      if (!isValidNameBytes(parameters.buffer, from, to)) throw errors.badTopic(name, parameters.bytes(0));
      this.#nameBytes = parameters.bytes(0).slice();
      this.topicName = decoder.decode(this.#nameBytes);
      this.#topic = null;
    }
    if (name === "DPUB") this.#delayMs = this.#deferral(parameters);
  }

  /** Creates the topic when there is none. */
  createTopic(): void {
    this.#topicToPublish();
  }

  #isLastTopic(buffer: Uint8Array, from: number, to: number): boolean {
    const last = this.#nameBytes;
    if (last.length !== to - from || from === to) return false;
    for (let i = 0; i < last.length; i++) if (last[i] !== buffer[from + i]) return false;
    return true;
  }

  #deferral(parameters: Parameters): number {
    const from = parameters.from(1), to = parameters.to(1);
    const delayMs = parseTimeoutMs(parameters.buffer, from, to), maxMs = this.#host.maxReqTimeoutMs;
    if (Number.isNaN(delayMs)) throw errors.unparsableTimeout("DPUB", parameters.bytes(1));
    if (delayMs < 0 || delayMs > maxMs) {
      throw errors.dpubTimeoutOutOfRange(parseUint64(parameters.buffer, from, to)!, maxMs);
    }
    return delayMs;
  }

  #topicToPublish(): Topic {
    let topic = this.#topic;
    if (topic === null || topic.exiting) {
      topic = this.#host.broker.topic(this.topicName, isEphemeral(this.topicName));
      this.#topic = topic;
    }
    return topic;
  }

  /** The body of PUB or DPUB; returns the topic, which the OK may have to wait for. */
  publish(source: Buffer, bodyStart: number, bodyBytes: number): Topic {
    const topic = this.#topicToPublish();
    topic.publish(source, bodyStart, bodyBytes, this.#delayMs);
    return this.#count(topic, 1);
  }

  /** The bodies of MPUB. */
  publishMany(source: Buffer, at: number, count: number): Topic {
    const topic = this.#topicToPublish();
    topic.publishSized(source, at, count);
    return this.#count(topic, count);
  }

  #count(topic: Topic, count: number): Topic {
    const counts = this.counts ??= new Map();
    counts.set(topic.name, (counts.get(topic.name) ?? 0) + count);
    return topic;
  }
}
