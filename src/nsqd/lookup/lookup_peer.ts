/**
 * One lookupd that this nsqd is registered with: connects, announces the node, repeats all
 * registrations, then passes on every change and a PING now and then.
 *
 * States: `connecting` (dialling, or waiting to dial again), `connected` (announced; commands go out in
 * order), `stopped`. Nothing is queued while connecting, because the full registration that follows
 * says it all. Any failure ends the connection.
 *
 * Go nsqd notices a lost connection at its next command and reconnects at the one after, up to
 * 30 s later. Here the loss is noticed at once and the node is back within about two seconds: until
 * then consumers that ask this lookupd would miss the node. Each peer works for itself, so that one
 * that hangs delays nobody.
 */
import type { Logger } from "../../log/logger.ts";
import { LOOKUP_TIMEOUT_MS, LookupConnection } from "./lookup_connection.ts";

/** Pause before the first attempt to reconnect; doubles up to `MAX_BACKOFF_MS`, less up to half by chance. */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 1_500;
/** Pause after lookupd has refused the announcement itself, which only a new configuration changes. */
const REFUSED_BACKOFF_MS = 15_000;
/** A connection that lasted this long was good; the next loss starts with the first pause again. */
const GOOD_CONNECTION_MS = 5_000;
/** Commands sent before their replies are awaited. */
const BATCH_COMMANDS = 128;
/** Changes that may wait for a slow lookupd; with more, connecting anew is shorter. */
const MAX_WAITING_COMMANDS = 10_000;
/** A lookupd that stays away is mentioned in the log this often. */
const REMINDER_INTERVAL_MS = 60_000;

/** The topics and channels of the broker, as they are now. */
export interface Registry {
  registrations(): Iterable<{ topic: string; channels: Iterable<string> }>;
}

/** What lookupd said about itself. */
export interface LookupdInfo {
  /** Where its HTTP API is; undefined when it did not say. */
  httpAddress: { hostname: string; port: number } | undefined;
  version: string;
}

/** What the peers of one nsqd share. */
export interface LookupPeerHost {
  readonly registry: Registry;
  readonly logger: Logger;
  /** Returns the JSON body of IDENTIFY, which is asked for at each connection. */
  readonly announcement: () => string;
  /** A longer reply ends the connection; `max-body-size`. */
  readonly maxReplyBytes: () => number;
}

export type LookupPeerState = "connecting" | "connected" | "stopped";

/** The announcement was answered with something else than JSON, such as `E_BAD_BODY ...`. */
class RefusedError extends Error {}

export class LookupPeer {
  /** `host:port` of the lookupd, as configured. */
  readonly address: string;
  /** What lookupd said at the last IDENTIFY, also while the connection is lost. */
  info: LookupdInfo | undefined;
  /** Resolves when the first attempt to connect has succeeded, so that `info` is there, or failed. */
  readonly introduced: Promise<void>;
  /** Resolves when the peer has stopped. */
  readonly done: Promise<void>;

  readonly #host: LookupPeerHost;
  readonly #stopping = new AbortController();
  #state: LookupPeerState = "connecting";
  #connection: LookupConnection | undefined;
  #commands: string[] = [];
  #wake: () => void = () => {};
  #settleIntroduction: () => void = () => {};
  #backoffMs = FIRST_BACKOFF_MS;
  #complainedAtMs = -Infinity;

  /** Starts at once. */
  constructor(address: string, host: LookupPeerHost) {
    this.address = address;
    this.#host = host;
    this.introduced = new Promise((resolve) => this.#settleIntroduction = resolve);
    this.done = this.#run();
  }

  get state(): LookupPeerState {
    return this.#state;
  }

  /** Sends a command line, or leaves it to the full registration when there is no connection. */
  send(command: string): void {
    if (this.#state !== "connected") return;
    this.#commands.push(command);
    this.#wake();
  }

  /** Closes the connection, which is how a node unregisters. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#stopping.abort();
    this.#connection?.close(new Error("stopped"));
    await this.done;
  }

  #isStopped(): boolean {
    return this.#state === "stopped";
  }

  async #run(): Promise<void> {
    while (!this.#isStopped()) {
      const startMs = performance.now();
      const failure = await this.#connectAndServe();
      if (this.#isStopped()) return;
      this.#state = "connecting";
      if (performance.now() - startMs > GOOD_CONNECTION_MS) this.#backoffMs = FIRST_BACKOFF_MS;
      this.#complain(failure);
      await this.#pause(failure instanceof RefusedError ? REFUSED_BACKOFF_MS : this.#backoff());
    }
  }

  /** Resolves with the reason when the connection ended or could not be made. */
  async #connectAndServe(): Promise<Error> {
    let connection: LookupConnection | undefined;
    try {
      connection = this.#connection = await LookupConnection.dial(splitAddress(this.address), {
        timeoutMs: LOOKUP_TIMEOUT_MS,
        maxReplyBytes: this.#host.maxReplyBytes(),
      }, this.#stopping.signal);
      connection.ended.then(() => this.#wake());
      await this.#announce(connection);
      return await this.#serve(connection);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#settleIntroduction();
      connection?.close(new Error("connection given up"));
      this.#connection = undefined;
    }
  }

  async #announce(connection: LookupConnection): Promise<void> {
    const reply = await connection.identify(this.#host.announcement());
    this.info = parseInfo(reply);
    this.#settleIntroduction();
    if (this.info.httpAddress === undefined) {
      this.#host.logger.error(`LOOKUPD(${this.address}): lookupd announces no address for its HTTP API`);
    }
  }

  /** Registers everything, then sends commands as they come. */
  async #serve(connection: LookupConnection): Promise<Error> {
    if (this.#isStopped()) return new Error("stopped");
    // From here to the first await nothing can change, so no change is missed or sent too early.
    this.#commands = registerCommands(this.#host.registry);
    this.#state = "connected";
    const { logger } = this.#host;
    logger.info(`LOOKUPD(${this.address}): connected, ${this.#commands.length} registrations to send`);
    this.#complainedAtMs = -Infinity;
    let maxWaiting = MAX_WAITING_COMMANDS + this.#commands.length;
    while (!this.#isStopped() && !connection.isEnded) {
      const batch = this.#commands.splice(0, BATCH_COMMANDS);
      if (batch.length > 0) this.#checkReplies(batch, await connection.execute(batch));
      else await new Promise<void>((resolve) => this.#wake = resolve);
      if (this.#commands.length > maxWaiting) {
        return new Error(`${this.#commands.length} changes wait, max is ${maxWaiting}`);
      }
      if (this.#commands.length < MAX_WAITING_COMMANDS) maxWaiting = MAX_WAITING_COMMANDS;
    }
    return this.#isStopped() ? new Error("stopped") : await connection.ended;
  }

  /** The contents of replies change nothing: after an error lookupd closes the connection itself. */
  #checkReplies(commands: readonly string[], replies: readonly string[]): void {
    for (let i = 0; i < replies.length; i++) {
      if (replies[i] === "OK") continue;
      this.#host.logger.warn(`LOOKUPD(${this.address}): ${commands[i]} answered ${quote(replies[i])}`);
    }
  }

  #complain(failure: Error): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedAtMs < REMINDER_INTERVAL_MS) return;
    this.#complainedAtMs = nowMs;
    this.#host.logger.error(`LOOKUPD(${this.address}): not registered, trying again - ${failure.message}`);
  }

  #backoff(): number {
    const delayMs = this.#backoffMs * (0.5 + Math.random() / 2);
    this.#backoffMs = Math.min(2 * this.#backoffMs, MAX_BACKOFF_MS);
    return delayMs;
  }

  async #pause(delayMs: number): Promise<void> {
    const { signal } = this.#stopping;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, delayMs);
      signal.addEventListener("abort", end);
    });
  }
}

/** One line for each channel; a topic needs its own only while it has none. */
function registerCommands(registry: Registry): string[] {
  const commands: string[] = [];
  for (const { topic, channels } of registry.registrations()) {
    let channelCount = 0;
    for (const channel of channels) {
      commands.push(`REGISTER ${topic} ${channel}`);
      channelCount++;
    }
    if (channelCount === 0) commands.push(`REGISTER ${topic}`);
  }
  return commands;
}

/** @throws {RefusedError} when the reply is not a JSON object */
function parseInfo(reply: string): LookupdInfo {
  const json = parseObject(reply);
  const { broadcast_address: hostname, http_port: port, version } = json;
  const hasAddress = typeof hostname === "string" && hostname !== "" && typeof port === "number" && port > 0;
  return {
    httpAddress: hasAddress ? { hostname, port } : undefined,
    version: typeof version === "string" ? version : "",
  };
}

function parseObject(reply: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(reply);
  } catch (cause) {
    throw new RefusedError(`IDENTIFY answered ${quote(reply)}`, { cause });
  }
  if (typeof json !== "object" || json === null) {
    throw new RefusedError(`IDENTIFY answered ${quote(reply)}`);
  }
  return json as Record<string, unknown>;
}

/** What lookupd sent, as it may stand in a log line. */
function quote(reply: string): string {
  return JSON.stringify(reply.slice(0, 200));
}

/** Splits `host:port`; an IPv6 host is in brackets, which are taken off. */
function splitAddress(address: string): { hostname: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(address);
  if (match === null) throw new Error(`lookupd address "${address}" is not host:port`);
  return { hostname: match[1] ?? (match[2] || "127.0.0.1"), port: Number(match[3]) };
}
