/** What the tests of lookupd share: nodes, a clock that stands still, and a database on it. */
import { Answers } from "../../src/lookupd/answers.ts";
import { Logger } from "../../src/log/logger.ts";
import type { Producer, ProducerInfo } from "../../src/lookupd/producer.ts";
import { RegistrationDb } from "../../src/lookupd/registration_db.ts";

export const INACTIVE_PRODUCER_TIMEOUT_MS = 300_000;
export const TOMBSTONE_LIFETIME_MS = 45_000;

/** The node `name`, on the ports of the specification's examples. */
export function nodeInfo(name: string, changes: Partial<ProducerInfo> = {}): ProducerInfo {
  return {
    broadcastAddress: name,
    broadcastAddresses: [],
    hostname: name,
    tcpPort: 4150,
    httpPort: 4151,
    version: "1.3.0",
    topologyZone: "az1",
    topologyRegion: "eu",
    ...changes,
  };
}

/** A database whose time only `advance()` moves. */
export class TestDb extends RegistrationDb {
  readonly answers: Answers;
  #time: { nowMs: number };

  constructor(nowMs = 1_795_391_020_465) {
    const time = { nowMs };
    const limits = {
      inactiveProducerTimeoutMs: INACTIVE_PRODUCER_TIMEOUT_MS,
      tombstoneLifetimeMs: TOMBSTONE_LIFETIME_MS,
    };
    super(limits, () => time.nowMs);
    this.#time = time;
    this.answers = new Answers(this);
  }

  advance(ms: number): void {
    this.#time.nowMs += ms;
  }

  /** Adds a node with a connection of its own. */
  connect(name: string, port = 45138): Producer {
    return this.identify(`127.0.0.1:${port}`, nodeInfo(name));
  }

  /** The broadcast addresses that `/lookup` shows, or undefined for 404. */
  lookupAddresses(topic: string): string[] | undefined {
    const body = this.answers.lookup(topic);
    if (body === undefined) return undefined;
    return JSON.parse(body).producers.map((producer: { broadcast_address: string }) =>
      producer.broadcast_address
    );
  }

  lookupChannels(topic: string): string[] | undefined {
    const body = this.answers.lookup(topic);
    return body === undefined ? undefined : JSON.parse(body).channels;
  }

  topicNames(): string[] {
    return JSON.parse(this.answers.topics()).topics;
  }

  debugText(): string {
    return [...this.answers.debug()].join("");
  }
}

/** A logger that says nothing, or keeps its lines in `lines`. */
export function silentLogger(lines: string[] = []): Logger {
  return new Logger("info", "", (line) => lines.push(line));
}

/** Resolves when `condition` holds; rejects when it does not within ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!await condition()) {
    if (performance.now() > deadlineMs) throw new Error(`not within 10 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
