/**
 * Pushes statistics to a statsd daemon by UDP.
 *
 * Subjects (topics, channels, memory) get their lines one after the other, so that neither the event loop nor the
 * daemon has to take all at once: 50 a second, or as many more as it takes to be done a second before the next
 * push. One that cannot be sent is logged and given up; counters that had no line yet go with the next.
 */
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import type { Logger } from "../../log/logger.ts";
import { parseAddress } from "../../net/address.ts";
import type { StatsdLines, Subject } from "./statsd_lines.ts";

export interface StatsdSettings {
  /** `host:port`; looked up anew for each push. */
  readonly address: string;
  readonly intervalMs: number;
  /** Packets are not larger, except for a line that is. */
  readonly packetBytes: number;
}

/** What a push leaves free of its interval. */
const REST_MS = 1000;
/** Between subjects, when there is time. */
const MAX_GAP_MS = 20;
/** Subjects that come due within this time have their turn together. */
const STEP_MS = 50;
/** Packets on their way to the system; those beyond are dropped, as the network would. */
const MAX_SENDING = 256;
/** How long the last packets may take at the end. */
const LAST_PACKETS_MS = 1000;

export class Statsd {
  readonly #lines: StatsdLines;
  readonly #settings: StatsdSettings;
  readonly #logger: Logger;
  #interval: ReturnType<typeof setInterval> | undefined;
  #push: Push | null = null;
  #isStarting = false;
  #stopped = false;

  constructor(lines: StatsdLines, settings: StatsdSettings, logger: Logger) {
    this.#lines = lines;
    this.#settings = settings;
    this.#logger = logger;
  }

  /** The first push comes after one interval. */
  start(): void {
    this.#interval = setInterval(() => void this.#start(), this.#settings.intervalMs);
  }

  async #start(): Promise<void> {
    // Looking up the address may take longer than an interval.
    if (this.#isStarting) return;
    this.#isStarting = true;
    try {
      const destination = await resolve(this.#settings.address);
      await this.#push?.finish();
      if (this.#stopped) return;
      this.#logger.debug(`STATSD: pushing to ${this.#settings.address}`);
      this.#push = new Push(this.#lines, this.#settings, destination, this.#logger);
    } catch (cause) {
      const { address } = this.#settings;
      this.#logger.error(`STATSD: failed to push to ${address} - ${(cause as Error).message}`);
    } finally {
      this.#isStarting = false;
    }
  }

  /** Sends what is left of a push at once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#interval);
    await this.#push?.finish();
  }
}

interface Destination {
  host: string;
  port: number;
  family: number;
}

async function resolve(address: string): Promise<Destination> {
  const parsed = parseAddress(address);
  if (parsed.kind === "unix") throw new Error("it is not of the form host:port");
  if (parsed.port === 0) throw new Error("it has no port");
  const found = await lookup(parsed.hostname);
  return { host: found.address, port: parsed.port, family: found.family };
}

/** One push, from its first packet to its last. */
class Push {
  readonly #lines: StatsdLines;
  readonly #settings: StatsdSettings;
  readonly #destination: Destination;
  readonly #logger: Logger;
  readonly #subjects: Subject[];
  readonly #socket: Socket;
  readonly #startedMs = performance.now();
  /** Between subjects; 0 when the interval has no time for that. */
  readonly #gapMs: number;
  #done = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Lines of the packet that is being filled. */
  #packet: Buffer[] = [];
  #packetBytes = 0;
  #sending = 0;
  #failures = 0;
  #onSent: () => void = () => {};
  #ended: Promise<void> | null = null;

  constructor(lines: StatsdLines, settings: StatsdSettings, destination: Destination, logger: Logger) {
    this.#lines = lines;
    this.#settings = settings;
    this.#destination = destination;
    this.#logger = logger;
    this.#subjects = lines.subjects();
    const spreadMs = Math.max(0, settings.intervalMs - REST_MS);
    this.#gapMs = Math.min(MAX_GAP_MS, spreadMs / Math.max(1, this.#subjects.length));
    this.#socket = createSocket(destination.family === 6 ? "udp6" : "udp4");
    this.#socket.on("error", (cause) => this.#failed(cause));
    this.#step();
  }

  /** Makes the lines of the subjects that are due, and ends after the last one. */
  #step(): void {
    const count = this.#subjects.length, gapMs = this.#gapMs;
    const elapsedMs = performance.now() - this.#startedMs;
    const due = gapMs === 0 ? count : Math.min(count, Math.floor((elapsedMs + STEP_MS) / gapMs) + 1);
    this.#writeTo(due);
    if (due === count) void this.finish();
    else this.#timer = setTimeout(() => this.#step(), Math.max(STEP_MS, due * gapMs - elapsedMs));
  }

  #writeTo(end: number): void {
    while (this.#done < end) {
      for (const line of this.#lines.linesOf(this.#subjects[this.#done++])) this.#add(Buffer.from(line));
    }
  }

  /** Does the rest at once; resolves when all is sent, or does not go. */
  finish(): Promise<void> {
    return this.#ended ??= this.#end();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#writeTo(this.#subjects.length);
    this.#flush();
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (this.#sending > 0) {
      await new Promise<void>((resolve) => {
        this.#onSent = resolve;
        timer = setTimeout(resolve, LAST_PACKETS_MS);
      });
    }
    clearTimeout(timer);
    this.#socket.close();
  }

  #add(line: Buffer): void {
    if (this.#packetBytes > 0 && this.#packetBytes + line.length > this.#settings.packetBytes) this.#flush();
    this.#packet.push(line);
    this.#packetBytes += line.length;
  }

  #flush(): void {
    if (this.#packetBytes === 0) return;
    const packet = Buffer.concat(this.#packet, this.#packetBytes);
    this.#packet = [];
    this.#packetBytes = 0;
    if (this.#sending >= MAX_SENDING) {
      return this.#failed(new Error("packets are dropped, sending is too slow"));
    }
    const { host, port } = this.#destination;
    try {
      this.#socket.send(packet, port, host, (cause) => this.#sent(cause));
      this.#sending++;
    } catch (cause) {
      this.#failed(cause as Error);
    }
  }

  #sent(cause: Error | null): void {
    if (cause) this.#failed(cause);
    if (--this.#sending === 0) this.#onSent();
  }

  /** One line of the log for each push is enough. */
  #failed(cause: Error): void {
    if (this.#failures++ > 0) return;
    this.#logger.error(`STATSD: failed to push to ${this.#settings.address} - ${cause.message}`);
  }
}
