/**
 * The subcommand `lookupd`.
 *
 * Tested in test/cli/service_test.ts.
 */
import { lookupdOptions } from "../options/tables/lookupd_options.ts";
import { buildInfo } from "../version.ts";
import { runService } from "./service.ts";

/** Logs and version lines carry NSQ's name for it, which scripts look for. */
export const options = lookupdOptions;

const program = {
  name: "nsqlookupd",
  command: "nsq lookupd",
  summary: "knows which nsqd has which topics and channels",
  versionText: buildInfo("nsqlookupd"),
  isLenient: true,
};

/** Runs until lookupd ends; resolves with the exit code. */
export function run(args: readonly string[]): Promise<number> {
  return runService<typeof lookupdOptions>(lookupdOptions, args, program, {
    async start(options, logger) {
      const { runLookupd } = await import("../lookupd/lookupd.ts");
      return await runLookupd(options, logger);
    },
    async check(options) {
      const { checkLookupdOptions } = await import("../lookupd/check_options.ts");
      return checkLookupdOptions(options);
    },
  });
}
