/** A whole nsqd in this process: fresh data path, free ports on loopback, a quiet log. */
import { Logger } from "../../src/log/logger.ts";
import { type RunningNsqd, runNsqd } from "../../src/nsqd/nsqd.ts";
import { resolveOptions } from "../../src/options/merge.ts";
import { type NsqdOptions, nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import type { FileSystem } from "../../src/storage/file_system.ts";

export interface TestNsqd extends AsyncDisposable {
  readonly nsqd: RunningNsqd;
  readonly tcpPort: number;
  readonly httpPort: number;
  /** Lines of the log so far. */
  readonly lines: string[];
  /** Sends a request to the HTTP API; the body as text. */
  http(method: string, path: string, body?: BodyInit): Promise<string>;
}

function optionsOf(flags: string[]): NsqdOptions {
  const program = { name: "nsqd", summary: "", versionText: "" };
  const resolved = resolveOptions(nsqdOptions, flags, program);
  if (resolved.kind === "exit") throw new Error(resolved.text);
  return resolved.values;
}

export interface TestSurroundings {
  /** The data path, which stays; a fresh one is removed at the end. */
  directory?: string;
  /** Stands in for the machine's files. */
  fileSystem?: FileSystem;
}

/** Starts an nsqd with `flags`. */
export async function startNsqd(
  flags: string[] = [],
  { directory, fileSystem }: TestSurroundings = {},
): Promise<TestNsqd> {
  const path = directory ?? await Deno.makeTempDir({ prefix: "nsqd-test-" });
  const lines: string[] = [];
  const logger = new Logger("debug", "", (line) => lines.push(line));
  const nsqd = await runNsqd(
    optionsOf(["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", `--data-path=${path}`, ...flags]),
    logger,
    fileSystem,
  );
  const portOf = (address: string) => Number(address.slice(address.lastIndexOf(":") + 1));
  const httpPort = portOf(nsqd.httpAddress);
  return {
    nsqd,
    tcpPort: portOf(nsqd.tcpAddress),
    httpPort,
    lines,
    async http(method, requestPath, body) {
      const response = await fetch(`http://127.0.0.1:${httpPort}${requestPath}`, { method, body });
      return await response.text();
    },
    async [Symbol.asyncDispose]() {
      await nsqd.stop();
      await nsqd.done;
      if (directory === undefined) await Deno.remove(path, { recursive: true });
    },
  };
}
