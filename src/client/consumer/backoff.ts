/**
 * The backoff of a whole consumer, as the official Go client has it: failures raise a level, successes lower
 * it. Above level 0 all nodes wait; then one message is taken as a probe, and its outcome is the next step.
 */

/** What backoff depends on. */
export interface BackoffSettings {
  readonly backoffStrategy: "exponential" | "full_jitter";
  /** 0 for no backoff at all. */
  readonly maxBackoffMs: number;
  readonly backoffMultiplierMs: number;
}

/** Where a consumer stands. */
export interface BackoffState {
  /** 0 when all is well. */
  readonly level: number;
  /** How long nothing is taken from now on, ms; 0 when one message is tried, or all is well. */
  readonly waitMs: number;
}

const MAX_DOUBLINGS = 40;

/** The state machine; `onChange` is called whenever what may be taken changes. */
export class Backoff {
  readonly #settings: BackoffSettings;
  readonly #onChange: (state: BackoffState) => void;
  readonly #random: () => number;
  #level = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isWaiting = false;

  constructor(
    settings: BackoffSettings,
    onChange: (state: BackoffState) => void,
    random: () => number = Math.random,
  ) {
    this.#settings = settings;
    this.#onChange = onChange;
    this.#random = random;
  }

  /** 0 when all is well. */
  get level(): number {
    return this.#level;
  }

  /** Whether nothing is to be taken. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** A message was finished. */
  succeeded(): void {
    if (this.#level === 0 || this.#isWaiting) return;
    this.#level--;
    this.#go();
  }

  /** A message was requeued, and the consumer is to slow down. */
  failed(): void {
    if (this.#isWaiting || this.#settings.maxBackoffMs === 0) return;
    if (this.#delayMs(this.#level + 1) <= this.#settings.maxBackoffMs) this.#level++;
    if (this.#level > 0) this.#go();
  }

  /** A message was requeued without that wish: the level stays, and above 0 it is waited again. */
  continued(): void {
    if (this.#level > 0 && !this.#isWaiting) this.#go();
  }

  /** Ends all waiting. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#isWaiting = false;
    this.#level = 0;
  }

  #delayMs(level: number): number {
    return this.#settings.backoffMultiplierMs * 2 ** Math.min(level, MAX_DOUBLINGS);
  }

  #go(): void {
    if (this.#level === 0) return this.#onChange({ level: 0, waitMs: 0 });
    const { backoffStrategy, maxBackoffMs } = this.#settings;
    const share = backoffStrategy === "full_jitter" ? this.#random() : 1;
    const waitMs = Math.min(this.#delayMs(this.#level) * share, maxBackoffMs);
    this.#isWaiting = true;
    this.#timer = setTimeout(() => {
      this.#isWaiting = false;
      this.#onChange({ level: this.#level, waitMs: 0 });
    }, waitMs);
    this.#onChange({ level: this.#level, waitMs });
  }
}
