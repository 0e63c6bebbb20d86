/**
 * The version of the client, which is that of the package; nodes show it in their stats.
 *
 * Tested in test/client/options/options_test.ts.
 */

/** As in `deno.json`. */
export const CLIENT_VERSION = "0.1.0";
