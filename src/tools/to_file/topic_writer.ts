/**
 * One topic on its way into files: a consumer, the files, and the loop between them.
 *
 * A message is finished only when its bytes are on the disk. Messages that come while the disk works wait in memory
 * and are synced together; there are never more than the consumer has in flight. While the disk refuses, nothing new
 * is taken and what is held is touched, until the disk takes it again.
 */
import { setImmediate } from "node:timers";
import type { Consumer, Message } from "../../client/mod.ts";
import type { Logger } from "../../log/logger.ts";
import { reasonOf, ToolError } from "../tool.ts";
import { RecordBatch } from "./record_batch.ts";
import type { TopicFiles } from "./topic_files.ts";

const RETRY_MS = 1_000;
/** Between two touches of what is held while the disk refuses; well below any usual message timeout. */
const TOUCH_MS = 15_000;

export interface WriterSettings {
  /** For the log, `topic/channel`. */
  label: string;
  maxInFlight: number;
  syncIntervalMs: number;
}

/** What happened since the loop last looked. */
interface Wishes {
  tick: boolean;
  hangup: boolean;
}

export class TopicWriter {
  readonly #consumer: Consumer;
  readonly #files: TopicFiles;
  readonly #settings: WriterSettings;
  readonly #logger: Logger;
  /** What came since the loop last looked. */
  #incoming = new RecordBatch();
  #incomingMessages: Message[] = [];
  /** What the loop is putting into files. */
  #current = new RecordBatch();
  /** In files, not on the disk yet, and what is in `#current`. */
  #unsynced: Message[] = [];
  #wishes: Wishes = { tick: false, hangup: false };
  #isStopping = false;
  #isDrained = false;
  #isAbandoned = false;
  #isWakePlanned = false;
  #wake: () => void = () => {};
  /** Resolves when all that came is on the disk or was given back, and the files are closed. */
  readonly done: Promise<void>;

  constructor(consumer: Consumer, files: TopicFiles, settings: WriterSettings, logger: Logger) {
    this.#consumer = consumer;
    this.#files = files;
    this.#settings = settings;
    this.#logger = logger;
    this.done = this.#run();
  }

  /** SIGHUP: syncs and closes the file; the next message opens another. */
  hangup(): void {
    this.#wishes.hangup = true;
    this.#wake();
  }

  /** Takes nothing new, and ends when everything is on the disk. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#consumer.close().catch((cause) => this.#logger.error(`${this.#label} ${reasonOf(cause)}`)).finally(
      () => {
        this.#isDrained = true;
        this.#wake();
      },
    );
    this.#wake();
  }

  /** Ends at once: what is not synced will come again. */
  abandon(): void {
    this.#isAbandoned = true;
    this.stop();
    this.#wake();
  }

  get #label(): string {
    return `[${this.#settings.label}]`;
  }

  async #run(): Promise<void> {
    const consuming = this.#consumer.run((message) => this.#take(message), {
      concurrency: this.#settings.maxInFlight,
    });
    consuming.catch((cause) => this.#logger.error(`${this.#label} ${reasonOf(cause)}`));
    const timer = setInterval(() => {
      this.#wishes.tick = true;
      this.#wake();
    }, this.#settings.syncIntervalMs);
    try {
      await this.#loop();
      if (!this.#isAbandoned) await this.#persist("close", () => this.#files.close());
    } finally {
      clearInterval(timer);
      this.#files.abandon();
    }
  }

  #take(message: Message): void {
    message.detach();
    this.#incoming.add(message.body);
    this.#incomingMessages.push(message);
    if (this.#isWakePlanned) return;
    this.#isWakePlanned = true;
    // At the end of the turn, with all that came in it.
    setImmediate(() => {
      this.#isWakePlanned = false;
      this.#wake();
    });
  }

  get #hasWork(): boolean {
    const { tick, hangup } = this.#wishes;
    return tick || hangup || this.#isDrained || this.#isAbandoned || this.#incomingMessages.length > 0;
  }

  async #loop(): Promise<void> {
    while (!this.#isAbandoned) {
      if (!this.#hasWork) await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = () => {};
      const wishes = this.#wishes;
      this.#wishes = { tick: false, hangup: false };
      const isLast = this.#isDrained;
      if (this.#incomingMessages.length > 0) {
        [this.#current, this.#incoming] = [this.#incoming, this.#current];
        for (const message of this.#incomingMessages) this.#unsynced.push(message);
        this.#incomingMessages = [];
        await this.#persist("write", () => this.#files.put(this.#current));
        this.#current.clear();
      }
      if (wishes.tick) await this.#persist("rotate", () => this.#files.tick());
      if (wishes.tick || wishes.hangup || this.#isStopping || this.#isFull) await this.#sync(wishes.tick);
      if (wishes.hangup) await this.#persist("close", () => this.#files.close());
      if (isLast && this.#incomingMessages.length === 0) return;
    }
  }

  /** Whether nsqd may be waiting for us rather than we for it. */
  get #isFull(): boolean {
    const held = this.#unsynced.length + this.#incomingMessages.length;
    return held >= this.#settings.maxInFlight || this.#consumer.isStarved;
  }

  async #sync(isDue: boolean): Promise<void> {
    const messages = this.#unsynced;
    if (messages.length === 0) return;
    const text = `${this.#label} syncing ${messages.length} records to disk`;
    if (isDue) this.#logger.info(text);
    else this.#logger.debug(text);
    await this.#persist("sync", () => this.#files.sync());
    if (this.#isAbandoned) return;
    this.#unsynced = [];
    let lateMessages = 0;
    for (const message of messages) if (!message.finish()) lateMessages++;
    if (lateMessages > 0) {
      this.#logger.warn(
        `${this.#label} ${lateMessages} messages were on the disk too late to be finished and will come again; ` +
          "--sync-interval has to be below the message timeout",
      );
    }
  }

  /**
   * Has the disk do something, again and again while it refuses, until it does or this is abandoned.
   *
   * @throws {ToolError} when it refuses and the consumer is closed already
   */
  async #persist(action: string, work: () => Promise<void>): Promise<void> {
    let isTroubled = false;
    let touchedAtMs = -Infinity;
    while (!this.#isAbandoned) {
      try {
        await work();
        break;
      } catch (cause) {
        if (!isTroubled) {
          this.#logger.error(
            `${this.#label} cannot ${action}: ${
              reasonOf(cause)
            }; nothing is taken until the disk accepts it, ` +
              `${this.#unsynced.length} messages are held`,
          );
          this.#consumer.maxInFlight = 0;
        }
        isTroubled = true;
        if (this.#isDrained) {
          // The consumer is closed: what is held is no longer ours, and will come again.
          throw new ToolError(`cannot ${action}: ${reasonOf(cause)}; what was not synced was given back`, {
            cause,
          });
        }
        if (performance.now() - touchedAtMs > TOUCH_MS) {
          touchedAtMs = performance.now();
          for (const message of [...this.#unsynced, ...this.#incomingMessages]) message.touch();
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    if (!isTroubled || this.#isAbandoned) return;
    this.#logger.info(`${this.#label} the disk accepts it again`);
    this.#consumer.maxInFlight = this.#settings.maxInFlight;
  }
}
