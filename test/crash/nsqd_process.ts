/** The real nsqd as a child process on a data path that outlives its kills. */
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const MAX_LOG_LENGTH = 1 << 18;
const STOP_DEADLINE_MS = 30_000;

export class NsqdProcess {
  tcpPort = 0;
  httpPort = 0;
  /** What it logged, but for the start of a very long log. */
  log = "";
  /** Lines that tell of trouble: errors, damage, loss. */
  readonly troubles: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #logged: Promise<void>;
  #isAlive = true;
  #onListening: () => void = () => {};
  #rest = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#logged = this.#follow(child.stderr);
    child.status.then(() => this.#isAlive = false);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Starts it; it listens once `listening` resolves. */
  static spawn(flags: readonly string[]): NsqdProcess {
    const permissions = ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
    const command = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--v8-flags=--max-semi-space-size=4",
        ...permissions,
        "main.ts",
        "nsqd",
        ...flags,
      ],
      cwd: CHECKOUT,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    return new NsqdProcess(command.spawn());
  }

  /** @throws when it ends before it listens */
  async listening(): Promise<void> {
    const isListening = new Promise<boolean>((resolve) => this.#onListening = () => resolve(true));
    this.#look();
    if (await Promise.race([isListening, this.#logged.then(() => false)])) return;
    throw new Error(`nsqd did not start: ${this.log}`);
  }

  /** kill -9; resolves when it is gone and its log is read. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#child.status;
    await this.#logged;
  }

  /** Stops it as an operator does and resolves with its exit code. @throws when it does not end */
  async stop(): Promise<number> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => {
      this.troubles.push(`SIGTERM did not end it within ${STOP_DEADLINE_MS} ms`);
      this.signal("SIGKILL");
    }, STOP_DEADLINE_MS);
    const { code } = await this.#child.status;
    clearTimeout(timer);
    await this.#logged;
    return code;
  }

  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (cause) {
      // It ended by itself a moment ago, which its exit code tells.
      if (!(cause instanceof TypeError) && !(cause instanceof Deno.errors.NotFound)) throw cause;
    }
  }

  async #follow(stderr: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stderr) {
      const text = decoder.decode(bytes, { stream: true });
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop()!;
      for (const line of lines) this.#take(line);
    }
    if (this.#rest !== "") this.#take(this.#rest);
  }

  #take(line: string): void {
    // The harness asks for statistics all the time.
    if (!line.includes("200 GET /stats")) this.log = `${this.log}${line}\n`.slice(-MAX_LOG_LENGTH);
    if (/ERROR|FATAL|WARN|[Uu]ncaught|panic|^\s+at /.test(line)) this.troubles.push(line);
    const port = /(TCP|HTTP): listening on \S+:(\d+)/.exec(line);
    if (port === null) return;
    if (port[1] === "TCP") this.tcpPort = Number(port[2]);
    else this.httpPort = Number(port[2]);
    this.#look();
  }

  #look(): void {
    if (this.tcpPort > 0 && this.httpPort > 0) this.#onListening();
  }
}
