/** A cluster with its console, each a process of its own, as users run them. */
import { ProgramProcess, until } from "./program_process.ts";

const ANY_PORT = "127.0.0.1:0";

export interface ClusterSettings {
  nodes: number;
  /** Added to the command line of the console. */
  adminFlags?: readonly string[];
}

export class ConsoleCluster implements AsyncDisposable {
  readonly lookupd: ProgramProcess;
  readonly nodes: readonly ProgramProcess[];
  readonly admin: ProgramProcess;
  readonly #folder: string;

  private constructor(
    lookupd: ProgramProcess,
    nodes: readonly ProgramProcess[],
    admin: ProgramProcess,
    folder: string,
  ) {
    this.lookupd = lookupd;
    this.nodes = nodes;
    this.admin = admin;
    this.#folder = folder;
  }

  /** Resolves when the console has seen all nodes. */
  static async start({ nodes, adminFlags = [] }: ClusterSettings): Promise<ConsoleCluster> {
    const folder = await Deno.makeTempDir({ prefix: "nsq_console_" });
    const lookupd = await ProgramProcess.start({
      command: "lookupd",
      flags: [`--tcp-address=${ANY_PORT}`, `--http-address=${ANY_PORT}`],
    });
    const [admin, ...started] = await Promise.all([
      ProgramProcess.start({
        command: "admin",
        flags: [
          `--lookupd-http-address=${lookupd.address("nsqlookupd", "HTTP")}`,
          `--http-address=${ANY_PORT}`,
          ...adminFlags,
        ],
      }),
      ...Array.from({ length: nodes }, async (_, index) => {
        const dataPath = `${folder}/node_${index}`;
        await Deno.mkdir(dataPath);
        return await ProgramProcess.start({
          command: "nsqd",
          flags: [
            `--data-path=${dataPath}`,
            `--tcp-address=${ANY_PORT}`,
            `--http-address=${ANY_PORT}`,
            "--broadcast-address=127.0.0.1",
            `--lookupd-tcp-address=${lookupd.address("nsqlookupd", "TCP")}`,
          ],
        });
      }),
    ]);
    const cluster = new ConsoleCluster(lookupd, started, admin, folder);
    await until("lookupd knows all nodes", async () => {
      const answer = await fetch(`http://${lookupd.address("nsqlookupd", "HTTP")}/nodes`);
      return (await answer.json()).producers.length === nodes;
    });
    return cluster;
  }

  /** Of the console, such as `http://127.0.0.1:4171`. */
  get base(): string {
    return `http://${this.admin.address("nsqadmin", "HTTP")}`;
  }

  /** Id of a node, as the console names it. */
  node(index: number): string {
    return this.nodes[index].address("nsqd", "HTTP");
  }

  /** Address that publishes to `topic` on a node. */
  publishAddress(index: number, topic: string): string {
    return `http://${this.node(index)}/pub?topic=${encodeURIComponent(topic)}`;
  }

  /** Publishes `count` messages to `topic` on a node. */
  async publish(index: number, topic: string, count = 1): Promise<void> {
    const body = Array.from({ length: count }, (_, i) => `message ${i}`).join("\n");
    await this.#post(index, `mpub?topic=${encodeURIComponent(topic)}`, body);
  }

  async createTopic(index: number, topic: string): Promise<void> {
    await this.#post(index, `topic/create?topic=${encodeURIComponent(topic)}`);
  }

  async createChannel(index: number, topic: string, channel: string): Promise<void> {
    const query = new URLSearchParams({ topic, channel });
    await this.#post(index, `channel/create?${query}`);
  }

  async pauseChannel(index: number, topic: string, channel: string): Promise<void> {
    const query = new URLSearchParams({ topic, channel });
    await this.#post(index, `channel/pause?${query}`);
  }

  async #post(index: number, target: string, body?: string): Promise<void> {
    const answer = await fetch(`http://${this.node(index)}/${target}`, { method: "POST", body });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${target}: ${text}`);
  }

  /** The statistics of a node. */
  async stats(index: number): Promise<Stats> {
    const answer = await fetch(`http://${this.node(index)}/stats?format=json`);
    return await answer.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.admin, this.lookupd, ...this.nodes].map((program) => program.kill()));
    await Deno.remove(this.#folder, { recursive: true });
  }
}

export interface Stats {
  topics: {
    topic_name: string;
    depth: number;
    paused: boolean;
    channels: { channel_name: string; depth: number; deferred_count: number; paused: boolean }[];
  }[];
}
