/** The program as a child process, as a user runs it: its log, its addresses, its end. */
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const STOP_LIMIT_MS = 20_000;
const MAX_LOG_LENGTH = 1 << 18;

export interface ProgramSettings {
  /** `nsqd`, `lookupd`, `admin` or `standalone`. */
  command: string;
  flags: readonly string[];
  /** The network namespace in which it runs instead of this one. */
  namespace?: string;
  /** What is started instead of this checkout's sources: the words before the command. */
  executable?: readonly string[];
  /** Added to the environment. */
  env?: Readonly<Record<string, string>>;
}

export class ProgramProcess implements AsyncDisposable {
  /** What it logged, but for its access log and the start of a very long log. */
  log = "";
  readonly #child: Deno.ChildProcess;
  readonly #logged: Promise<void>;
  /** By the name before them in the log, such as `nsqd TCP`. */
  readonly #addresses = new Map<string, string>();
  #onListening: () => void = () => {};
  #code: number | undefined;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    child.status.then(({ code }) => this.#code = code);
    this.#logged = this.#follow(child.stderr);
  }

  /** Resolves when it listens everywhere. @throws when it ends before */
  static async start(settings: ProgramSettings): Promise<ProgramProcess> {
    const { command, flags, namespace, env } = settings;
    const sources = [Deno.execPath(), "run", "--no-prompt", "-A", "main.ts"];
    const words = [...settings.executable ?? sources, command, ...flags];
    // `ip` replaces itself by the program, so the id of the process is that of the program.
    if (namespace !== undefined) words.unshift("ip", "netns", "exec", namespace);
    const child = new Deno.Command(words[0], {
      args: words.slice(1),
      cwd: CHECKOUT,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const program = new ProgramProcess(child);
    const listenerCount = { standalone: 5, admin: 1 }[command] ?? 2;
    const isListening = new Promise<boolean>((resolve) => {
      program.#onListening = () => {
        if (program.#addresses.size === listenerCount) resolve(true);
      };
    });
    if (await Promise.race([isListening, program.#logged.then(() => false)])) return program;
    throw new Error(`${command} exited with ${(await child.status).code}: ${program.log}`);
  }

  /** Where `program` (`nsqd`, `nsqlookupd`) listens for `protocol`, as `host:port`. */
  address(program: string, protocol: "TCP" | "HTTP"): string {
    const address = this.#addresses.get(`${program} ${protocol}`);
    if (address === undefined) throw new Error(`${program} ${protocol} is not listened on`);
    return address;
  }

  port(program: string, protocol: "TCP" | "HTTP"): number {
    const address = this.address(program, protocol);
    return Number(address.slice(address.lastIndexOf(":") + 1));
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Resolves with its exit code when it has ended. */
  async ended(): Promise<number> {
    return await this.#end();
  }

  /** kill -9, also of a process that is stopped or has ended. */
  async kill(): Promise<void> {
    if (this.#code === undefined) this.#child.kill("SIGKILL");
    await this.#end();
  }

  /** Stops it as an operator does; resolves with its exit code. @throws when it does not end */
  async stop(): Promise<number> {
    this.#child.kill("SIGTERM");
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#child.kill("SIGKILL");
    }, STOP_LIMIT_MS);
    const code = await this.#end();
    clearTimeout(timer);
    if (isLate) throw new Error(`SIGTERM did not end it within ${STOP_LIMIT_MS} ms: ${this.log}`);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #end(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#logged;
    return code;
  }

  async #follow(stderr: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stderr.pipeThrough(new TextDecoderStream() as TransformStream)) {
      const lines: string[] = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#take(line);
    }
  }

  #take(line: string): void {
    if (/ INFO: 200 /.test(line)) return;
    this.log = `${this.log}${line}\n`.slice(-MAX_LOG_LENGTH);
    const listening = /^\[(\w+)\] .* (TCP|HTTP): listening on (\S+)$/.exec(line);
    if (listening === null) return;
    this.#addresses.set(`${listening[1]} ${listening[2]}`, listening[3]);
    this.#onListening();
  }
}

/** Resolves when `isTrue` does with true. @throws with `what` and the answer of `detail` when that takes too long */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  detail: () => string = () => "",
): Promise<void> {
  const deadlineMs = performance.now() + STOP_LIMIT_MS;
  while (!await isTrue()) {
    if (performance.now() > deadlineMs) {
      throw new Error(`not within ${STOP_LIMIT_MS} ms: ${what} ${detail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
