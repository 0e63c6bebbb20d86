/**
 * What must be true of a broker, seen from outside, whatever moment it is killed at.
 *
 * The model is told what was sent, answered, delivered and finished, and collects violations:
 *
 * - what was answered OK comes to every channel until it is finished there
 * - what comes was sent, to that topic, and is intact
 * - what was finished does not come again in the same life of the process; after a clean stop, never again
 * - attempts go up in the same life, and never below where a clean stop left them
 * - what is deferred comes no earlier than it is due
 *
 * A finish or requeue counts as processed once something behind it on the same connection was answered.
 */
import { readBody } from "./bodies.ts";
import type { ReceivedMessage } from "./client.ts";

const MAX_VIOLATIONS = 40;
/** Wall clocks of two processes may be this far apart. */
const CLOCK_SLACK_MS = 5;

const SENT = 1, ANSWERED_OK = 2;
const DELIVERED = 1, FINISHED_IN_LIFE = 2, FINISHED_FOR_GOOD = 4;
const MAX_COUNT = 255;

/** A typed array that grows at its end and forgets at its start. */
class Column<T extends Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Float64Array<ArrayBuffer>> {
  values: T;
  readonly #make: (length: number) => T;
  /** What stands at index 0. */
  #base = 0;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.values = make(1024);
  }

  get(at: number): number {
    const index = at - this.#base;
    return index >= 0 && index < this.values.length ? this.values[index] : 0;
  }

  set(at: number, value: number): void {
    const index = at - this.#base;
    if (index >= this.values.length) {
      const grown = this.#make(Math.max(index + 1, this.values.length * 2));
      grown.set(this.values);
      this.values = grown;
    }
    this.values[index] = value;
  }

  /** Everything below `at` reads as 0 from now on. */
  forgetBelow(at: number): void {
    const passed = Math.min(at - this.#base, this.values.length);
    this.values.copyWithin(0, passed);
    this.values.fill(0, this.values.length - passed);
    this.#base = at;
  }
}

const bytesColumn = () => new Column((length) => new Uint8Array(length));
const wordsColumn = () => new Column((length) => new Uint16Array(length));
const floatsColumn = () => new Column((length) => new Float64Array(length));

/** What one channel did with each message, by number. */
export class ChannelModel {
  readonly topic: number;
  readonly name: string;
  /** Messages sent from this number on must come. */
  firstNumber: number;
  readonly flags = bytesColumn();
  /** Finishes that were sent and not refused. */
  readonly finishes = bytesColumn();
  readonly attempts = wordsColumn();
  /** Attempts as of the last clean stop. */
  readonly savedAttempts = wordsColumn();
  /** Unix ms before which a requeued message must not come. */
  readonly notBefore = new Map<number, number>();
  savedNotBefore = new Map<number, number>();

  constructor(topic: number, name: string, firstNumber: number) {
    this.topic = topic;
    this.name = name;
    this.firstNumber = firstNumber;
  }

  /** Nothing below `number` is asked for any more. */
  forgetBelow(number: number): void {
    const { flags, finishes, attempts, savedAttempts } = this;
    for (const column of [flags, finishes, attempts, savedAttempts]) column.forgetBelow(number);
  }

  has(number: number, flag: number): boolean {
    return (this.flags.get(number) & flag) !== 0;
  }

  add(number: number, flag: number): void {
    this.flags.set(number, this.flags.get(number) | flag);
  }
}

/** Counts for the report. */
export interface Totals {
  sent: number;
  answered: number;
  deliveries: number;
  repeats: number;
}

export class Model {
  readonly topics: readonly string[];
  readonly channels: ChannelModel[] = [];
  readonly violations: string[] = [];
  /** Where the run is, for the texts of violations. */
  moment = "";
  deliveries = 0;
  /** Deliveries of messages that had come before. */
  repeats = 0;
  #nextNumber = 1;
  #answeredCount = 0;
  /** All below is finished for good in all channels. */
  #baseNumber = 1;
  /** Of topics without a channel: the first message that they keep for the next one. */
  readonly #heldFrom = new Map<number, number>();
  readonly #topicOf = bytesColumn();
  readonly #status = bytesColumn();
  readonly #dueMs = floatsColumn();

  constructor(topics: readonly string[]) {
    this.topics = topics;
  }

  get totals(): Totals {
    const { deliveries, repeats } = this;
    return { sent: this.#nextNumber - 1, answered: this.#answeredCount, deliveries, repeats };
  }

  fail(text: string): void {
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push(`${this.moment}: ${text}`);
  }

  /** The channel exists: what is sent from now on must come to it, and what the topic kept for it. */
  addChannel(topic: number, name: string): ChannelModel {
    const channel = new ChannelModel(topic, name, this.#heldFrom.get(topic) ?? this.#nextNumber);
    channel.forgetBelow(this.#baseNumber);
    this.#heldFrom.delete(topic);
    this.channels.push(channel);
    return channel;
  }

  /** The channel is about to be deleted. */
  removeChannel(channel: ChannelModel): void {
    this.channels.splice(this.channels.indexOf(channel), 1);
  }

  hasChannel(topic: number): boolean {
    return this.channels.some((channel) => channel.topic === topic);
  }

  /** The last channel is gone: the topic keeps what is sent from now on for its next one. */
  holding(topic: number): void {
    this.#heldFrom.set(topic, this.#nextNumber);
  }

  /** The channel is about to be emptied, after which it owes nothing of what was sent before the answer. */
  emptying(channel: ChannelModel): void {
    channel.firstNumber = Infinity;
  }

  emptied(channel: ChannelModel): void {
    channel.firstNumber = this.#nextNumber;
  }

  /** Messages of the channel's topic that were answered OK. */
  answered(channel: ChannelModel): number[] {
    const answered: number[] = [];
    for (let number = this.#baseNumber; number < this.#nextNumber; number++) {
      if (this.#topicOf.get(number) !== channel.topic || this.#status.get(number) !== ANSWERED_OK) continue;
      answered.push(number);
    }
    return answered;
  }

  finishForGood(channel: ChannelModel, numbers: readonly number[]): void {
    for (const number of numbers) channel.add(number, FINISHED_FOR_GOOD);
  }

  // ---- publishing ---------------------------------------------------------------------------

  /** A message is about to be sent. @returns its number */
  sending(topic: number, delayMs: number): number {
    const number = this.#nextNumber++;
    this.#topicOf.set(number, topic);
    this.#status.set(number, SENT);
    if (delayMs > 0) this.#dueMs.set(number, Date.now() + delayMs);
    return number;
  }

  answeredOk(number: number): void {
    this.#status.set(number, ANSWERED_OK);
    this.#answeredCount++;
  }

  // ---- consuming ----------------------------------------------------------------------------

  /**
   * A message came.
   *
   * @param mayBeLate whether messages of this consumer time out, so that another consumer may have had it since
   * @returns its number, or 0 when there is nothing to answer
   */
  delivered(
    channel: ChannelModel,
    { attempts, id, body: bytes }: ReceivedMessage,
    mayBeLate: boolean,
  ): number {
    this.deliveries++;
    const body = readBody(bytes), where = `on ${this.nameOf(channel)}`;
    if (body === null) {
      this.fail(`message ${id} ${where} has a body that is not intact (${bytes.length} bytes)`);
      return 0;
    }
    const { number, topic } = body, what = `message ${number} (${id}, attempts ${attempts}) ${where}`;
    if (number < this.#baseNumber) {
      this.fail(`${what} was finished for good`);
      return 0;
    }
    if (number >= this.#nextNumber || this.#topicOf.get(number) !== topic) {
      this.fail(`${what} was never sent`);
      return 0;
    }
    const before = channel.attempts.get(number);
    if (attempts < before && mayBeLate) return 0;
    if (attempts <= before) this.fail(`${what} had ${before} attempts before`);
    channel.attempts.set(number, attempts);
    if (topic !== channel.topic) this.fail(`${what} belongs to ${this.topics[topic]}`);
    if (channel.has(number, FINISHED_FOR_GOOD)) this.fail(`${what} was finished for good`);
    else if (channel.has(number, FINISHED_IN_LIFE)) this.fail(`${what} was finished`);
    this.#checkTime(channel, number, what);
    if (channel.has(number, DELIVERED)) this.repeats++;
    channel.add(number, DELIVERED);
    return number;
  }

  #checkTime(channel: ChannelModel, number: number, what: string): void {
    const now = Date.now() + CLOCK_SLACK_MS, dueMs = this.#dueMs.get(number);
    if (now < dueMs) this.fail(`${what} came ${Math.round(dueMs - now)} ms before its publisher asked`);
    const notBeforeMs = channel.notBefore.get(number) ?? 0;
    if (now < notBeforeMs) {
      this.fail(`${what} came ${Math.round(notBeforeMs - now)} ms before its requeue was due`);
    }
    channel.notBefore.delete(number);
    channel.savedNotBefore.delete(number);
  }

  finishSent(channel: ChannelModel, number: number): void {
    channel.finishes.set(number, Math.min(MAX_COUNT, channel.finishes.get(number) + 1));
  }

  /** The finish was refused, as when the message had timed out: it must come again. */
  finishRefused(channel: ChannelModel, number: number): void {
    channel.finishes.set(number, Math.max(0, channel.finishes.get(number) - 1));
  }

  finishProcessed(channel: ChannelModel, number: number): void {
    channel.add(number, FINISHED_IN_LIFE);
  }

  requeueProcessed(channel: ChannelModel, number: number, notBeforeMs: number): void {
    channel.notBefore.set(number, notBeforeMs);
  }

  // ---- lives --------------------------------------------------------------------------------

  /** The process was killed: what was not saved by a clean stop may come again. */
  killed(keepsAnswered: boolean): void {
    for (const channel of this.channels) {
      const { flags, attempts, savedAttempts } = channel;
      for (let number = this.#baseNumber; number < this.#nextNumber; number++) {
        flags.set(number, flags.get(number) & ~FINISHED_IN_LIFE);
        attempts.set(number, savedAttempts.get(number));
      }
      channel.notBefore.clear();
      for (const [number, notBeforeMs] of channel.savedNotBefore) channel.notBefore.set(number, notBeforeMs);
    }
    if (keepsAnswered) return;
    for (let number = this.#baseNumber; number < this.#nextNumber; number++) this.#status.set(number, SENT);
  }

  /** The process stopped in order, or had time to write everything down. */
  saved(): void {
    for (const channel of this.channels) {
      const { flags, attempts, savedAttempts } = channel;
      for (let number = this.#baseNumber; number < this.#nextNumber; number++) {
        if (channel.has(number, FINISHED_IN_LIFE)) flags.set(number, flags.get(number) | FINISHED_FOR_GOOD);
        savedAttempts.set(number, attempts.get(number));
      }
      channel.savedNotBefore = new Map(channel.notBefore);
    }
  }

  // ---- checks -------------------------------------------------------------------------------

  /** Answered OK and not finished: what a channel must still have, at least. */
  owed(channel: ChannelModel): number[] {
    const owed: number[] = [];
    for (let number = Math.max(channel.firstNumber, this.#baseNumber); number < this.#nextNumber; number++) {
      if (this.#topicOf.get(number) !== channel.topic || this.#status.get(number) !== ANSWERED_OK) continue;
      if (channel.finishes.get(number) === 0) owed.push(number);
    }
    return owed;
  }

  /** Sent and not finished for good: what a channel may still have, at most. */
  possible(channel: ChannelModel): number {
    let count = 0;
    for (let number = this.#baseNumber; number < this.#nextNumber; number++) {
      if (this.#topicOf.get(number) === channel.topic && !channel.has(number, FINISHED_FOR_GOOD)) count++;
    }
    return count;
  }

  /** All was consumed: nothing may be owed. */
  checkDrained(): void {
    for (const channel of this.channels) {
      const owed = this.owed(channel);
      if (owed.length === 0) continue;
      const delivered = owed.filter((number) => channel.has(number, DELIVERED)).length;
      this.fail(
        `LOST: ${owed.length} messages of ${this.nameOf(channel)} were answered OK and never finished, ` +
          `${delivered} of them delivered before: ${owed.slice(0, 20).join(" ")}`,
      );
    }
  }

  /** All is finished, and written down: none of it may ever come again. */
  closeBooks(): void {
    this.#baseNumber = this.#nextNumber;
    for (const column of [this.#topicOf, this.#status, this.#dueMs]) column.forgetBelow(this.#baseNumber);
    for (const channel of this.channels) channel.forgetBelow(this.#baseNumber);
  }

  nameOf(channel: ChannelModel): string {
    return `${this.topics[channel.topic]}:${channel.name}`;
  }
}
