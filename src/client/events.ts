/**
 * Events with typed arguments. Nobody has to listen: an event without a listener is dropped, an `error` too,
 * and a listener that throws stops neither the other listeners nor the client.
 *
 * Tested in test/client/events_test.ts.
 */

/** By the name of each event, what its listeners get. */
export type EventMap<T> = { [K in keyof T]: unknown[] };

type Listener<A extends unknown[]> = (...args: A) => void;

/** The listeners of one object. */
export class Events<T extends EventMap<T>> {
  readonly #listeners = new Map<keyof T, Set<Listener<never>>>();
  readonly #onFault: (fault: unknown) => void;

  /** `onFault` gets what a listener threw. */
  constructor(onFault: (fault: unknown) => void = () => {}) {
    this.#onFault = onFault;
  }

  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof T>(event: K, listener: (...args: T[K]) => void): () => void {
    const set = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, set.add(listener as Listener<never>));
    return () => {
      set.delete(listener as Listener<never>);
    };
  }

  /** Whether anyone listens. */
  has(event: keyof T): boolean {
    return (this.#listeners.get(event)?.size ?? 0) > 0;
  }

  /** Calls the listeners that are there now. */
  emit<K extends keyof T>(event: K, ...args: T[K]): void {
    const set = this.#listeners.get(event);
    if (set === undefined) return;
    for (const listener of [...set]) {
      try {
        (listener as Listener<T[K]>)(...args);
      } catch (fault) {
        this.#onFault(fault);
      }
    }
  }

  /** Removes all listeners. */
  clear(): void {
    this.#listeners.clear();
  }
}
