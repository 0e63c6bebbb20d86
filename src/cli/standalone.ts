/** The subcommand `standalone`: nsqd and lookupd in one process, for development and small installations. */
import { Logger } from "../log/logger.ts";
import { formatAddress, parseAddress } from "../options/address.ts";
import { type StandaloneOptions, standaloneOptions } from "../options/standalone_options.ts";
import { buildInfo } from "../version.ts";
import { runService } from "./service.ts";
import type { Service } from "./signals.ts";

const program = {
  name: "standalone",
  summary: "nsqd and lookupd in one process",
  versionText: buildInfo("nsqd"),
};
const LOOKUPD_LOG_PREFIX = "[nsqlookupd] ";

/** Runs until either ends or a signal comes; resolves with the exit code. */
export function run(args: readonly string[]): Promise<number> {
  return runService<typeof standaloneOptions>(standaloneOptions, args, program, startStandalone);
}

/**
 * Starts lookupd, then nsqd, which registers with it. Both keep their state in the one data path.
 *
 * @throws {StartupError} when either cannot start; the other is stopped again
 */
export async function startStandalone(options: StandaloneOptions, logger: Logger): Promise<Service> {
  const [{ runLookupd }, { runNsqd }] = await Promise.all([
    import("../lookupd/lookupd.ts"),
    import("../nsqd/nsqd.ts"),
  ]);
  const lookupdLogger = new Logger(options.logLevel, LOOKUPD_LOG_PREFIX);
  const lookupd = await runLookupd(lookupdOptionsOf(options), lookupdLogger);
  try {
    const peers = [...options.lookupdTcpAddress, reachable(lookupd.tcpAddress)];
    const nsqd = await runNsqd({ ...options, lookupdTcpAddress: peers }, logger);
    return together(nsqd, lookupd);
  } catch (cause) {
    await lookupd.stop();
    throw cause;
  }
}

function lookupdOptionsOf(options: StandaloneOptions) {
  return {
    version: false,
    config: "",
    logLevel: options.logLevel,
    logPrefix: LOOKUPD_LOG_PREFIX,
    verbose: false,
    tcpAddress: options.lookupdListenTcpAddress,
    httpAddress: options.lookupdListenHttpAddress,
    broadcastAddress: options.broadcastAddress[0] ?? "",
    inactiveProducerTimeout: options.inactiveProducerTimeout,
    tombstoneLifetime: options.tombstoneLifetime,
    dataPath: options.dataPath === "" ? "." : options.dataPath,
  };
}

/** Where this machine reaches a listener that may listen on every interface. */
function reachable(address: string): string {
  const parsed = parseAddress(address);
  if (parsed.kind === "unix") return address;
  const everywhere = parsed.hostname === "0.0.0.0" || parsed.hostname === "::";
  return formatAddress(everywhere ? "127.0.0.1" : parsed.hostname, parsed.port);
}

/** One service of two: nsqd stops first, so that lookupd hands it out no longer than it serves. */
function together(nsqd: Service, lookupd: Service): Service {
  const stop = async (force?: boolean) => {
    await nsqd.stop(force);
    await lookupd.stop(force);
  };
  const done = Promise.race([nsqd.done, lookupd.done]).then(async () => {
    await stop();
    return Math.max(await nsqd.done, await lookupd.done);
  });
  return { stop, done };
}
