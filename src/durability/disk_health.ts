/**
 * What the disk refuses at the moment, by action: a failure is logged when it begins and when it is over, and
 * holds until the same action succeeds.
 */
import type { Logger } from "../log/logger.ts";

export class DiskHealth {
  readonly #logger: Logger;
  readonly #failures = new Map<string, Error>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Why something fails, null when nothing does. */
  get failure(): Error | null {
    for (const cause of this.#failures.values()) return cause;
    return null;
  }

  isFailing(action: string): boolean {
    return this.#failures.has(action);
  }

  /** Why `action` fails, null when it does not. */
  failureOf(action: string): Error | null {
    return this.#failures.get(action) ?? null;
  }

  /** Does `work`, and takes note of how it went. */
  guard(action: string, work: () => void): void {
    try {
      work();
      this.worked(action);
    } catch (cause) {
      this.failed(action, cause as Error);
    }
  }

  worked(action: string): void {
    if (this.#failures.size === 0 || !this.#failures.delete(action)) return;
    this.#logger.info(`LOG: ${action} works again`);
  }

  failed(action: string, cause: Error): void {
    if (!this.#failures.has(action)) this.#logger.error(`LOG: failed to ${action} - ${cause.message}`);
    this.#failures.set(action, cause);
  }
}
