/** The subcommand `standalone`: nsqd and lookupd in one process, for development and small installations. */
import type { Logger } from "../log/logger.ts";
import { formatAddress, parseAddress } from "../net/address.ts";
import type { LookupdOptions } from "../options/lookupd_options.ts";
import {
  lookupdLogPrefix,
  type StandaloneOptions,
  standaloneOptions,
} from "../options/standalone_options.ts";
import { buildInfo } from "../version.ts";
import { type ReloadableService, runService } from "./service.ts";
import type { Service } from "./signals.ts";

export const options = standaloneOptions;

const program = {
  name: "nsq standalone",
  summary: "nsqd and lookupd in one process, on one data path",
  versionText: buildInfo("nsq standalone"),
};

type StandaloneService = ReloadableService<typeof standaloneOptions>;

/** Runs until either ends or a signal comes; resolves with the exit code. */
export function run(args: readonly string[]): Promise<number> {
  return runService<typeof standaloneOptions>(standaloneOptions, args, program, {
    start: startStandalone,
    check: checkStandalone,
    hasFilesToReload: (options) => options.tlsCert !== "",
  });
}

async function checkStandalone(options: StandaloneOptions): Promise<string[]> {
  const { checkNsqdOptions } = await import("../nsqd/check_options.ts");
  const listeners = [{ flag: "lookupd-listen-tcp-address", address: options.lookupdListenTcpAddress }];
  if (options.lookupdListenHttpAddress !== "") {
    listeners.push({ flag: "lookupd-listen-http-address", address: options.lookupdListenHttpAddress });
  }
  return checkNsqdOptions(options, listeners);
}

/**
 * Starts lookupd, then nsqd, which registers with it.
 *
 * @throws {StartupError} when either cannot start; then neither serves any more
 */
async function startStandalone(options: StandaloneOptions, logger: Logger): Promise<StandaloneService> {
  const [{ runLookupd }, { runNsqd }] = await Promise.all([
    import("../lookupd/lookupd.ts"),
    import("../nsqd/nsqd.ts"),
  ]);
  const lookupd = await runLookupd(lookupdOptionsOf(options), logger.sibling(lookupdLogPrefix));
  const nsqdOptionsOf = (of: StandaloneOptions) => ({
    ...of,
    lookupdTcpAddress: [reachable(lookupd.tcpAddress), ...of.lookupdTcpAddress],
  });
  try {
    const nsqd = await runNsqd(nsqdOptionsOf(options), logger);
    const listenHost = hostOf(nsqd.tcpAddress);
    if (options.broadcastAddress.every(isLoopback) && listenHost !== "" && !isLoopback(listenHost)) {
      logger.info(
        `consumers are told to connect to ${options.broadcastAddress[0]}; for those on other machines ` +
          "start with --broadcast-address=<name or address of this machine>",
      );
    }
    const reload = (next: StandaloneOptions) => {
      nsqd.reload(nsqdOptionsOf(next));
      lookupd.reload(lookupdOptionsOf(next));
    };
    return { ...together(nsqd, lookupd), reload };
  } catch (cause) {
    await lookupd.stop();
    throw cause;
  }
}

/** @throws {StartupError} when the address of the HTTP API has an impossible port */
function lookupdOptionsOf(options: StandaloneOptions): LookupdOptions {
  const httpHost = hostOf(options.lookupdListenHttpAddress);
  return {
    ...options,
    logPrefix: lookupdLogPrefix,
    tcpAddress: options.lookupdListenTcpAddress,
    httpAddress: options.lookupdListenHttpAddress,
    // The nsqds ask there for channels: where nothing else listens, the announced host would not do.
    broadcastAddress: httpHost === "" || isEveryInterface(httpHost) ? options.broadcastAddress[0] : httpHost,
    // Without a data path lookupd would keep no snapshot; nsqd keeps its files in the working directory.
    dataPath: options.dataPath === "" ? "." : options.dataPath,
  };
}

/** How this process reaches its own listener, which may listen on every interface. */
function reachable(address: string): string {
  const parsed = parseAddress(address);
  if (parsed.kind === "unix" || !isEveryInterface(parsed.hostname)) return address;
  return formatAddress("127.0.0.1", parsed.port);
}

/** "" for a Unix socket and for no address. */
function hostOf(address: string): string {
  const parsed = parseAddress(address);
  return parsed.kind === "tcp" ? parsed.hostname : "";
}

function isEveryInterface(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

/** One service of two: nsqd leaves first, so that it can still sign off, and takes lookupd with it. */
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
