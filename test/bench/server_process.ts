/** A server that runs as a process of its own while it is measured: a broker, or the sink. */
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { Tally } from "./load_client.ts";

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
/** In which Linux counts the CPU time of a process, whatever its own tick is. */
const CPU_TICKS_PER_SECOND = 100;
const DEADLINE_MS = 30_000;

export type Level = "memory" | "os" | "disk";

/** What a load costs the process that serves it. */
export interface Cost {
  elapsedMs: number;
  /** User and system time of all threads, µs; undefined where the system does not tell. */
  cpuUs: number | undefined;
}

export class ServerProcess implements AsyncDisposable {
  readonly tcpPort: number;
  readonly #httpPort: number;
  readonly #child: Deno.ChildProcess;
  readonly #log: Promise<void>;
  readonly #dataPath: string | null;

  private constructor(child: Deno.ChildProcess, listening: Listening, dataPath: string | null) {
    this.#child = child;
    this.#log = listening.log;
    this.tcpPort = listening.tcpPort;
    this.#httpPort = listening.httpPort;
    this.#dataPath = dataPath;
  }

  /** Starts a broker on an empty data path, which goes with it. Its permissions are those of `deno task nsqd`. */
  static async broker(level: Level, flags: readonly string[] = []): Promise<ServerProcess> {
    const dataPath = await Deno.makeTempDir({ prefix: "nsq_bench_" });
    const child = spawn([
      ...taskArgs("nsqd"),
      `--durability=${level}`,
      `--data-path=${dataPath}`,
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
      ...flags,
    ]);
    return new ServerProcess(child, await untilListening(child, ["TCP", "HTTP"]), dataPath);
  }

  /** Starts a sink that answers after every `commandBytes` bytes. */
  static async sink(commandBytes: number): Promise<ServerProcess> {
    const child = spawn(["run", "--allow-net", "test/bench/sink.ts", String(commandBytes)]);
    return new ServerProcess(child, await untilListening(child, ["TCP"]), null);
  }

  /** Sends a POST without a body to the HTTP API. */
  async post(path: string): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#httpPort}${path}`, { method: "POST" });
    const text = await response.text();
    if (!response.ok) throw new Error(`POST ${path} was answered ${response.status}: ${text}`);
  }

  /** Runs `load`, and tells what it cost. Its time ends with the last message that `tally` got, if any. */
  async measure(load: () => Promise<void>, tally: Tally = new Tally()): Promise<Cost> {
    const cpuBefore = this.#cpuUs(), startedMs = performance.now();
    await load();
    const endedMs = tally.lastMs || performance.now(), cpuAfter = this.#cpuUs();
    return {
      elapsedMs: endedMs - startedMs,
      cpuUs: cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore,
    };
  }

  /** Memory of the process, bytes; undefined where the system does not tell. */
  residentBytes(): number | undefined {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(this.#readProc("status"));
    return found === null ? undefined : Number(found[1]) * 1024;
  }

  #cpuUs(): number | undefined {
    const stat = this.#readProc("stat");
    if (stat === "") return undefined;
    // The name of the program stands in parentheses and may hold anything; state is the third field.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[14 - 3]) + Number(fields[15 - 3]);
    return ticks * 1e6 / CPU_TICKS_PER_SECOND;
  }

  #readProc(name: string): string {
    return Deno.build.os === "linux" ? Deno.readTextFileSync(`/proc/${this.#child.pid}/${name}`) : "";
  }

  /** Ends the process at once: what it would still save is not looked at. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#log;
    if (this.#dataPath !== null) await Deno.remove(this.#dataPath, { recursive: true });
  }
}

function spawn(args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args,
    cwd: CHECKOUT,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** The arguments that a task of `deno.json` gives to deno. */
function taskArgs(name: string): string[] {
  const config = JSON.parse(Deno.readTextFileSync(join(CHECKOUT, "deno.json"))) as {
    tasks: Record<string, { command: string }>;
  };
  return config.tasks[name].command.split(" ").slice(1);
}

interface Listening {
  tcpPort: number;
  /** 0 when it is not listened on. */
  httpPort: number;
  /** Resolves when the process has written its last line. */
  log: Promise<void>;
}

/** Resolves when the log of `child` names a port for each of `listeners`; its log is read to the end. */
async function untilListening(child: Deno.ChildProcess, listeners: string[]): Promise<Listening> {
  const ports = new Map<string, number>();
  let text = "";
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const deadline = setTimeout(() => child.kill("SIGKILL"), DEADLINE_MS);
  const log = follow(child, (chunk) => {
    if (ports.size === listeners.length) return;
    text += chunk;
    for (const [, name, port] of text.matchAll(/(TCP|HTTP): listening on \S+:(\d+)\n/g)) {
      ports.set(name, Number(port));
    }
    if (ports.size === listeners.length) resolve();
  });
  log.then(() =>
    reject(new Error(`The server ended, or took ${DEADLINE_MS} ms, before it listened:\n${text}`))
  );
  try {
    await promise;
  } finally {
    clearTimeout(deadline);
  }
  return { tcpPort: ports.get("TCP")!, httpPort: ports.get("HTTP") ?? 0, log };
}

async function follow(child: Deno.ChildProcess, take: (text: string) => void): Promise<void> {
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) take(text);
}
