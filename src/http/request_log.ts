/**
 * The access log: one line for each request, at level INFO.
 *
 * Tested in test/http/router_test.ts.
 */
import type { Logger } from "../log/logger.ts";
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
