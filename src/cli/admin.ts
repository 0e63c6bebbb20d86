/** The subcommand `admin`: the console, and the care of its users with `nsq admin user`. Tested in test/cli/admin_user_test.ts. */
import { adminOptions } from "../options/tables/admin_options.ts";
import { buildInfo } from "../version.ts";
import { runService } from "./service.ts";

export const options = adminOptions;
export const words = "[user add|remove|list]";

/** Logs and version lines carry NSQ's name for it, which scripts look for. */
const program = {
  name: "nsqadmin",
  command: "nsq admin",
  summary: "shows topics, channels, consumers and nodes in a browser, and changes them",
  versionText: buildInfo("nsqadmin"),
  isLenient: true,
};

/** Runs until the console ends, or does what `user` asks; resolves with the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  if (args[0] === "user") return await (await import("./admin_user.ts")).run(args.slice(1));
  return await runService<typeof adminOptions>(adminOptions, args, program, {
    async start(options, logger) {
      const { runAdmin } = await import("../admin/admin.ts");
      return await runAdmin(options, logger);
    },
    async check(options) {
      const { checkAdminOptions } = await import("../admin/check_options.ts");
      return await checkAdminOptions(options);
    },
  });
}
