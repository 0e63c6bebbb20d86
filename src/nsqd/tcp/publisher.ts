/**
 * What a connection publishes: PUB, MPUB and DPUB, from their checks to the topic, and the OK or error to each.
 *
 * Most clients publish to one topic, so that of the last command is kept with its name as bytes: the next
 * command for it is one comparison and no lookup.
 *
 * Tested in test/wire/parameters_test.ts and test/wire/delivery_test.ts.
 */
import type { GroupListener } from "../../broker/committer.ts";
import { sizedBytes, type Topic } from "../../broker/topic.ts";
import { type Buffer, wrapBuffer } from "../../buffers/buffer_pool.ts";
import type { Parameters } from "../../protocol/command.ts";
import { parseTimeoutMs, parseUint64 } from "../../protocol/decimal.ts";
import * as errors from "../../protocol/errors.ts";
import { isEphemeral, isValidNameBytes } from "../../protocol/names.ts";
import type { Client } from "./client.ts";

const decoder = new TextDecoder();

export class Publisher implements GroupListener {
  /** Messages published on this connection, by topic; null while there are none. */
  counts: Map<string, number> | null = null;
  /** The command that is at work, or was last. */
  command: errors.PublishCommand = "PUB";
  /** Where it publishes to; a valid name once `begin()` returned. */
  topicName = "";

  readonly #client: Client;
  #topic: Topic | null = null;
  #nameBytes: Uint8Array = new Uint8Array(0);
  #delayMs = 0;

  constructor(client: Client) {
    this.#client = client;
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
    // An MPUB is checked, and creates its topic, before its body is there; the others after.
    if (name !== "MPUB") return;
    const { auth } = this.#client;
    if (auth === null || auth.permits(name, this.topicName, "")) this.#topicToPublish();
    else auth.renew(name, this.topicName, "", () => void this.#topicToPublish());
  }

  #isLastTopic(buffer: Uint8Array, from: number, to: number): boolean {
    const last = this.#nameBytes;
    if (last.length !== to - from || from === to) return false;
    for (let i = 0; i < last.length; i++) if (last[i] !== buffer[from + i]) return false;
    return true;
  }

  #deferral(parameters: Parameters): number {
    const from = parameters.from(1), to = parameters.to(1);
    const delayMs = parseTimeoutMs(parameters.buffer, from, to),
      maxMs = this.#client.host.options.maxReqTimeout;
    if (Number.isNaN(delayMs)) throw errors.unparsableTimeout("DPUB", parameters.bytes(1));
    if (delayMs < 0 || delayMs > maxMs) {
      throw errors.dpubTimeoutOutOfRange(parseUint64(parameters.buffer, from, to)!, maxMs);
    }
    return delayMs;
  }

  #topicToPublish(): Topic {
    let topic = this.#topic;
    if (topic === null || topic.exiting) {
      topic = this.#client.host.broker.topic(this.topicName, isEphemeral(this.topicName));
      this.#topic = topic;
    }
    return topic;
  }

  /** @throws {ClientError} when a bound of the topic's policy would be passed */
  #checkRoom(topic: Topic, count: number, bodyBytes: number): void {
    const refusal = topic.refusal(count, bodyBytes);
    if (refusal !== null) throw errors.publishRefused(this.command, refusal);
  }

  /** The body of PUB or DPUB. @throws {ClientError} */
  publish(source: Buffer, bodyStart: number, bodyBytes: number): void {
    const { auth } = this.#client;
    if (auth !== null && !auth.permits(this.command, this.topicName, "")) {
      // The auth server must tell first; the body is then published from a copy.
      const kept = wrapBuffer(source.bytes.slice(bodyStart, bodyStart + bodyBytes));
      return auth.renew(this.command, this.topicName, "", () => this.#publish(kept, 0, bodyBytes));
    }
    this.#publish(source, bodyStart, bodyBytes);
  }

  #publish(source: Buffer, bodyStart: number, bodyBytes: number): void {
    const topic = this.#topicToPublish();
    if (topic.isBounded) this.#checkRoom(topic, 1, bodyBytes);
    topic.publish(source, bodyStart, bodyBytes, this.#delayMs);
    this.#published(topic, 1);
  }

  /** The bodies of MPUB, which `begin()` checked. */
  publishMany(source: Buffer, at: number, count: number): void {
    const topic = this.#topicToPublish();
    if (topic.isBounded) this.#checkRoom(topic, count, sizedBytes(source, at, count));
    topic.publishSized(source, at, count);
    this.#published(topic, count);
  }

  #published(topic: Topic, count: number): void {
    const counts = this.counts ??= new Map();
    counts.set(topic.name, (counts.get(topic.name) ?? 0) + count);
    this.#stageOk(topic);
  }

  /** The OK leaves when the messages are as safe as it says. */
  #stageOk(topic: Topic): void {
    const { host: { broker, options }, output } = this.#client;
    if (options.durability !== "memory" && !topic.ephemeral && output.hold(broker.committer.group)) {
      broker.committer.listen(this);
    }
    output.ok();
    this.#client.answered();
  }

  groupCommitted(group: number): void {
    const { output, subscription } = this.#client, wasAccepting = output.isAccepting;
    output.lift(group);
    if (!wasAccepting && output.isAccepting) subscription?.channel.wake();
  }

  groupFailed(group: number, cause: Error): void {
    const client = this.#client;
    // Groups that fail together are dropped together, and answered once.
    if (client.output.dropHeld(group)) client.commandFailed(errors.publishFailed(this.command, cause));
    client.output.lift(group);
  }
}
