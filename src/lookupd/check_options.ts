/**
 * What would keep a lookupd from starting, as far as that shows without starting it.
 *
 * Tested in test/cli/service_test.ts.
 */
import { checkDirectory, checkListenAddresses } from "../options/check_values.ts";
import type { LookupdOptions } from "../options/tables/lookupd_options.ts";

/** One line for each problem. */
export function checkLookupdOptions(options: LookupdOptions): string[] {
  const listeners = [{ flag: "tcp-address", address: options.tcpAddress }];
  if (options.httpAddress !== "") listeners.push({ flag: "http-address", address: options.httpAddress });
  return [
    ...checkListenAddresses(listeners),
    ...(options.dataPath === "" ? [] : checkDirectory("data-path", options.dataPath)),
  ];
}
