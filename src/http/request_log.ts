/** The access log: one line for each request, at level INFO. */
import type { Logger } from "../log/logger.ts";
import { formatAddress } from "../options/address.ts";
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
  logger.info(`${status} ${method} ${target} (${remoteAddress}) ${formatDuration(elapsedMs)}`);
}

/** `ip:port` of a client, or `@` on a Unix socket. */
export function remoteAddressOf(address: Deno.Addr): string {
  return "hostname" in address ? formatAddress(address.hostname, address.port) : "@";
}
