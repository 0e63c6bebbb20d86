/** What would keep a console from starting, as far as that shows without starting it. Tested in test/admin/options_meaning_test.ts. */
import type { AdminOptions } from "../options/tables/admin_options.ts";
import { checkDirectory, checkListenAddresses } from "../options/check_values.ts";
import { readUsersFile } from "./access/users_file.ts";
import { faultsOf, usersFileOf } from "./options_meaning.ts";

/** One line for each problem. */
export async function checkAdminOptions(options: AdminOptions): Promise<string[]> {
  const problems = await faultsOf(options);
  problems.push(...checkListenAddresses([{ flag: "http-address", address: options.httpAddress }]));
  if (options.dataPath !== "") problems.push(...checkDirectory("data-path", options.dataPath));
  if (options.devStaticDir !== "") problems.push(...checkDirectory("dev-static-dir", options.devStaticDir));
  const usersFile = usersFileOf(options);
  if (usersFile !== "") {
    try {
      readUsersFile(usersFile);
    } catch (cause) {
      problems.push(`--users-file: ${(cause as Error).message}`);
    }
  }
  return problems;
}
