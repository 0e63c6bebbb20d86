/** The access log: one line for each request, at level INFO. */
import type { Logger } from "../log/logger.ts";
import { formatAddress } from "../net/address.ts";
import { formatDuration } from "../options/duration.ts";

/**
 * Logs `<status> <METHOD> <request target> (<remote address>) <elapsed>`.
 *
 * @param target path and query as they were sent
 */
export function logRequest(
  logger: Logger,
  status: number,
  method: string,
  target: string,
  remoteAddress: string,
  elapsedMs: number,
): void {
  if (!logger.isEnabled("info")) return;
  logger.info(`${status} ${method} ${target} (${remoteAddress}) ${formatDuration(elapsedMs)}`, {
    status,
    method,
    target,
    remote_address: remoteAddress,
    elapsed_ms: Math.round(elapsedMs * 1000) / 1000,
  });
}

/** How a socket for both families spells the address of an IPv4 client. */
const IPV4_IN_IPV6 = "::ffff:";

/** `ip:port` of a client, or `@` on a Unix socket. */
export function remoteAddressOf(address: Deno.Addr): string {
  if (!("hostname" in address)) return "@";
  const { hostname, port } = address;
  const isIpv4 = hostname.startsWith(IPV4_IN_IPV6) && hostname.includes(".");
  return formatAddress(isIpv4 ? hostname.slice(IPV4_IN_IPV6.length) : hostname, port);
}
