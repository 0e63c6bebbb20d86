/** A real lookupd on free ports. */
import { runLookupd } from "../../src/lookupd/lookupd.ts";
import { Logger } from "../../src/log/logger.ts";
import { lookupdOptions } from "../../src/options/tables/lookupd_options.ts";
import { defaultsOf } from "../../src/options/option.ts";

export async function startLookupd() {
  const options = {
    ...defaultsOf(lookupdOptions),
    tcpAddress: "127.0.0.1:0",
    httpAddress: "127.0.0.1:0",
    broadcastAddress: "127.0.0.1",
  };
  const lookupd = await runLookupd(options, new Logger("fatal", "", () => {}));
  return {
    tcpAddress: lookupd.tcpAddress,
    httpAddress: lookupd.httpAddress,
    async [Symbol.asyncDispose]() {
      await lookupd.stop();
      await lookupd.done;
    },
  };
}
