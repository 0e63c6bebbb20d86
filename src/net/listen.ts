/**
 * Opens listeners, for HTTP and for the TCP protocols alike.
 *
 * An address for every interface, as in `:4150`, `0.0.0.0:4150` or `[::]:4150`, takes both IPv6 and IPv4, on one
 * socket; IPv4 alone where the machine has no IPv6.
 */
import { StartupError } from "../log/startup_error.ts";
import { type Address, formatAddress, parseAddress } from "./address.ts";

type TcpAddress = Extract<Address, { kind: "tcp" }>;

/**
 * Connections that may wait to be accepted: all clients come back at once after a restart. The system may allow
 * fewer, and Deno before 2.7 does not take it.
 */
const LISTEN_BACKLOG = 4096;
const EVERY_INTERFACE = "0.0.0.0";
const EVERY_INTERFACE_OF_BOTH = "::";
const REASONS: Record<string, string> = {
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};

/**
 * Opens a listener at `address`, which is `host:port` or the path of a Unix socket. Closing it removes the socket.
 *
 * @throws {StartupError} when it cannot be bound
 */
export function listen(address: string): Deno.Listener {
  return open<Deno.Listener>(
    address,
    (hostname, port) => Deno.listen({ hostname, port, tcpBacklog: LISTEN_BACKLOG }),
    (path) => Deno.listen({ transport: "unix", path }),
  );
}

/**
 * Has `openTcp` or `openUnix` open what `address` stands for.
 *
 * @throws {StartupError} when they do
 */
export function open<T>(
  address: string,
  openTcp: (hostname: string, port: number) => T,
  openUnix: (path: string) => T,
): T {
  const parsed = parseAddress(address);
  try {
    return parsed.kind === "unix" ? openUnix(parsed.path) : openTcpAddress(parsed, openTcp);
  } catch (cause) {
    const reason = bindError(address, parsed, cause as Error);
    throw new StartupError(`listen (${address}) failed - ${reason}`, { cause });
  }
}

function openTcpAddress<T>(
  { hostname, port }: TcpAddress,
  openTcp: (hostname: string, port: number) => T,
): T {
  const [first, second] = hostsOf(hostname);
  try {
    return openTcp(first, port);
  } catch (cause) {
    if (second === undefined || isFinal(cause as BindFailure)) throw cause;
    return openTcp(second, port);
  }
}

/** What is tried for a host in turn. */
function hostsOf(hostname: string): [string, string?] {
  const isEvery = hostname === EVERY_INTERFACE || hostname === EVERY_INTERFACE_OF_BOTH;
  return isEvery ? [EVERY_INTERFACE_OF_BOTH, EVERY_INTERFACE] : [hostname];
}

/** An error of the operating system, of which both kinds of listeners tell the name, such as `EADDRINUSE`. */
interface BindFailure extends Error {
  code?: string;
}

/** Whether trying IPv4 alone would be no better, or would hide what is wrong. */
function isFinal({ code }: BindFailure): boolean {
  return code === "EADDRINUSE" || code === "EACCES";
}

/**
 * Removes the Unix socket at `address` when nobody listens on it, because its process was killed: it could not be
 * bound again. Leaves the socket of a living process, what is no socket, and `host:port`.
 */
export async function removeAbandonedSocket(address: string): Promise<void> {
  const parsed = parseAddress(address);
  if (parsed.kind === "tcp") return;
  try {
    if (!Deno.lstatSync(parsed.path).isSocket) return;
    (await Deno.connect({ transport: "unix", path: parsed.path })).close();
  } catch (cause) {
    // Whatever else is wrong with it, binding says so.
    if (cause instanceof Deno.errors.ConnectionRefused) Deno.removeSync(parsed.path);
  }
}

/** Where a listener listens: `host:port` with the port that was really bound, or the path that was asked for. */
export function boundAddress(bound: Deno.Addr, asked: string): string {
  return "hostname" in bound ? formatAddress(bound.hostname, bound.port) : asked;
}

/** The port that was really bound; -1 on a Unix socket. */
export function boundPort(bound: Deno.Addr): number {
  return "port" in bound ? bound.port : -1;
}

/** Why an address could not be bound, in the words that operators know: `listen tcp 127.0.0.1:4151: bind: ...`. */
function bindError(address: string, parsed: Address, cause: BindFailure): string {
  const network = parsed.kind === "unix" ? "unix" : "tcp";
  return `listen ${network} ${address}: bind: ${REASONS[cause.code ?? ""] ?? cause.message}`;
}
