/** What can be said of addresses and paths in options without using them, for `--check-config`. */
import { StartupError } from "../log/startup_error.ts";
import { type Address, parseAddress } from "../net/address.ts";

/** An address to listen on; `flag` is the name of its option. */
export interface ListenAddress {
  readonly flag: string;
  readonly address: string;
}

/** Says what is wrong with the addresses, each alone and one beside the other. */
export function checkListenAddresses(addresses: readonly ListenAddress[]): string[] {
  const problems: string[] = [];
  const parsed: { flag: string; at: Address }[] = [];
  for (const { flag, address } of addresses) {
    problems.push(...caught(() => parsed.push({ flag, at: parseAddress(address) }), `--${flag}: `));
  }
  for (const [index, { flag, at }] of parsed.entries()) {
    const other = parsed.slice(0, index).find((before) => isSameListener(before.at, at));
    if (other !== undefined) problems.push(`--${flag} and --${other.flag} listen on the same address`);
  }
  return problems;
}

function isSameListener(a: Address, b: Address): boolean {
  if (a.kind === "unix" || b.kind === "unix") {
    return a.kind === "unix" && b.kind === "unix" && a.path === b.path;
  }
  if (a.port === 0 || a.port !== b.port) return false;
  return a.hostname === b.hostname ||
    [a, b].some(({ hostname }) => hostname === "0.0.0.0" || hostname === "::");
}

/** Says what is wrong with an address that is connected to, which must be `host:port`. */
export function checkRemoteAddress(flag: string, address: string): string[] {
  const problems = caught(() => {
    const parsed = parseAddress(address);
    const isUsable = parsed.kind === "tcp" && parsed.port > 0 && /[^:]:/.test(address);
    if (!isUsable) throw new StartupError(`Cannot connect to "${address}": it must be host:port`);
  }, `--${flag}: `);
  return problems;
}

/** Says why `path` is no directory; the empty path is the working directory. */
export function checkDirectory(flag: string, path: string): string[] {
  try {
    return Deno.statSync(path === "" ? "." : path).isDirectory
      ? []
      : [`--${flag}: ${path} is not a directory`];
  } catch (cause) {
    const isMissing = cause instanceof Deno.errors.NotFound;
    return [`--${flag}: ${isMissing ? `there is no directory ${path}` : (cause as Error).message}`];
  }
}

/** Calls `check`, and returns what it finds. */
export function caught(check: () => unknown, lead = ""): string[] {
  try {
    check();
    return [];
  } catch (cause) {
    if (!(cause instanceof StartupError)) throw cause;
    return [lead + cause.message];
  }
}
