/** The life of a server: it runs until it is told to stop, or until a listener fails, and has an exit code then. */
import type { Logger } from "../log/logger.ts";

export class ServerLife {
  /** Resolves with the exit code of the process once the server has stopped; never rejects. */
  readonly done: Promise<number>;
  readonly #stopInOrder: () => Promise<boolean>;
  readonly #logger: Logger;
  readonly #exit: (code: number) => void;
  #stopping: Promise<void> | null = null;

  /** @param stopInOrder is called once at most; resolves with false when not everything could be saved */
  constructor(stopInOrder: () => Promise<boolean>, logger: Logger) {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.done = promise;
    this.#exit = resolve;
    this.#stopInOrder = stopInOrder;
    this.#logger = logger;
  }

  /** Stops with exit code 1 when accepting ends with a failure. */
  watch(name: string, ended: Promise<Error | null>): void {
    ended.then((failure) => {
      if (failure === null) return;
      this.#logger.fatal(`${name}: accepting ended - ${failure.message}`);
      this.#stopping ??= this.#stop(1);
    });
  }

  /** Stops in order, once however often it is called; with `force` the exit code comes at once, and it is 1. */
  stop(force = false): Promise<void> {
    if (!force) return this.#stopping ??= this.#stop(0);
    this.#exit(1);
    return Promise.resolve();
  }

  async #stop(code: number): Promise<void> {
    try {
      this.#exit(await this.#stopInOrder() ? code : 1);
    } catch (cause) {
      this.#logger.fatal(`failed to stop in order - ${(cause as Error).message}`);
      this.#exit(1);
    }
  }
}
