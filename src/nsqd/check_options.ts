/**
 * What would keep an nsqd from starting, or from reaching others, as far as that shows without starting it.
 *
 * Tested in test/cli/service_test.ts.
 */
import { Logger } from "../log/logger.ts";
import {
  caught,
  checkDirectory,
  checkListenAddresses,
  checkRemoteAddress,
  type ListenAddress,
} from "../options/check_values.ts";
import type { NsqdOptions } from "../options/tables/nsqd_options.ts";
import { readDefinitions, readPolicies } from "./definitions.ts";
import { Authenticator } from "./auth/authenticator.ts";
import { loadRootCertificates, loadTlsSettings } from "../net/tls_settings.ts";

/** One line for each problem. @param others addresses that the same process listens on besides */
export function checkNsqdOptions(options: NsqdOptions, others: readonly ListenAddress[] = []): string[] {
  const silent = new Logger("fatal", "", () => {});
  const listeners = [{ flag: "tcp-address", address: options.tcpAddress }];
  if (options.httpAddress !== "") listeners.push({ flag: "http-address", address: options.httpAddress });
  if (options.tlsCert !== "" && options.httpsAddress !== "") {
    listeners.push({ flag: "https-address", address: options.httpsAddress });
  }
  const problems = [
    ...checkListenAddresses([...listeners, ...others]),
    ...options.lookupdTcpAddress.flatMap((address) => checkRemoteAddress("lookupd-tcp-address", address)),
    ...(options.statsdAddress === "" ? [] : checkRemoteAddress("statsd-address", options.statsdAddress)),
    ...checkDirectory("data-path", options.dataPath),
    ...caught(() => loadTlsSettings(options)),
    ...caught(() => loadRootCertificates(options)),
    ...caught(() => Authenticator.of(options, silent)),
    ...caught(() => readPolicies(options.policy)),
    ...(options.definitions === "" ? [] : caught(() => readDefinitions(options.definitions))),
  ];
  if (options.broadcastAddress.some((address) => address === "")) {
    problems.push("--broadcast-address: an empty address cannot be announced");
  }
  return [...new Set(problems)];
}
