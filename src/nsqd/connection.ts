/**
 * One client connection: its state, its reads, and what the commands do.
 *
 * States: `init` (may IDENTIFY, SUB, publish), `subscribed` (consumes), `closing` (after CLS: answers for
 * messages in flight only), and `ended`. Commands run strictly in order as their bytes arrive; replies are
 * staged in `output.ts` and written at the end of the turn.
 *
 * The connection never waits for another one: a slow client delays only itself.
 */
import type { Broker } from "../broker/broker.ts";
import type { Answer } from "../broker/channel.ts";
import type { Consumer, Subscription } from "../broker/subscription.ts";
import type { Topic } from "../broker/topic.ts";
import type { Logger } from "../log/logger.ts";
import { type CommandHandler, CommandReader, LineTooLongError } from "../protocol/command_reader.ts";
import type { BodyCommandName, LineCommandName, Parameters } from "../protocol/command_reader.ts";
import { parseDecimal, parseTimeoutMs, parseUint64 } from "../protocol/decimal.ts";
import * as errors from "../protocol/errors.ts";
import {
  encodeIdentifyResponse,
  type IdentifyLimits,
  type IdentifySettings,
  initialIdentifySettings,
  negotiateIdentify,
  parseIdentify,
} from "../protocol/identify.ts";
import { ID_LENGTH, parseId } from "../protocol/message.ts";
import { isEphemeral, isValidNameBytes } from "../protocol/names.ts";
import type { Buffer, BufferPool } from "../buffers/buffer_pool.ts";
import type { Segment } from "../storage/segment.ts";
import { Output, type OutputOwner } from "./output.ts";

/** The bytes of a connection, plain or upgraded. */
export interface Transport {
  /** Resolves with the bytes read, null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the sending half. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** What connections share. */
export interface ConnectionHost {
  readonly broker: Broker;
  /** Buffers for reads and writes; apart from the messages' so that their budgets do not mix. */
  readonly pool: BufferPool;
  readonly logger: Logger;
  readonly identifyLimits: IdentifyLimits;
  readonly maxMsgSize: number;
  readonly maxBodySize: number;
  readonly maxMsgTimeoutMs: number;
  readonly maxReqTimeoutMs: number;
  readonly maxRdyCount: number;
  readonly maxChannelConsumers: number;
  /** False at level `memory`, where an OK has nothing to wait for. */
  readonly holdsReplies: boolean;
  readonly nodeId: number;
  connectionEnded(connection: Connection): void;
}

export type ConnectionState = "init" | "subscribed" | "closing" | "ended";

const MAGIC = "  V2";
const OK = new TextEncoder().encode("OK");
const CLOSE_WAIT = new TextEncoder().encode("CLOSE_WAIT");
const HEARTBEAT = new TextEncoder().encode("_heartbeat_");
/** After an error frame the client's remaining bytes are read for this long, or a reset could overtake the frame. */
const LINGER_MS = 1000;
const decoder = new TextDecoder();

export class Connection implements Consumer, CommandHandler, OutputOwner {
  readonly host: ConnectionHost;
  /** `ip:port`, or `@` on a Unix socket. */
  readonly remoteAddress: string;
  readonly connectedAtMs = Date.now();
  state: ConnectionState = "init";
  settings: IdentifySettings;
  subscription: Subscription | null = null;
  /** Messages published on this connection, by topic; null while there are none. */
  publishCounts: Map<string, number> | null = null;

  readonly #transport: Transport;
  readonly #reader: CommandReader;
  readonly #output: Output;
  #greeted = false;
  #identified = false;
  #outputMarked = false;
  #lingering = false;
  #inputEnded = false;
  /** True while the OK of SUB waits behind that of a publish: it must come before the first message. */
  #subOkHeld = false;
  #publishTopic: Topic | null = null;
  #publishName = "";
  #publishNameBytes: Uint8Array = new Uint8Array(0);
  #publishCommand: errors.PublishCommand = "PUB";
  #publishDelayMs = 0;
  #heartbeatAtMs: number;
  #readDeadlineMs = Infinity;
  readonly #onRead = (byteCount: number | null) => this.#received(byteCount);
  readonly #onReadError = (cause: unknown) => this.#readFailed(cause);

  constructor(host: ConnectionHost, transport: Transport, remoteAddress: string) {
    this.host = host;
    this.#transport = transport;
    this.remoteAddress = remoteAddress;
    const colon = remoteAddress.lastIndexOf(":");
    this.settings = initialIdentifySettings(
      host.identifyLimits,
      colon < 0 ? "" : remoteAddress.slice(0, colon),
    );
    this.#reader = new CommandReader(this, host.pool, host, host.nodeId);
    this.#output = new Output(transport, host.pool, this);
    this.#heartbeatAtMs = host.broker.nowMs + this.settings.heartbeatIntervalMs;
  }

  /** Begins to read; returns at once. */
  start(): void {
    this.#read();
  }

  // ---- reading ------------------------------------------------------------------------------

  #read(): void {
    this.#transport.read(this.#reader.space()).then(this.#onRead, this.#onReadError);
  }

  #received(byteCount: number | null): void {
    if (this.state === "ended") return;
    if (byteCount === null) {
      this.#endOfInput();
      return;
    }
    if (this.#lingering) {
      this.#read();
      return;
    }
    this.#reader.filled(byteCount);
    this.host.broker.beginTurn();
    this.#runCommands();
    if (this.#isEnded()) return;
    this.#reader.fit();
    this.#read();
  }

  #isEnded(): boolean {
    return this.state === "ended";
  }

  #runCommands(): void {
    const reader = this.#reader, before = reader.unread;
    if (!this.#greeted && !this.#greet()) return;
    for (;;) {
      try {
        reader.run();
        break;
      } catch (error) {
        if (error instanceof LineTooLongError) {
          this.host.logger.debug(`[${this.remoteAddress}] ${error.message}`);
          return this.#linger();
        }
        if (!(error instanceof errors.ClientError)) throw error;
        this.#refuse(error);
        if (error.fatal) return;
      }
    }
    if (reader.unread < before || this.#readDeadlineMs === Infinity) this.#armReadDeadline();
  }

  /** Takes the protocol magic; false while it is incomplete or when it is wrong. */
  #greet(): boolean {
    const magic = this.#reader.takeMagic(MAGIC.length);
    if (magic === null) return false;
    this.#greeted = true;
    if (decoder.decode(magic) === MAGIC) {
      this.#armReadDeadline();
      return true;
    }
    this.#refuse(errors.badProtocol());
    return false;
  }

  /** A client must send something within two heartbeat intervals, from the moment a command is awaited. */
  #armReadDeadline(): void {
    const intervalMs = this.settings.heartbeatIntervalMs;
    this.#readDeadlineMs = intervalMs > 0 ? this.host.broker.nowMs + 2 * intervalMs : Infinity;
  }

  #refuse(error: errors.ClientError): void {
    if (error.fatal) {
      this.host.logger.debug(`[${this.remoteAddress}] ${error.message}`);
      this.#output.error(error.encode());
      this.#linger();
    } else {
      this.#output.error(error.encode());
      this.#markOutput();
    }
  }

  /** No further command is run; the connection ends once what is staged is written. */
  #linger(): void {
    this.#lingering = true;
    this.#leaveChannel();
    this.#readDeadlineMs = this.host.broker.monotonicMs() + LINGER_MS;
    this.#markOutput();
  }

  #endOfInput(): void {
    const error = this.#lingering ? null : this.#reader.truncation();
    if (error !== null) this.#output.error(error.encode());
    this.#inputEnded = true;
    // What is staged can still be read by a client that closed its sending half only.
    this.#linger();
  }

  #readFailed(cause: unknown): void {
    this.end(cause instanceof Error ? cause.message : String(cause));
  }

  // ---- writing ------------------------------------------------------------------------------

  get accepting(): boolean {
    return !this.#output.writing && !this.#subOkHeld && this.state !== "ended";
  }

  /** Called at the end of a turn in which something was staged. */
  flush(): void {
    this.#outputMarked = false;
    if (!this.#output.flush()) this.outputWritten();
  }

  #markOutput(): void {
    if (this.#outputMarked || this.state === "ended") return;
    this.#outputMarked = true;
    this.host.broker.markOutput(this);
  }

  outputWritten(): void {
    if (this.#lingering) {
      if (this.#output.pending || this.state === "ended") return;
      if (this.#inputEnded) this.end("");
      else this.#closeWrite();
      return;
    }
    this.subscription?.channel.wake();
  }

  #closeWrite(): void {
    if (this.#readDeadlineMs === 0) return;
    this.#transport.closeWrite().catch((cause) => this.#readFailed(cause));
  }

  outputFailed(cause: unknown): void {
    this.end(cause instanceof Error ? cause.message : String(cause));
  }

  sendRun(segment: Segment, from: number, to: number): void {
    this.#output.run(segment, from, to);
    this.#markOutput();
  }

  sendRecord(segment: Segment, index: number, attempts: number): void {
    this.#output.record(segment, index, attempts);
    this.#markOutput();
  }

  channelDeleted(): void {
    this.subscription = null;
    this.end("its channel was deleted");
  }

  // ---- groups -------------------------------------------------------------------------------

  #stageOk(topic: Topic): void {
    const { broker, holdsReplies } = this.host;
    if (holdsReplies && !topic.ephemeral && this.#output.hold(broker.committer.group)) {
      broker.committer.hold(this);
    }
    this.#output.ok();
    this.#markOutput();
  }

  groupCommitted(group: number): void {
    this.#output.releaseHolds(group);
    this.#markOutput();
    if (!this.#subOkHeld || this.#output.held) return;
    this.#subOkHeld = false;
    this.subscription?.channel.wake();
  }

  groupFailed(group: number, cause: Error): void {
    if (this.state === "ended") return;
    // Groups that fail together are dropped together, and answered once.
    if (this.#output.dropHeld(group)) this.#refuse(errors.publishFailed(this.#publishCommand, cause));
    this.#output.releaseHolds(group);
  }

  // ---- commands -----------------------------------------------------------------------------

  finish(seq: number): void {
    const subscription = this.subscription;
    if (subscription === null) throw errors.wrongState("FIN");
    const answer = subscription.channel.finish(subscription, seq);
    if (answer !== "ok") throw messageFailed("FIN", this.#reader.finishedId, answer);
  }

  command(name: LineCommandName, parameters: Parameters): void {
    switch (name) {
      case "FIN":
      case "REQ":
      case "TOUCH":
        return this.#answer(name, parameters);
      case "RDY":
        return this.#rdy(parameters);
      case "SUB":
        return this.#sub(parameters);
      case "CLS":
        return this.#cls();
      case "NOP":
    }
  }

  unknown(word: Uint8Array): never {
    throw errors.unknownCommand(word);
  }

  /** FIN in an unusual form, REQ and TOUCH. */
  #answer(name: errors.MessageCommand, parameters: Parameters): void {
    const subscription = this.subscription;
    if (subscription === null) throw errors.wrongState(name);
    if (parameters.count < (name === "REQ" ? 2 : 1)) throw errors.tooFewParameters(name);
    const idAt = parameters.from(0);
    if (parameters.to(0) - idAt !== ID_LENGTH) throw errors.invalidMessageId();
    const delayMs = name === "REQ" ? this.#requeueDelay(parameters) : 0;
    const seq = parseId(parameters.buffer, idAt, this.host.nodeId);
    const { channel } = subscription, { broker } = this.host;
    let answer: Answer;
    if (name === "FIN") answer = channel.finish(subscription, seq);
    else if (name === "REQ") answer = channel.requeue(subscription, seq, delayMs, broker.monotonicMs());
    else {
      const { maxMsgTimeoutMs } = this.host, nowMs = broker.monotonicMs();
      answer = channel.touch(subscription, seq, this.settings.msgTimeoutMs, maxMsgTimeoutMs, nowMs);
    }
    if (answer !== "ok") throw messageFailed(name, parameters.bytes(0), answer);
  }

  /** REQ clamps where DPUB refuses. */
  #requeueDelay(parameters: Parameters): number {
    const delayMs = parseTimeoutMs(parameters.buffer, parameters.from(1), parameters.to(1));
    if (Number.isNaN(delayMs)) throw errors.unparsableTimeout("REQ", parameters.bytes(1));
    return Math.max(0, Math.min(delayMs, this.host.maxReqTimeoutMs));
  }

  #rdy(parameters: Parameters): void {
    if (this.state === "closing") return;
    const subscription = this.subscription;
    if (subscription === null) throw errors.wrongState("RDY");
    let count = 1;
    if (parameters.count > 0) {
      const from = parameters.from(0), to = parameters.to(0);
      count = parseDecimal(parameters.buffer, from, to);
      if (Number.isNaN(count)) throw errors.unparsableRdyCount(parameters.bytes(0));
      if (count < 0 || count > this.host.maxRdyCount) {
        const exact = BigInt.asIntN(64, parseUint64(parameters.buffer, from, to)!);
        throw errors.rdyCountOutOfRange(exact, this.host.maxRdyCount);
      }
    }
    subscription.setRdy(count);
  }

  #sub(parameters: Parameters): void {
    if (this.state !== "init") throw errors.wrongState("SUB");
    if (this.settings.heartbeatIntervalMs === 0) throw errors.subWithoutHeartbeats();
    if (parameters.count < 2) throw errors.tooFewParameters("SUB");
    const { buffer } = parameters;
    if (!isValidNameBytes(buffer, parameters.from(0), parameters.to(0))) {
      throw errors.badTopic("SUB", parameters.bytes(0));
    }
    if (!isValidNameBytes(buffer, parameters.from(1), parameters.to(1))) {
      throw errors.badChannel(parameters.bytes(1));
    }
    const topicName = decoder.decode(parameters.bytes(0)), channelName = decoder.decode(parameters.bytes(1));
    const topic = this.host.broker.topic(topicName, isEphemeral(topicName));
    const channel = topic.channel(channelName, isEphemeral(channelName));
    const most = this.host.maxChannelConsumers;
    if (most > 0 && channel.subscriptions.length >= most) {
      throw errors.tooManyConsumers(topicName, channelName, most);
    }
    this.subscription = channel.subscribe(this, this.settings.msgTimeoutMs, this.settings.sampleRate);
    this.state = "subscribed";
    this.#subOkHeld = this.#output.held;
    this.#output.response(OK);
    this.#markOutput();
  }

  #cls(): void {
    if (this.state !== "subscribed") throw errors.wrongState("CLS");
    this.subscription!.close();
    this.state = "closing";
    this.#output.response(CLOSE_WAIT);
    this.#markOutput();
  }

  begin(name: BodyCommandName, parameters: Parameters): void {
    if (name === "IDENTIFY" || name === "AUTH") {
      if (this.state !== "init") throw errors.wrongState(name);
      if (name === "AUTH" && parameters.count > 0) throw errors.authParametersGiven();
      return;
    }
    if (parameters.count < (name === "DPUB" ? 2 : 1)) throw errors.tooFewParameters(name);
    const from = parameters.from(0), to = parameters.to(0);
    this.#publishCommand = name;
    this.#publishDelayMs = 0;
    if (!this.#isLastTopic(parameters.buffer, from, to)) {
      if (!isValidNameBytes(parameters.buffer, from, to)) throw errors.badTopic(name, parameters.bytes(0));
      this.#publishNameBytes = parameters.bytes(0).slice();
      this.#publishName = decoder.decode(this.#publishNameBytes);
      this.#publishTopic = null;
    }
    if (name === "DPUB") this.#publishDelayMs = this.#deferral(parameters);
    if (name === "MPUB") this.#topicToPublish();
  }

  #isLastTopic(buffer: Uint8Array, from: number, to: number): boolean {
    const last = this.#publishNameBytes;
    if (last.length !== to - from || from === to) return false;
    for (let i = 0; i < last.length; i++) if (last[i] !== buffer[from + i]) return false;
    return true;
  }

  #deferral(parameters: Parameters): number {
    const from = parameters.from(1), to = parameters.to(1);
    const delayMs = parseTimeoutMs(parameters.buffer, from, to);
    if (Number.isNaN(delayMs)) throw errors.unparsableTimeout("DPUB", parameters.bytes(1));
    if (delayMs < 0 || delayMs > this.host.maxReqTimeoutMs) {
      throw errors.dpubTimeoutOutOfRange(
        parseUint64(parameters.buffer, from, to)!,
        this.host.maxReqTimeoutMs,
      );
    }
    return delayMs;
  }

  #topicToPublish(): Topic {
    let topic = this.#publishTopic;
    if (topic === null || topic.exiting) {
      topic = this.host.broker.topic(this.#publishName, isEphemeral(this.#publishName));
      this.#publishTopic = topic;
    }
    return topic;
  }

  publish(source: Buffer, bodyStart: number, bodyBytes: number): void {
    const topic = this.#topicToPublish();
    topic.publish(source, bodyStart, bodyBytes, this.#publishDelayMs);
    this.#countPublish(topic, 1);
  }

  publishMany(source: Buffer, at: number, count: number): void {
    const topic = this.#topicToPublish();
    topic.publishSized(source, at, count);
    this.#countPublish(topic, count);
  }

  #countPublish(topic: Topic, count: number): void {
    const counts = this.publishCounts ??= new Map();
    counts.set(topic.name, (counts.get(topic.name) ?? 0) + count);
    this.#stageOk(topic);
  }

  body(name: "IDENTIFY" | "AUTH", body: Uint8Array): void {
    if (name === "AUTH") throw errors.authDisabled();
    const limits = this.host.identifyLimits;
    const settings = negotiateIdentify(parseIdentify(body), limits, this.settings);
    this.settings = settings;
    // Only the first IDENTIFY moves the heartbeat; see the specification of repeated IDENTIFY.
    if (!this.#identified) {
      this.#identified = true;
      const intervalMs = settings.heartbeatIntervalMs;
      this.#heartbeatAtMs = intervalMs > 0 ? this.host.broker.nowMs + intervalMs : Infinity;
    }
    this.#armReadDeadline();
    this.#output.response(encodeIdentifyResponse(settings, limits));
    this.#markOutput();
  }

  // ---- time and end -------------------------------------------------------------------------

  /** Sends a heartbeat when one is due and ends the connection when its client has been silent too long. */
  tick(nowMs: number): void {
    if (nowMs >= this.#readDeadlineMs) return this.#missedDeadline();
    const intervalMs = this.settings.heartbeatIntervalMs;
    if (this.#output.writing && intervalMs > 0 && nowMs - this.#output.progressMs > intervalMs) {
      return this.end("it takes no bytes");
    }
    if (nowMs < this.#heartbeatAtMs || this.#lingering) return;
    this.#heartbeatAtMs = intervalMs > 0 ? Math.max(nowMs, this.#heartbeatAtMs + intervalMs) : Infinity;
    this.#output.response(HEARTBEAT);
    this.#markOutput();
  }

  #missedDeadline(): void {
    // The disk may take longer than a client.
    if (this.#lingering && this.#output.held) return this.#linger();
    const error = this.#lingering ? null : this.#reader.truncation();
    if (error === null) return this.end("nothing was heard of it in time");
    this.#refuse(error);
  }

  #leaveChannel(): void {
    const subscription = this.subscription;
    this.subscription = null;
    subscription?.channel.unsubscribe(subscription);
  }

  /** Ends the connection at once. `reason` is for the log; empty for an ordinary end. */
  end(reason: string): void {
    if (this.state === "ended") return;
    if (reason !== "") this.host.logger.debug(`[${this.remoteAddress}] closing: ${reason}`);
    this.state = "ended";
    this.#leaveChannel();
    this.#output.end();
    this.#reader.close();
    this.#transport.close();
    this.host.connectionEnded(this);
  }
}

function messageFailed(name: errors.MessageCommand, id: Uint8Array, answer: Answer): errors.ClientError {
  return errors.messageCommandFailed(
    name,
    id,
    answer === "not owner" ? "client does not own message" : "ID not in flight",
  );
}
