/** A utility as a process, as a user or a script runs it. */
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT_MS = 30_000;

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export class ToolProcess implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<unknown>;
  #isOver = false;
  #onOutput: () => void = () => {};

  /** @param command a subcommand, such as `tail` or `nsq_tail` */
  constructor(command: string, flags: readonly string[] = []) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-A", "main.ts", command, ...flags],
      cwd: CHECKOUT,
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#read = Promise.all([
      this.#follow(this.#child.stdout, (text) => this.stdout += text),
      this.#follow(this.#child.stderr, (text) => this.stderr += text),
    ]);
    this.#read.then(() => {
      this.#isOver = true;
      this.#onOutput();
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Gives it `text` on standard input. */
  async write(text: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(text));
  }

  /** Ends its standard input. */
  async closeInput(): Promise<void> {
    await this.#input.close();
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Resolves when `isTrue` holds, which is asked again whenever it writes something. @throws when it ends before */
  async until(what: string, isTrue: () => boolean): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const isLate = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`not within ${LIMIT_MS} ms: ${what}; ${this.#told}`)),
        LIMIT_MS,
      );
    });
    try {
      while (!isTrue()) {
        if (this.#isOver) throw new Error(`ended before: ${what}; ${this.#told}`);
        await Promise.race([new Promise<void>((resolve) => this.#onOutput = resolve), isLate]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when it has ended by itself. @throws when it does not */
  async ended(): Promise<Outcome> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#child.kill("SIGKILL");
    }, LIMIT_MS);
    const { code } = await this.#child.status;
    await this.#read;
    clearTimeout(timer);
    if (isLate) throw new Error(`did not end within ${LIMIT_MS} ms; ${this.#told}`);
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  /** Stops it as an operator does. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Outcome> {
    this.#child.kill(signal);
    return await this.ended();
  }

  /** kill -9, also of one that has ended. */
  async kill(): Promise<void> {
    if (!this.#isOver) {
      try {
        this.#child.kill("SIGKILL");
      } catch (cause) {
        // It ended by itself a moment ago.
        if (!(cause instanceof TypeError) && !(cause instanceof Deno.errors.NotFound)) throw cause;
      }
    }
    await this.#child.status;
    await this.#read;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#input.close().catch(() => "it was closed already");
  }

  get #told(): string {
    return `standard output: ${this.stdout.slice(-2_000)}; standard error: ${this.stderr.slice(-4_000)}`;
  }

  async #follow(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      add(decoder.decode(bytes, { stream: true }));
      this.#onOutput();
    }
  }
}

/** Runs a utility to its end. */
export async function runTool(command: string, flags: readonly string[], input?: string): Promise<Outcome> {
  await using tool = new ToolProcess(command, flags);
  if (input !== undefined) await tool.write(input);
  await tool.closeInput().catch(() => "it ended without reading");
  return await tool.ended();
}

/** The text after the time of each line of a log in the form of the utilities. */
export function logTexts(stderr: string): string[] {
  return stderr.split("\n").filter((line) => line !== "").map((line) =>
    line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, "")
  );
}
