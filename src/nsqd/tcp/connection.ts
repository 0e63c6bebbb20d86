/**
 * One client connection: its state, its reads, and what the commands do.
 *
 * States: `init` (may IDENTIFY, SUB, publish), `subscribed` (consumes), `closing` (after CLS: answers for
 * messages in flight only), and `ended`. Commands run strictly in order as their bytes arrive; replies are
 * staged in `output.ts` and written at the end of the turn.
 *
 * The connection never waits for another one: a slow client delays only itself.
 */
import { ELSEWHERE, type Place, placeOf } from "../../broker/consumer/place.ts";
import type { Consumer, Subscription } from "../../broker/consumer/subscription.ts";
import type { Topic } from "../../broker/topic.ts";
import { type CommandHandler, CommandReader, LineTooLongError } from "../../protocol/command_reader.ts";
import type { BodyCommandName, LineCommandName, Parameters } from "../../protocol/command_reader.ts";
import * as errors from "../../protocol/errors.ts";
import {
  encodeIdentifyResponse,
  type IdentifySettings,
  initialIdentifySettings,
  negotiateIdentify,
  parseIdentify,
} from "../../protocol/identify.ts";
import { peerHost } from "../../net/address.ts";
import { isEphemeral, isValidNameBytes } from "../../protocol/names.ts";
import { type Buffer, wrapBuffer } from "../../buffers/buffer_pool.ts";
import type { Segment } from "../../storage/segment.ts";
import { type AuthOwner, ConnectionAuth } from "../auth/connection_auth.ts";
import { NO_SLOT } from "./check_times.ts";
import type { ConnectionHost } from "./connection_host.ts";
import { Output, type OutputOwner } from "./output.ts";
import { answerMessage, messageFailed, readyCount } from "./message_commands.ts";
import { Publisher } from "./publisher.ts";
import type { TlsSession } from "../../transport/tls_transport.ts";
import type { Transport } from "../../transport/transport.ts";
import { isUpgrade, keepUpgrades, Upgrade, type UpgradeOwner } from "./upgrade.ts";

export type ConnectionState = "init" | "subscribed" | "closing" | "ended";

const MAGIC = "  V2";
const OK = new TextEncoder().encode("OK");
const CLOSE_WAIT = new TextEncoder().encode("CLOSE_WAIT");
const HEARTBEAT = new TextEncoder().encode("_heartbeat_");
/** After an error frame the client's remaining bytes are read for this long, or a reset could overtake the frame. */
const LINGER_MS = 1000;
/** While a command waits for its answer, no more than this and one read is taken in of those behind it. */
const MAX_WAITING_BYTES = 65_536;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class Connection implements Consumer, CommandHandler, OutputOwner, AuthOwner, UpgradeOwner {
  readonly host: ConnectionHost;
  /** `ip:port`, or `@` on a Unix socket. */
  readonly remoteAddress: string;
  readonly connectedAtMs = Date.now();
  state: ConnectionState = "init";
  settings: IdentifySettings;
  subscription: Subscription | null = null;
  /** What the client may do; null when it may do everything, because no auth server is configured. */
  readonly auth: ConnectionAuth | null;

  /** What TLS settled; null on a connection without it. */
  tls: TlsSession | null = null;
  /** True while a command other than IDENTIFY is refused. */
  #needsTls: boolean;
  #transport: Transport;
  readonly #reader: CommandReader;
  readonly #output: Output;
  readonly #publisher: Publisher;
  readonly #localAddress: string;
  /** The change to TLS or compression that is under way. */
  #upgrade: Upgrade | null = null;
  /** Called when all that is staged is written. */
  #onWritten: (() => void) | null = null;
  #greeted = false;
  #identified = false;
  /** Where the server keeps when to call `check` next. */
  checkSlot = NO_SLOT;
  /** As of the first IDENTIFY, whatever later ones say. */
  #heartbeatIntervalMs: number;
  #msgTimeoutMs: number;
  #sampleRate = 0;
  #place: Place = ELSEWHERE;
  #outputMarked = false;
  #lingering = false;
  #inputEnded = false;
  /** True when no read is out because enough waits already. */
  #readPaused = false;
  /** True while the OK of SUB waits behind that of a publish: it must come before the first message. */
  #subOkHeld = false;
  #heartbeatAtMs: number;
  #readDeadlineMs = Infinity;
  readonly #onRead = (byteCount: number | null) => this.#received(byteCount);
  readonly #onReadError = (cause: unknown) => this.#readFailed(cause);

  constructor(host: ConnectionHost, transport: Transport, remoteAddress: string, localAddress: string) {
    this.host = host;
    this.#transport = transport;
    this.remoteAddress = remoteAddress;
    this.#localAddress = localAddress;
    this.#needsTls = host.tls !== null && host.tls.required !== "no";
    this.settings = initialIdentifySettings(host.identifyLimits, peerHost(remoteAddress));
    this.#reader = new CommandReader(this, host.pool, host, host.nodeId);
    this.#output = new Output(transport, host.pool, this);
    this.#publisher = new Publisher(host);
    this.auth = host.authenticator === null ? null : new ConnectionAuth(host.authenticator, this);
    this.#heartbeatIntervalMs = this.settings.heartbeatIntervalMs;
    this.#msgTimeoutMs = this.settings.msgTimeoutMs;
    this.#heartbeatAtMs = host.broker.nowMs + this.#heartbeatIntervalMs;
  }

  /** Messages published on this connection, by topic; null while there are none. */
  get publishCounts(): ReadonlyMap<string, number> | null {
    return this.#publisher.counts;
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
    this.#readMore();
  }

  #readMore(): void {
    // What comes next belongs to the stream that the connection changes to.
    if (this.#upgrade !== null) return;
    const reader = this.#reader;
    // An IDENTIFY that waits may change the stream, of which a read that is out would take the first bytes.
    this.#readPaused = reader.suspended && (!this.#identified || reader.unread > MAX_WAITING_BYTES);
    if (this.#readPaused) return;
    reader.fit();
    this.#read();
  }

  suspend(): void {
    this.#reader.suspended = true;
    // The client is not late: we are.
    this.#readDeadlineMs = Infinity;
  }

  resume(finish: () => void): void {
    if (this.#lingering || this.state === "ended") return;
    this.#reader.suspended = false;
    this.host.broker.beginTurn();
    try {
      finish();
    } catch (error) {
      if (!(error instanceof errors.ClientError)) throw error;
      return this.#refuse(error);
    }
    this.#runCommands();
    if (this.#isEnded() || this.#lingering || this.#reader.suspended) return;
    if (this.#inputEnded) this.#endOfInput();
    else if (this.#readPaused) this.#readMore();
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
    if (reader.suspended) return;
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
    this.host.checkBy(this.checkSlot, this.#readDeadlineMs);
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
    this.auth?.cancel();
    this.#leaveChannel();
    if (this.#readPaused) this.#read();
    this.#readPaused = false;
    this.endsWithin(LINGER_MS);
    this.#markOutput();
  }

  #endOfInput(): void {
    this.#inputEnded = true;
    // What came before the end is still to be run.
    if (this.#reader.suspended && !this.#lingering) return;
    const error = this.#lingering ? null : this.#reader.truncation();
    if (error !== null) this.#output.error(error.encode());
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
    if (this.#onWritten !== null && !this.#output.pending) {
      const resolve = this.#onWritten;
      this.#onWritten = null;
      return resolve();
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
      broker.committer.listen(this);
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
    if (this.#output.dropHeld(group)) this.#refuse(errors.publishFailed(this.#publisher.command, cause));
    this.#output.releaseHolds(group);
  }

  // ---- commands -----------------------------------------------------------------------------

  finish(seq: number): void {
    const subscription = this.subscription;
    if (subscription === null) throw this.#needsTls ? this.#tlsMissing("FIN") : errors.wrongState("FIN");
    const answer = subscription.channel.finish(subscription, seq);
    if (answer !== "ok") throw messageFailed("FIN", this.#reader.finishedId, answer);
  }

  #tlsMissing(word: string): errors.ClientError {
    return errors.tlsRequired(encoder.encode(word));
  }

  command(name: LineCommandName, parameters: Parameters): void {
    if (this.#needsTls) throw this.#tlsMissing(name);
    switch (name) {
      case "FIN":
      case "REQ":
      case "TOUCH":
        return answerMessage(name, parameters, this.subscription, this.settings.msgTimeoutMs, this.host);
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
    throw this.#needsTls ? errors.tlsRequired(word) : errors.unknownCommand(word);
  }

  #rdy(parameters: Parameters): void {
    if (this.state === "closing") return;
    const subscription = this.subscription;
    if (subscription === null) throw errors.wrongState("RDY");
    subscription.setRdy(readyCount(parameters, this.host.maxRdyCount));
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
    if (this.auth !== null && !this.auth.permits("SUB", topicName, channelName)) {
      return this.auth.renew("SUB", topicName, channelName, () => this.#subscribe(topicName, channelName));
    }
    this.#subscribe(topicName, channelName);
  }

  #subscribe(topicName: string, channelName: string): void {
    const topic = this.host.broker.topic(topicName, isEphemeral(topicName));
    const channel = topic.channel(channelName, isEphemeral(channelName));
    const most = this.host.maxChannelConsumers;
    if (most > 0 && channel.subscriptions.length >= most) {
      throw errors.tooManyConsumers(topicName, channelName, most);
    }
    this.subscription = channel.subscribe(this, this.#msgTimeoutMs, this.#sampleRate);
    this.subscription.setPlace(this.#place);
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
    if (this.#needsTls && name !== "IDENTIFY") throw this.#tlsMissing(name);
    if (name === "IDENTIFY" || name === "AUTH") {
      if (this.state !== "init") throw errors.wrongState(name);
      if (name === "AUTH" && parameters.count > 0) throw errors.authParametersGiven();
      return;
    }
    this.#publisher.begin(name, parameters);
    // An MPUB is checked, and creates its topic, before its body is there; the others after.
    if (name !== "MPUB") return;
    const { auth } = this, publisher = this.#publisher;
    if (auth === null || auth.permits(name, publisher.topicName, "")) publisher.createTopic();
    else auth.renew(name, publisher.topicName, "", () => publisher.createTopic());
  }

  publish(source: Buffer, bodyStart: number, bodyBytes: number): void {
    if (this.auth !== null && !this.#mayPublish(this.auth, source, bodyStart, bodyBytes)) return;
    this.#stageOk(this.#publisher.publish(source, bodyStart, bodyBytes));
  }

  /** False when the auth server must tell first; the body is then published from a copy. */
  #mayPublish(auth: ConnectionAuth, source: Buffer, bodyStart: number, bodyBytes: number): boolean {
    const { command, topicName } = this.#publisher;
    if (auth.permits(command, topicName, "")) return true;
    const held = wrapBuffer(source.bytes.slice(bodyStart, bodyStart + bodyBytes));
    auth.renew(command, topicName, "", () => {
      this.#stageOk(this.#publisher.publish(held, 0, bodyBytes));
    });
    return false;
  }

  publishMany(source: Buffer, at: number, count: number): void {
    this.#stageOk(this.#publisher.publishMany(source, at, count));
  }

  body(name: "IDENTIFY" | "AUTH", body: Uint8Array): void {
    if (name === "AUTH") {
      if (this.auth === null) throw errors.authDisabled();
      return this.auth.authenticate(body);
    }
    const limits = this.host.identifyLimits, before = this.settings;
    const settings = keepUpgrades(negotiateIdentify(parseIdentify(body), limits, before), before);
    this.settings = settings;
    // Later ones move the read deadline and TOUCH's timeout only; see the specification of repeated IDENTIFY.
    if (!this.#identified) {
      this.#identified = true;
      const { topologyRegion: region, topologyZone: zone } = settings, { topology } = this.host;
      if (topology !== null) this.#place = placeOf({ region, zone }, topology);
      this.#msgTimeoutMs = settings.msgTimeoutMs;
      this.#sampleRate = settings.sampleRate;
      const intervalMs = this.#heartbeatIntervalMs = settings.heartbeatIntervalMs;
      this.#heartbeatAtMs = intervalMs > 0 ? this.host.broker.nowMs + intervalMs : Infinity;
      this.host.checkBy(this.checkSlot, this.#heartbeatAtMs);
    }
    this.#armReadDeadline();
    this.respond(encodeIdentifyResponse(settings, limits));
    if (!isUpgrade(before, settings)) return;
    this.#reader.suspended = true;
    this.#readPaused = false;
    this.#upgrade = new Upgrade(this, this.#transport);
    this.#upgrade.start(before, settings, this.host.tls);
  }

  respond(data: Uint8Array): void {
    this.#output.response(data);
    this.#markOutput();
  }

  authSubject(): ReturnType<AuthOwner["authSubject"]> {
    return {
      remoteIp: peerHost(this.remoteAddress),
      tls: this.tls !== null,
      commonName: this.tls?.commonName ?? "",
    };
  }

  nowMs(): number {
    return this.host.broker.monotonicMs();
  }

  // ---- upgrades -----------------------------------------------------------------------------

  written(): Promise<void> {
    return new Promise((resolve) => {
      this.#onWritten = resolve;
      this.#markOutput();
    });
  }

  takeUnread(): Uint8Array {
    return this.#reader.takeMagic(this.#reader.unread)!;
  }

  endsWithin(limitMs: number): void {
    this.#readDeadlineMs = this.host.broker.monotonicMs() + limitMs;
    this.host.checkBy(this.checkSlot, this.#readDeadlineMs);
  }

  changeTransport(transport: Transport, session: TlsSession | null): void {
    if (session !== null) {
      this.tls = session;
      this.#needsTls = false;
    }
    this.#transport = transport;
    this.#output.changeSink(transport);
    if (this.state === "ended") transport.close();
    else this.respond(OK);
  }

  upgraded(): void {
    this.#upgrade = null;
    if (this.#lingering || this.state === "ended") return;
    this.#reader.suspended = false;
    this.host.broker.beginTurn();
    this.#armReadDeadline();
    this.#readMore();
  }

  upgradeFailed(cause: Error, mayRead: Promise<void>): void {
    this.#upgrade = null;
    if (this.#lingering || this.state === "ended") return;
    this.host.broker.beginTurn();
    this.#refuse(errors.identifyFailed(cause));
    mayRead.then(() => this.state === "ended" || this.#read());
  }

  // ---- time and end -------------------------------------------------------------------------

  /** Sends a heartbeat when one is due and ends the connection when its client has been silent too long. */
  check(nowMs: number): number {
    const intervalMs = this.#heartbeatIntervalMs, output = this.#output;
    if (nowMs >= this.#readDeadlineMs) this.#missedDeadline();
    else if (output.writing && intervalMs > 0 && nowMs - output.progressMs > intervalMs) {
      this.end("it takes no bytes");
    } else if (nowMs >= this.#heartbeatAtMs && !this.#lingering && this.#upgrade === null) {
      this.#heartbeatAtMs = intervalMs > 0 ? Math.max(nowMs, this.#heartbeatAtMs + intervalMs) : Infinity;
      output.response(HEARTBEAT);
      this.#markOutput();
    }
    if (this.#lingering || this.#upgrade !== null || output.writing) return nowMs;
    return Math.min(this.#readDeadlineMs, this.#heartbeatAtMs);
  }

  #missedDeadline(): void {
    // The disk may take longer than a client.
    if (this.#lingering && this.#output.held) return this.#linger();
    if (this.#upgrade !== null) return this.#upgrade.timedOut(this.#readTimeout());
    const error = this.#lingering ? null : this.#reader.truncation();
    if (error === null) return this.end("nothing was heard of it in time");
    this.#refuse(error);
  }

  #readTimeout(): Error {
    return new Error(`read tcp ${this.#localAddress}->${this.remoteAddress}: i/o timeout`);
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
    this.auth?.cancel();
    this.#leaveChannel();
    this.#output.end();
    this.#reader.close();
    this.#transport.close();
    this.host.connectionEnded(this);
  }
}
