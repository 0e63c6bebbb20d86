/** An nsqd and its lookupd in a process of their own, and what the tests of the utilities ask of them. */
import { ProgramProcess, until } from "../support/program_process.ts";

/** What `/stats` says of a channel. */
export interface ChannelCounts {
  depth: number;
  in_flight_count: number;
  deferred_count: number;
  message_count: number;
  requeue_count: number;
  timeout_count: number;
  client_count: number;
  clients: { user_agent: string; client_id: string; sample_rate: number; snappy: boolean }[] | null;
}

export class TestBroker implements AsyncDisposable {
  readonly #directory: string;
  readonly #lookupd: ProgramProcess;
  #nsqd: ProgramProcess;
  /** `host:port` of nsqd, and of the HTTP APIs of both; they outlive `restart()`. */
  readonly tcp: string;
  readonly http: string;
  readonly lookupd: string;

  private constructor(directory: string, lookupd: ProgramProcess, nsqd: ProgramProcess) {
    this.#directory = directory;
    this.#lookupd = lookupd;
    this.#nsqd = nsqd;
    this.tcp = nsqd.address("nsqd", "TCP");
    this.http = nsqd.address("nsqd", "HTTP");
    this.lookupd = lookupd.address("nsqlookupd", "HTTP");
  }

  /** @param nsqdFlags of nsqd, besides its addresses and data path */
  static async start(...nsqdFlags: string[]): Promise<TestBroker> {
    const directory = await Deno.makeTempDir({ prefix: "nsq-tools-" });
    const any = "127.0.0.1:0";
    const flags = [`--tcp-address=${any}`, `--http-address=${any}`];
    const lookupd = await ProgramProcess.start({ command: "lookupd", flags });
    try {
      return new TestBroker(
        directory,
        lookupd,
        await TestBroker.#startNsqd(directory, lookupd, any, any, nsqdFlags),
      );
    } catch (cause) {
      await lookupd.kill();
      await Deno.remove(directory, { recursive: true });
      throw cause;
    }
  }

  static #startNsqd(
    directory: string,
    lookupd: ProgramProcess,
    tcp: string,
    http: string,
    more: string[] = [],
  ): Promise<ProgramProcess> {
    const flags = [
      `--tcp-address=${tcp}`,
      `--http-address=${http}`,
      `--data-path=${directory}`,
      `--lookupd-tcp-address=${lookupd.address("nsqlookupd", "TCP")}`,
      "--broadcast-address=127.0.0.1",
      ...more,
    ];
    return ProgramProcess.start({ command: "nsqd", flags });
  }

  /** kill -9 of nsqd, and a start on the same data and ports. */
  async restart(): Promise<void> {
    await this.#nsqd.kill();
    this.#nsqd = await TestBroker.#startNsqd(this.#directory, this.#lookupd, this.tcp, this.http);
  }

  async #post(path: string, body?: string): Promise<void> {
    const response = await fetch(`http://${this.http}${path}`, { method: "POST", body });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path} answered ${response.status} ${text}`);
  }

  /** Makes a channel, so that what is published waits there. */
  async createChannel(topic: string, channel: string): Promise<void> {
    await this.#post(`/topic/create?topic=${topic}`);
    await this.#post(`/channel/create?topic=${topic}&channel=${encodeURIComponent(channel)}`);
  }

  /** Bodies without newlines. */
  async publish(topic: string, ...bodies: string[]): Promise<void> {
    for (let at = 0; at < bodies.length; at += 10_000) {
      await this.#post(`/mpub?topic=${topic}`, bodies.slice(at, at + 10_000).join("\n"));
    }
  }

  /** The channel, or undefined while there is none. */
  async channel(topic: string, channel: string): Promise<ChannelCounts | undefined> {
    const response = await fetch(`http://${this.http}/stats?format=json&topic=${topic}`);
    const { topics } = await response.json();
    return topics?.[0]?.channels.find(({ channel_name: name }: { channel_name: string }) => name === channel);
  }

  /** Messages of the topic that no channel was given yet; 0 without a topic. */
  async topicDepth(topic: string): Promise<number> {
    const response = await fetch(`http://${this.http}/stats?format=json&topic=${topic}`);
    const { topics } = await response.json();
    return topics?.[0]?.depth ?? 0;
  }

  /** Resolves when `isTrue` holds for the channel. */
  async untilChannel(
    topic: string,
    channel: string,
    what: string,
    isTrue: (counts: ChannelCounts) => boolean,
  ): Promise<void> {
    let last: ChannelCounts | undefined;
    await until(what, async () => {
      last = await this.channel(topic, channel);
      return last !== undefined && isTrue(last);
    }, () => JSON.stringify(last));
  }

  /** Resolves when the channel has nothing left, in flight or waiting. */
  async untilEmpty(topic: string, channel: string, messages: number): Promise<void> {
    await this.untilChannel(
      topic,
      channel,
      `${messages} finished messages`,
      (counts) =>
        counts.message_count >= messages &&
        counts.depth + counts.in_flight_count + counts.deferred_count === 0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nsqd.kill();
    await this.#lookupd.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** `prefix` and a number, from 0 on. */
export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}
