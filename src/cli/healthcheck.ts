/** The subcommand `healthcheck`. Tested in test/cli/healthcheck_test.ts. */
import { HttpClient } from "../http/client/http_client.ts";
import { urlOf } from "../http/client/url.ts";
import { healthcheckOptions } from "../options/tables/healthcheck_options.ts";
import { resolveOptions } from "../options/merge.ts";
import { buildInfo } from "../version.ts";

export const options = healthcheckOptions;

const program = {
  name: "nsq healthcheck",
  summary: "asks a program whether it is well",
  versionText: buildInfo("nsq healthcheck"),
};

/** Prints the answer; resolves with 0 when it is a good one, 1 otherwise, 2 for bad flags. */
export async function run(args: readonly string[]): Promise<number> {
  const resolved = resolveOptions<typeof healthcheckOptions>(healthcheckOptions, args, program);
  if (resolved.kind === "exit") {
    if (resolved.to === "stdout") console.log(resolved.text);
    else console.error(resolved.text);
    return resolved.code;
  }
  const { httpAddress, path, timeout } = resolved.values;
  const client = new HttpClient({
    connectTimeoutMs: timeout,
    requestTimeoutMs: timeout,
    maxReplyBytes: 1 << 20,
  });
  try {
    const { status, body } = await client.request(urlOf(httpAddress, path));
    console.log(new TextDecoder().decode(body).trimEnd());
    return status === 200 ? 0 : 1;
  } catch (cause) {
    console.error(`${httpAddress} does not answer - ${(cause as Error).message}`);
    return 1;
  }
}
