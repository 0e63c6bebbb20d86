/**
 * When a connection is due for something: its next heartbeat, and the moment by which its client must have sent
 * something, or another thing be done.
 *
 * Times are monotonic ms; `Infinity` for never.
 */

export class Deadlines {
  /** Tells whoever looks at the clock for this connection that it has to come earlier. */
  readonly #checkBy: (timeMs: number) => void;
  #heartbeatIntervalMs = 0;
  #heartbeatAtMs = Infinity;
  #limitMs = Infinity;

  constructor(checkBy: (timeMs: number) => void) {
    this.#checkBy = checkBy;
  }

  /** 0 for no heartbeats. */
  get heartbeatIntervalMs(): number {
    return this.#heartbeatIntervalMs;
  }

  /** False while the client may take its time. */
  get isLimited(): boolean {
    return this.#limitMs !== Infinity;
  }

  /** Sends heartbeats every `intervalMs` from now on; none with 0. */
  startHeartbeats(nowMs: number, intervalMs: number): void {
    this.#heartbeatIntervalMs = intervalMs;
    this.#heartbeatAtMs = intervalMs > 0 ? nowMs + intervalMs : Infinity;
    this.#checkBy(this.#heartbeatAtMs);
  }

  /** True when a heartbeat is due; the next is then an interval later. */
  takeHeartbeat(nowMs: number): boolean {
    if (nowMs < this.#heartbeatAtMs) return false;
    this.#heartbeatAtMs = Math.max(nowMs, this.#heartbeatAtMs + this.#heartbeatIntervalMs);
    return true;
  }

  /** The connection has until `timeMs`. */
  limit(timeMs: number): void {
    this.#limitMs = timeMs;
    this.#checkBy(timeMs);
  }

  /** The client is not late: we are. */
  suspend(): void {
    this.#limitMs = Infinity;
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.#limitMs;
  }

  /** When to look again. */
  get nextMs(): number {
    return Math.min(this.#limitMs, this.#heartbeatAtMs);
  }
}
