/**
 * Keeps one node connected: tries its addresses in turn, and after a failure or a loss again, with pauses that
 * double and are partly random. An attempt has one promise of its own and one timer before it, so that a node
 * that is down for days costs nothing that stays.
 *
 * Tested in test/client/nodes/link_test.ts.
 */
import { Connection } from "../connection/connection.ts";
import { ClosedError, type NsqError } from "../errors.ts";
import type { Connecting } from "../options/options.ts";
import { connectionChannel } from "../tracing.ts";

/** Who wants the node connected. */
export interface LinkListener {
  /** A connection is there; it is to be started now. Its end is told with `Link.lost()`. */
  onOpen(link: Link, connection: Connection): void;
  /** An attempt failed; the next one comes by itself. */
  onFailed(link: Link, error: NsqError): void;
}

/** More would be above any longest pause. */
const MAX_DOUBLINGS = 30;

/** The wish to be connected to a node. */
export class Link {
  /** What tells nodes apart. */
  readonly key: string;
  /** Under which the node may be reached, the best first. */
  addresses: readonly string[];
  /** While connected. */
  connection: Connection | null = null;
  #failures = 0;
  #isConfirmed = false;
  readonly #options: Connecting;
  readonly #isConsumer: boolean;
  readonly #listener: LinkListener;
  #abort: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(
    key: string,
    addresses: readonly string[],
    options: Connecting,
    isConsumer: boolean,
    listener: LinkListener,
  ) {
    this.key = key;
    this.addresses = addresses;
    this.#options = options;
    this.#isConsumer = isConsumer;
    this.#listener = listener;
  }

  /** The connection does what it is for; until then its loss counts as a failed attempt. */
  confirm(): void {
    this.#isConfirmed = true;
    this.#failures = 0;
  }

  /** Whether an attempt is being made at this moment. */
  get isConnecting(): boolean {
    return this.#abort !== null;
  }

  /** Tries now. Resolves when the attempt is decided, the listener told; never rejects. */
  async connect(): Promise<NsqError | null> {
    if (this.connection !== null || this.#abort !== null || this.#isStopped) return null;
    clearTimeout(this.#timer);
    const abort = this.#abort = new AbortController();
    let failure: NsqError | null = null;
    for (const address of this.addresses) {
      try {
        const connection = await this.#open(address, abort.signal);
        this.#abort = null;
        if (this.#isStopped) {
          connection.destroy(null);
          return null;
        }
        this.connection = connection;
        this.#listener.onOpen(this, connection);
        return null;
      } catch (cause) {
        failure = cause as NsqError;
        if (this.#isStopped) break;
      }
    }
    this.#abort = null;
    if (this.#isStopped) return new ClosedError(`connecting to ${this.key} was given up`);
    this.#failures++;
    this.#retry();
    this.#listener.onFailed(this, failure!);
    return failure;
  }

  #open(address: string, signal: AbortSignal): Promise<Connection> {
    const open = () => Connection.open(address, this.#options, this.#isConsumer, signal);
    if (!connectionChannel.hasSubscribers) return open();
    return connectionChannel.tracePromise(open, { address, isConsumer: this.#isConsumer });
  }

  /** The connection is gone; unless the link was stopped it is made again. */
  lost(): void {
    this.connection = null;
    if (!this.#isConfirmed) this.#failures++;
    this.#isConfirmed = false;
    if (!this.#isStopped) this.#retry();
  }

  /** Gives up for good, in the middle of an attempt too. An open connection is left to its user. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  #retry(): void {
    const { reconnectDelayMs, lookupdPollIntervalMs } = this.#options;
    const doubled = reconnectDelayMs * 2 ** Math.min(MAX_DOUBLINGS, Math.max(0, this.#failures - 1));
    const delayMs = Math.min(Math.max(lookupdPollIntervalMs, reconnectDelayMs), doubled);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), delayMs * (0.5 + Math.random() / 2));
  }
}
