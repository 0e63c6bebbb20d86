/**
 * The consumers of a utility as one thing that runs and stops: it ends when all of them have.
 *
 * Tested in test/tools/tail/tail_test.ts and test/tools/to_nsq/to_nsq_test.ts.
 */
import { ConnectionError, type Consumer, type Message } from "../client/mod.ts";
import { exitCode, reasonOf, type RunningTool, ToolError } from "./tool.ts";

/** How long a stop waits for messages in hand. */
const STOP_MS = 30_000;

export class Consumers implements RunningTool {
  readonly done: Promise<number>;
  readonly #consumers: readonly Consumer[];
  readonly #exit = exitCode();
  readonly #close: () => void | Promise<void>;
  #stopping: Promise<void> | null = null;

  /** @param close releases what the handlers use, once none runs any more */
  constructor(consumers: readonly Consumer[], close: () => void | Promise<void> = () => {}) {
    this.#consumers = consumers;
    this.#close = close;
    this.done = this.#exit.done;
  }

  /** Has `handler` take the messages of one of them. A `ToolError` that it throws ends the utility. */
  run(consumer: Consumer, concurrency: number, handler: (message: Message) => void | Promise<void>): void {
    const guarded = async (message: Message) => {
      try {
        await handler(message);
      } catch (cause) {
        if (cause instanceof ToolError) this.fail(cause);
        throw cause;
      }
    };
    consumer.run(guarded, { concurrency }).catch((cause) => this.fail(cause));
  }

  /** Resolves when all of them found where to consume from. @throws {ToolError} when an nsqd cannot be reached */
  async ready(): Promise<void> {
    try {
      await Promise.all(this.#consumers.map((consumer) => consumer.ready()));
    } catch (cause) {
      await this.stop(true);
      if (cause instanceof ConnectionError || cause instanceof Error) {
        throw new ToolError(reasonOf(cause), { cause });
      }
      throw cause;
    }
  }

  /** Ends it with an error: what is in hand is given back. */
  fail(cause: unknown): void {
    this.#exit.fail(cause);
    void this.stop(true);
  }

  async stop(force = false): Promise<void> {
    const timeoutMs = force ? 0 : STOP_MS;
    const closed = Promise.all(this.#consumers.map((consumer) => consumer.close({ timeoutMs })));
    this.#stopping ??= closed.then(() => this.#close());
    await Promise.all([closed, this.#stopping]);
    this.#exit.end(0);
  }
}
