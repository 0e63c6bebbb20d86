/**
 * The version of NSQ whose protocol and APIs these programs speak; clients and dashboards check it.
 *
 * Tested in test/cli/commands_test.ts.
 */
export const version = "1.3.0";

/** The line that `--version` prints and the log starts with, such as `nsqd v1.3.0 (built w/deno2.9.6)`. */
export function buildInfo(app: string): string {
  return `${app} v${version} (built w/deno${Deno.version.deno})`;
}

/** When this release was made, ISO 8601. */
export const releaseDate = "2026-11-25";
