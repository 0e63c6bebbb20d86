/**
 * How many messages each node may have out: the slots of a consumer shared among its nodes.
 *
 * With a slot for every node each gets an equal share. With fewer slots than nodes they go round: each node has
 * a slot for a turn, short enough that all had one within a second.
 *
 * RDY is a ceiling that a node keeps until it is told another. What a node has out cannot be called back, so a
 * node gets more only when what others have out leaves room: the sum stays within the slots.
 */

/** A node as it is seen here. */
export interface ReadyNode {
  /** The node's own limit. */
  readonly maxRdyCount: number;
  /** Messages in hand. */
  readonly inFlight: number;
  /** When its last message came, on the clock of `performance.now()`. */
  readonly lastMessageMs: number;
  /** What it was told last. */
  rdy: number;
  /** What it is to have. */
  rdyTarget: number;
  /** When it was told. */
  rdySinceMs: number;
  /** Tells it. */
  sendRdy(count: number): void;
}

/** Times of going round; null for what gives each node a turn within a second. */
export interface RotationSettings {
  readonly lowRdyIdleTimeoutMs: number | null;
  readonly lowRdyTimeoutMs: number | null;
  readonly rdyRedistributeIntervalMs: number | null;
}

/** All nodes had a turn after this. */
const ROUND_MS = 600;
const MIN_TURN_MS = 10;

/** Shares slots among nodes. */
export class ReadyShares {
  readonly #nodes: ReadyNode[] = [];
  readonly #settings: RotationSettings;
  /** Slots that may be given out. */
  #slots = 0;
  /** Messages that may be in hand; the slots are fewer in backoff. */
  #limit = 0;
  #next = 0;
  #isShort = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(settings: RotationSettings) {
    this.#settings = settings;
  }

  /** Whether a node waits for more until messages are answered: then `apply()` is to be called after that. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** `slots` messages may come from now on, and `limit` may be in hand. */
  setSlots(slots: number, limit: number): void {
    this.#slots = slots;
    this.#limit = limit;
    this.#share();
  }

  add(node: ReadyNode): void {
    this.#nodes.push(node);
    this.#share();
  }

  remove(node: ReadyNode): void {
    const index = this.#nodes.indexOf(node);
    if (index < 0) return;
    this.#nodes.splice(index, 1);
    if (index < this.#next) this.#next--;
    this.#share();
  }

  /** Ends the turns. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  get #isScarce(): boolean {
    return this.#slots > 0 && this.#nodes.length > this.#slots;
  }

  #share(): void {
    const count = this.#nodes.length;
    if (!this.#isScarce) {
      this.stop();
      const base = Math.floor(this.#slots / Math.max(1, count)), rest = this.#slots - base * count;
      this.#nodes.forEach((node, i) => {
        node.rdyTarget = Math.min(node.maxRdyCount, base + (i < rest ? 1 : 0));
      });
    } else {
      let free = this.#slots;
      for (const node of this.#nodes) {
        node.rdyTarget = node.rdyTarget > 0 && free > 0 ? 1 : 0;
        free -= node.rdyTarget;
      }
      this.#fill(free);
      if (this.#timer === undefined) this.#arm();
    }
    this.apply();
  }

  /** Gives a turn to the next `free` nodes that have none. */
  #fill(free: number): void {
    const count = this.#nodes.length;
    for (let tried = 0; tried < count && free > 0; tried++) {
      const node = this.#nodes[this.#next++ % count];
      if (node.rdyTarget > 0) continue;
      node.rdyTarget = 1;
      free--;
    }
    this.#next %= count;
  }

  #turnMs(): number {
    return Math.max(MIN_TURN_MS, ROUND_MS / Math.ceil(this.#nodes.length / Math.max(1, this.#slots)));
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#isScarce) return;
      this.#rotate();
      this.#arm();
    }, this.#settings.rdyRedistributeIntervalMs ?? this.#turnMs());
  }

  #rotate(): void {
    const now = performance.now();
    const { lowRdyIdleTimeoutMs: idleMs, lowRdyTimeoutMs: longestMs } = this.#settings;
    const isOver = (node: ReadyNode) =>
      (idleMs ?? 0) <= now - Math.max(node.lastMessageMs, node.rdySinceMs) ||
      (longestMs ?? 0) <= now - node.rdySinceMs;
    const over = this.#nodes.filter((node) => node.rdyTarget > 0 && isOver(node));
    const waiting = this.#nodes.filter((node) => node.rdyTarget === 0).length;
    const changing = over.slice(0, waiting);
    // They keep their mark while others are chosen, so that none of them is chosen again.
    this.#fill(changing.length);
    for (const node of changing) node.rdyTarget = 0;
    this.apply();
  }

  /** Tells nodes their share, as far as what is in hand allows. */
  apply(): void {
    this.#isShort = false;
    let free = this.#limit;
    for (const node of this.#nodes) {
      if (node.rdy > node.rdyTarget) this.#send(node, node.rdyTarget);
      free -= Math.max(node.rdy, node.inFlight);
    }
    for (const node of this.#nodes) {
      if (node.rdy >= node.rdyTarget) continue;
      const out = Math.max(node.rdy, node.inFlight);
      const rdy = Math.min(node.rdyTarget, out + Math.max(0, free));
      // A ceiling at or below what is out lets nothing come.
      if (rdy > node.rdy && rdy > node.inFlight - 1) {
        free -= Math.max(0, rdy - out);
        this.#send(node, rdy);
      }
      if (rdy < node.rdyTarget) this.#isShort = true;
    }
  }

  #send(node: ReadyNode, count: number): void {
    node.rdy = count;
    node.rdySinceMs = performance.now();
    node.sendRdy(count);
  }
}
