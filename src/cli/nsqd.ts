/**
 * The subcommand `nsqd`.
 *
 * Tested in test/cli/service_test.ts.
 */
import { nsqdOptions } from "../options/tables/nsqd_options.ts";
import { buildInfo } from "../version.ts";
import { runService } from "./service.ts";

export const options = nsqdOptions;

const program = {
  name: "nsqd",
  command: "nsq nsqd",
  summary: "receives, keeps and delivers messages",
  versionText: buildInfo("nsqd"),
  isLenient: true,
};

/** Runs until the broker ends; resolves with the exit code. */
export function run(args: readonly string[]): Promise<number> {
  return runService<typeof nsqdOptions>(nsqdOptions, args, program, {
    async start(options, logger) {
      const { runNsqd } = await import("../nsqd/nsqd.ts");
      return await runNsqd(options, logger);
    },
    async check(options) {
      const { checkNsqdOptions } = await import("../nsqd/check_options.ts");
      return checkNsqdOptions(options);
    },
    hasFilesToReload: (options) => options.tlsCert !== "",
  });
}
