/** A lookupd as a process of its own, with a data path and ports that outlive its kills. */
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

const MAX_LOG_LENGTH = 1 << 20;

export class LookupdProcess {
  readonly dataPath: string;
  readonly #flags: readonly string[];
  tcpPort = 0;
  httpPort = 0;
  /** What the process has logged since its last start, but for the end of a very long log. */
  log = "";
  #child: Deno.ChildProcess | undefined;
  #logged: Promise<void> = Promise.resolve();

  private constructor(dataPath: string, flags: readonly string[]) {
    this.dataPath = dataPath;
    this.#flags = flags;
  }

  /** Starts on a fresh data path and free ports. */
  static async create(...flags: string[]): Promise<LookupdProcess> {
    const lookupd = new LookupdProcess(await Deno.makeTempDir(), flags);
    try {
      await lookupd.start();
    } catch (error) {
      await lookupd.remove();
      throw error;
    }
    return lookupd;
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error("lookupd is not running");
    return this.#child.pid;
  }

  /** Starts on the ports of the time before; resolves when it listens. */
  async start(): Promise<void> {
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--v8-flags=--max-semi-space-size=4",
        "-A",
        MAIN,
        "lookupd",
        `--tcp-address=127.0.0.1:${this.tcpPort}`,
        `--http-address=127.0.0.1:${this.httpPort}`,
        `--data-path=${this.dataPath}`,
        ...this.#flags,
      ],
      stdout: "null",
      stderr: "piped",
    });
    this.log = "";
    const child = command.spawn();
    this.#child = child;
    const isListening = await new Promise<boolean>((resolve) => {
      this.#logged = this.#follow(child.stderr, () => resolve(true)).then(() => resolve(false));
    });
    if (isListening) return;
    this.#child = undefined;
    const { code } = await child.status;
    throw new Error(`lookupd exited with ${code} instead of listening: ${this.log}`);
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops it as an operator does and resolves with its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    return await this.#end(signal);
  }

  /** Ends it if it runs, and removes its data path. */
  async remove(): Promise<void> {
    if (this.#child !== undefined) await this.kill();
    await Deno.remove(this.dataPath, { recursive: true });
  }

  async #end(signal: Deno.Signal): Promise<number> {
    const child = this.#child;
    if (child === undefined) throw new Error("lookupd is not running");
    this.#child = undefined;
    child.kill(signal);
    const { code } = await child.status;
    await this.#logged;
    return code;
  }

  async #follow(stderr: ReadableStream<Uint8Array>, onListening: () => void): Promise<void> {
    let isListening = false;
    for await (const bytes of stderr) {
      // Under load only the start matters, and the access log would fill the memory of the test.
      if (isListening && this.log.length > MAX_LOG_LENGTH) continue;
      this.log += new TextDecoder().decode(bytes);
      if (isListening) continue;
      this.tcpPort = Number(/TCP: listening on \S+:(\d+)/.exec(this.log)?.[1] ?? this.tcpPort);
      const http = /HTTP: listening on \S+:(\d+)/.exec(this.log);
      if (http === null) continue;
      isListening = true;
      this.httpPort = Number(http[1]);
      onListening();
    }
  }
}
