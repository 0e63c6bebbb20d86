/**
 * Cuts one process off from all others: with a network namespace whose only link goes down, or, where the
 * machine gives none, by stopping the process, which to its peers looks nearly the same.
 */
import type { ProgramProcess } from "../support/program_process.ts";

export interface Partition {
  /** What is used and, for the lesser way, why. */
  readonly description: string;
  /** Where the process has to run; undefined is this namespace. */
  readonly namespace: string | undefined;
  /** The address of the process for all others. */
  readonly insideHost: string;
  /** The address of this machine for the process. */
  readonly outsideHost: string;
  cut(program: ProgramProcess): Promise<void>;
  heal(program: ProgramProcess): Promise<void>;
  remove(): Promise<void>;
}

/** Returns the best partition that this machine allows, or why it allows none. */
export async function createPartition(): Promise<Partition | string> {
  if (Deno.build.os === "windows") return "Windows has neither network namespaces nor SIGSTOP";
  if (Deno.build.os !== "linux") return stopping(`${Deno.build.os} has no network namespaces`);
  try {
    return await createNamespace();
  } catch (error) {
    return stopping((error as Error).message);
  }
}

function stopping(reason: string): Partition {
  return {
    description: `SIGSTOP (${reason})`,
    namespace: undefined,
    insideHost: "127.0.0.1",
    outsideHost: "127.0.0.1",
    cut: (program) => Promise.resolve(program.signal("SIGSTOP")),
    heal: (program) => Promise.resolve(program.signal("SIGCONT")),
    remove: () => Promise.resolve(),
  };
}

/** @throws {Error} when the machine does not allow it, with nothing left behind */
async function createNamespace(): Promise<Partition> {
  const name = `nsq-test-${Deno.pid}`, outside = `nsqo${Deno.pid}`, inside = `nsqi${Deno.pid}`;
  // A network that is reserved for tests between devices; each run takes another part of it.
  const network = `198.18.${Deno.pid % 256}`, block = 4 * (Math.floor(Deno.pid / 256) % 63);
  const outsideHost = `${network}.${block + 1}`, insideHost = `${network}.${block + 2}`;
  const within = (...words: string[]) => ip("-n", name, ...words);
  await ip("netns", "add", name);
  try {
    await ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name);
    await ip("address", "add", `${outsideHost}/30`, "dev", outside);
    await ip("link", "set", outside, "up");
    await within("link", "set", "lo", "up");
    await within("address", "add", `${insideHost}/30`, "dev", inside);
    await within("link", "set", inside, "up");
    // Making one may be allowed where entering it is not.
    await ip("netns", "exec", name, "true");
  } catch (error) {
    await ip("netns", "delete", name);
    throw error;
  }
  return {
    description: `network namespace ${name}`,
    namespace: name,
    insideHost,
    outsideHost,
    // The inner end goes down: our route stays, so that packets get lost instead of going elsewhere.
    cut: () => within("link", "set", inside, "down"),
    heal: () => within("link", "set", inside, "up"),
    remove: () => ip("netns", "delete", name),
  };
}

/** @throws {Error} when there is no such command or it fails */
async function ip(...words: string[]): Promise<void> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command("ip", { args: words, stdin: "null" }).output();
  } catch (cause) {
    throw new Error(`cannot run ip: ${(cause as Error).message}`, { cause });
  }
  if (output.success) return;
  const reason = new TextDecoder().decode(output.stderr).trim();
  throw new Error(`ip ${words.join(" ")} failed: ${reason}`);
}
