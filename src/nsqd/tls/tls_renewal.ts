/**
 * Certificates that were renewed on the disk: read again while nsqd runs.
 *
 * Tested in test/nsqd/reload_test.ts.
 */
import type { Logger } from "../../log/logger.ts";
import { StartupError } from "../../log/startup_error.ts";
import type { NsqdOptions } from "../../options/tables/nsqd_options.ts";
import { loadTlsSettings, type TlsSettings } from "../../net/tls_settings.ts";

/**
 * Reads certificate, key and roots again from where `options` say. Returns `current` when nothing changed, or when
 * they cannot be used, which is logged.
 */
export function renewTlsSettings(
  current: TlsSettings | null,
  options: NsqdOptions,
  logger: Logger,
): TlsSettings | null {
  if (current === null) return null;
  let renewed;
  try {
    renewed = loadTlsSettings(options);
  } catch (cause) {
    if (!(cause instanceof StartupError)) throw cause;
    logger.error(`TLS: certificates not loaded again, the old ones stay - ${cause.message}`);
    return current;
  }
  if (renewed === null || JSON.stringify(renewed) === JSON.stringify(current)) return current;
  logger.info("TLS: certificates loaded again, for connections from now on");
  return renewed;
}
