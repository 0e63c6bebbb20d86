/**
 * One client connection: its states, and what moves it from one to the next.
 *
 * Commands run strictly in order as their bytes arrive (`input.ts`); replies are staged and written at the end of the
 * turn (`output.ts`); what each command does stands under its name in `commands.ts` and what that imports. The
 * states are drawn in `connection_state.ts`; only `#become` changes them.
 *
 * The connection never waits for another one: a slow client delays only itself. Whatever goes wrong in a command
 * ends this connection at most.
 */
import type { Subscription } from "../../broker/consumer/subscription.ts";
import { peerHost } from "../../net/address.ts";
import { LineTooLongError } from "../../protocol/command_reader.ts";
import * as errors from "../../protocol/errors.ts";
import type { IdentifySettings } from "../../protocol/identify.ts";
import type { Segment } from "../../storage/segment.ts";
import type { TlsSession } from "../../transport/tls_transport.ts";
import type { Transport } from "../../transport/transport.ts";
import { type AuthOwner, ConnectionAuth } from "../auth/connection_auth.ts";
import { NO_SLOT } from "./check_times.ts";
import type { Client } from "./client.ts";
import { ClientSettings } from "./client_settings.ts";
import { Commands } from "./commands.ts";
import type { ConnectionHost } from "./connection_host.ts";
import { type ConnectionState, ENDED, LINGERING, OPEN, OPENING, WAITING } from "./connection_state.ts";
import { Deadlines } from "./deadlines.ts";
import { Input, type InputOwner } from "./input.ts";
import type { ClientState } from "./legal_commands.ts";
import { Output, type OutputOwner } from "./output.ts";
import { isUpgrade, Upgrade, type UpgradeOwner } from "./upgrade.ts";

const HEARTBEAT = new TextEncoder().encode("_heartbeat_");
/** After an error frame the client's remaining bytes are read for this long, or a reset could overtake the frame. */
const LINGER_MS = 1000;

export class Connection implements Client, InputOwner, OutputOwner, AuthOwner, UpgradeOwner {
  readonly host: ConnectionHost;
  /** `ip:port`, or `@` on a Unix socket. */
  readonly remoteAddress: string;
  /** Unix ms. */
  readonly connectedAtMs: number;
  readonly session: ClientSettings;
  readonly auth: ConnectionAuth | null;
  readonly input: Input;
  readonly output: Output;
  state: ClientState;
  subscription: Subscription | null = null;
  /** Null on a connection without TLS. */
  tls: TlsSession | null = null;
  /** Where the server keeps when to call `check` next. */
  checkSlot = NO_SLOT;
  readonly #localAddress: string;
  readonly #commands: Commands;
  readonly #deadlines: Deadlines;
  #transport: Transport;
  #is: ConnectionState = OPENING;
  /** True while commands wait because the client does not read its answers. */
  #isCongested = false;

  constructor(host: ConnectionHost, transport: Transport, remoteAddress: string, localAddress: string) {
    const { broker, options, pool } = host;
    this.host = host;
    this.#transport = transport;
    this.remoteAddress = remoteAddress;
    this.#localAddress = localAddress;
    this.connectedAtMs = broker.wallMs();
    this.state = host.tls !== null && host.tls.required !== "no" ? "plain" : "init";
    this.session = new ClientSettings(options, peerHost(remoteAddress));
    this.#commands = new Commands(this, () => this.input.finishedId);
    this.input = new Input(transport, this.#commands, pool, options, this);
    this.output = new Output(transport, pool, broker, this);
    this.auth = host.authenticator === null ? null : new ConnectionAuth(host.authenticator, this);
    this.#deadlines = new Deadlines((timeMs) => host.checkBy(this.checkSlot, timeMs));
  }

  /** What was settled with the client. */
  get settings(): IdentifySettings {
    return this.session.negotiated;
  }

  /** Messages published on this connection, by topic; null while there are none. */
  get publishCounts(): ReadonlyMap<string, number> | null {
    return this.#commands.publisher.counts;
  }

  start(): void {
    this.input.read();
  }

  #become(state: ConnectionState): void {
    this.#is = state;
    this.input.mayRun = (state.is === "open" || state.is === "opening") && !this.#isCongested;
  }

  get #isEnded(): boolean {
    return this.#is.is === "ended";
  }

  /** True once no further command is run. */
  get #isLeaving(): boolean {
    return this.#is.is === "lingering" || this.#is.is === "ended";
  }

  // ---- input --------------------------------------------------------------------------------

  inputReceived(byteCount: number): void {
    if (this.#isEnded) return;
    if (this.#is.is === "lingering") return this.input.read();
    this.input.filled(byteCount);
    this.host.broker.beginTurn();
    this.#run();
    this.#readOn();
  }

  #run(): void {
    const hasMoved = this.input.run();
    if (this.#is.is !== "open" || this.#isCongested) return;
    if (hasMoved || !this.#deadlines.isLimited) this.#awaitCommand();
  }

  #readOn(): void {
    if (this.#isEnded || this.#is.is === "upgrading") return;
    if (this.#is.is === "lingering") return this.input.read();
    if (this.#isCongested) return;
    // An IDENTIFY that waits may change the stream, of which a read that is out would take the first bytes.
    this.input.readOn(this.session.isIdentified);
  }

  greeted(): void {
    this.#become(OPEN);
    this.#awaitCommand();
    this.#deadlines.startHeartbeats(this.host.broker.nowMs, this.session.heartbeatIntervalMs);
  }

  /** A client must send something within two heartbeat intervals, from the moment a command is awaited. */
  #awaitCommand(): void {
    const intervalMs = this.settings.heartbeatIntervalMs;
    this.#deadlines.limit(intervalMs > 0 ? this.host.broker.nowMs + 2 * intervalMs : Infinity);
  }

  commandFailed(cause: unknown): boolean {
    if (cause instanceof errors.ClientError) this.#refuse(cause);
    else if (cause instanceof LineTooLongError) {
      this.host.logger.debug(`[${this.remoteAddress}] ${cause.message}`);
      this.#linger();
    } else {
      // A defect of ours: what was answered stays answered, and nobody else is hit by it.
      const text = (cause as Error).stack ?? cause;
      this.host.logger.error(`[${this.remoteAddress}] a command failed, closing - ${text}`);
      this.#linger();
    }
    return this.#is.is === "open" && !this.#isCongested;
  }

  inputEnded(): void {
    if (this.#isEnded) return;
    // What came before the end is still to be run.
    if (this.#is.is === "waiting" || this.#isCongested) return;
    const error = this.#is.is === "lingering" ? null : this.input.truncation();
    if (error !== null) this.output.error(error.encode());
    // What is staged can still be read by a client that closed its sending half only.
    this.#linger();
  }

  #refuse(error: errors.ClientError, mayRead: Promise<void> | null = null): void {
    if (this.#isEnded) return;
    this.output.error(error.encode());
    if (!error.fatal) return this.answered();
    this.host.logger.debug(`[${this.remoteAddress}] ${error.message}`);
    this.#linger(mayRead);
  }

  /**
   * No further command is run; the connection ends once what is staged is written.
   *
   * @param mayRead when another reader has the stream: resolves when it may be read again
   */
  #linger(mayRead: Promise<void> | null = null): void {
    const isReader = mayRead === null && this.#is.is !== "upgrading";
    this.#isCongested = false;
    this.#become(LINGERING);
    this.auth?.cancel();
    this.#leaveChannel();
    if (isReader) this.input.read();
    mayRead?.then(() => this.#isEnded || this.input.read());
    this.endsWithin(LINGER_MS);
    this.output.mark();
  }

  // ---- output -------------------------------------------------------------------------------

  get accepting(): boolean {
    return this.output.isAccepting;
  }

  sendRun(segment: Segment, from: number, to: number): void {
    this.output.run(segment, from, to);
  }

  sendRecord(segment: Segment, index: number, attempts: number): void {
    this.output.record(segment, index, attempts);
  }

  channelDeleted(): void {
    this.subscription = null;
    this.end("its channel was deleted");
  }

  outputWritten(): void {
    if (this.#isEnded) return;
    if (this.#is.is === "lingering") {
      if (this.output.isPending) return;
      if (this.input.isEnded) this.end("");
      else this.#transport.closeWrite().catch((cause) => this.streamFailed(cause));
      return;
    }
    if (this.#isCongested && !this.output.isFull) {
      this.#isCongested = false;
      this.#become(this.#is);
      this.host.broker.beginTurn();
      this.#goOn();
    }
    this.subscription?.channel.wake();
  }

  /** Reading or writing failed. */
  streamFailed(cause: unknown): void {
    this.end(cause instanceof Error ? cause.message : String(cause));
  }

  /** When too many answers wait, no command is run before the client has read some. */
  answered(): void {
    if (this.#isCongested || !this.output.isFull || this.#is.is !== "open") return;
    this.#isCongested = true;
    this.input.mayRun = false;
    this.#deadlines.suspend();
  }

  /** Runs what has come meanwhile, and reads on. */
  #goOn(): void {
    this.#run();
    if (this.#is.is !== "open" || this.#isCongested) return;
    if (this.input.isEnded) this.inputEnded();
    else this.#readOn();
  }

  // ---- IDENTIFY and AUTH --------------------------------------------------------------------

  identify(body: Uint8Array): void {
    const { session } = this, { broker, options, tls } = this.host;
    const before = session.negotiated, isFirst = !session.isIdentified;
    const answer = session.identify(body, options, tls !== null);
    if (isFirst) this.#deadlines.startHeartbeats(broker.nowMs, session.heartbeatIntervalMs);
    this.#awaitCommand();
    this.respond(answer);
    if (!isUpgrade(before, session.negotiated)) return;
    const upgrade = new Upgrade(this, this.#transport);
    this.#become({ is: "upgrading", upgrade });
    upgrade.start(before, session.negotiated, tls);
  }

  respond(data: Uint8Array): void {
    this.output.response(data);
    this.answered();
  }

  suspend(): void {
    this.#become(WAITING);
    this.#deadlines.suspend();
  }

  resume(finish: () => void): void {
    if (this.#isLeaving) return;
    this.#become(OPEN);
    this.host.broker.beginTurn();
    try {
      finish();
    } catch (cause) {
      if (!this.commandFailed(cause)) return;
    }
    this.#goOn();
  }

  describe(): string {
    return `${this.settings.clientId} ${this.remoteAddress}`.trimStart();
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

  endsWithin(limitMs: number): void {
    this.#deadlines.limit(this.nowMs() + limitMs);
  }

  changeTransport(transport: Transport, tls: TlsSession | null): void {
    if (tls !== null) {
      this.tls = tls;
      this.state = "init";
    }
    this.#transport = transport;
    this.input.changeTransport(transport);
    this.output.changeSink(transport);
    if (this.#isEnded) transport.close();
    else this.output.ok();
  }

  upgraded(): void {
    if (this.#isLeaving) return;
    this.#become(OPEN);
    this.host.broker.beginTurn();
    this.#awaitCommand();
    this.#readOn();
  }

  upgradeFailed(cause: Error, mayRead: Promise<void>): void {
    if (this.#isLeaving) return;
    this.host.logger.info(`[${this.remoteAddress}] the stream was not upgraded - ${cause.message}`);
    this.host.broker.beginTurn();
    this.#refuse(errors.identifyFailed(cause), mayRead);
  }

  // ---- time and end -------------------------------------------------------------------------

  /** Sends a heartbeat when one is due and ends the connection when its client has been silent too long. */
  check(nowMs: number): number {
    const { output } = this, deadlines = this.#deadlines, intervalMs = deadlines.heartbeatIntervalMs;
    if (deadlines.isOver(nowMs)) this.#missedDeadline();
    else if (output.isWriting && intervalMs > 0 && nowMs - output.progressMs > intervalMs) {
      this.end("it takes no bytes");
    } else if (this.#is.is !== "lingering" && this.#is.is !== "upgrading" && deadlines.takeHeartbeat(nowMs)) {
      output.response(HEARTBEAT);
    }
    const isWatched = this.#is.is === "lingering" || this.#is.is === "upgrading" || output.isWriting;
    return isWatched ? nowMs : deadlines.nextMs;
  }

  #missedDeadline(): void {
    if (this.#is.is === "upgrading") {
      const addresses = `${this.#localAddress}->${this.remoteAddress}`;
      return this.#is.upgrade.timedOut(new Error(`read tcp ${addresses}: i/o timeout`));
    }
    // The disk may take longer than a client.
    if (this.#is.is === "lingering" && this.output.isHeld) return this.#linger();
    const error = this.#is.is === "lingering" ? null : this.input.truncation();
    if (error === null) return this.end("nothing was heard of it in time");
    this.#refuse(error);
  }

  #leaveChannel(): void {
    const { subscription } = this;
    this.subscription = null;
    subscription?.channel.unsubscribe(subscription);
  }

  /** Ends the connection at once. `reason` is for the log; empty for an ordinary end. */
  end(reason: string): void {
    if (this.#isEnded) return;
    if (reason !== "") this.host.logger.debug(`[${this.remoteAddress}] closing: ${reason}`);
    this.#become(ENDED);
    this.auth?.cancel();
    this.#leaveChannel();
    this.output.end();
    this.input.close();
    this.#transport.close();
    this.host.connectionEnded(this);
  }
}
