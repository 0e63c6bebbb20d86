/** Writes the history to its file every few minutes, and at the end. Tested in test/admin/history/history_file_test.ts. */
import type { Logger } from "../../log/logger.ts";
import type { History } from "./history.ts";
import { readHistory, writeHistory } from "./history_file.ts";

const INTERVAL_MS = 5 * 60_000;

export class HistoryKeeper {
  readonly #path: string;
  readonly #history: History;
  readonly #logger: Logger;
  #timer: ReturnType<typeof setInterval> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, history: History, logger: Logger) {
    this.#path = path;
    this.#history = history;
    this.#logger = logger;
  }

  /** Takes over what the file holds. */
  async read(): Promise<void> {
    const stored = await readHistory(this.#path, this.#logger);
    if (stored !== null) this.#history.restore(stored);
  }

  start(): void {
    this.#timer = setInterval(() => this.write(), INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.write();
  }

  /** Resolves when it is written, or could not be, which is logged. */
  write(): Promise<void> {
    return this.#writing = this.#writing.then(async () => {
      try {
        await writeHistory(this.#path, this.#history.store());
      } catch (cause) {
        this.#logger.error(`failed to write the history ${this.#path} - ${(cause as Error).message}`);
      }
    });
  }
}
