/**
 * The subcommand `standalone`: nsqd, lookupd and the console in one process, for development and small
 * installations.
 */
import type { Logger } from "../log/logger.ts";
import { formatAddress, parseAddress } from "../net/address.ts";
import type { LookupdOptions } from "../options/tables/lookupd_options.ts";
import { type AdminOptions, adminOptions } from "../options/tables/admin_options.ts";
import { defaultsOf } from "../options/option.ts";
import {
  adminLogPrefix,
  lookupdLogPrefix,
  type StandaloneOptions,
  standaloneOptions,
} from "../options/tables/standalone_options.ts";
import { buildInfo } from "../version.ts";
import { type ReloadableService, runService } from "./service.ts";
import type { Service } from "./signals.ts";

export const options = standaloneOptions;

const program = {
  name: "nsq standalone",
  summary: "nsqd, lookupd and the console in one process, on one data path",
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
  if (options.adminListenHttpAddress === "") return checkNsqdOptions(options, listeners);
  listeners.push({ flag: "admin-listen-http-address", address: options.adminListenHttpAddress });
  const { faultsOf } = await import("../admin/options_meaning.ts");
  const lookupdAddress = reachable(options.lookupdListenHttpAddress || "127.0.0.1:0");
  return [
    ...await checkNsqdOptions(options, listeners),
    ...await faultsOf(adminOptionsOf(options, lookupdAddress)),
  ];
}

/**
 * Starts lookupd, then nsqd, which registers with it, then the console, which asks it.
 *
 * @throws {StartupError} when one of them cannot start; then none serves any more
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
  const started: Service[] = [lookupd];
  try {
    const nsqd = await runNsqd(nsqdOptionsOf(options), logger);
    started.unshift(nsqd);
    const listenHost = hostOf(nsqd.tcpAddress);
    if (options.broadcastAddress.every(isLoopback) && listenHost !== "" && !isLoopback(listenHost)) {
      logger.info(
        `consumers are told to connect to ${options.broadcastAddress[0]}; for those on other machines ` +
          "start with --broadcast-address=<name or address of this machine>",
      );
    }
    const admin = await startConsole(options, reachable(lookupd.httpAddress), logger);
    if (admin !== null) started.unshift(admin);
    const reload = (next: StandaloneOptions) => {
      nsqd.reload(nsqdOptionsOf(next));
      lookupd.reload(lookupdOptionsOf(next));
      admin?.reload(adminOptionsOf(next, reachable(lookupd.httpAddress)));
    };
    return { ...together(started), reload };
  } catch (cause) {
    for (const service of started) await service.stop();
    throw cause;
  }
}

/** Null where none is wanted. */
async function startConsole(options: StandaloneOptions, lookupdHttpAddress: string, logger: Logger) {
  if (options.adminListenHttpAddress === "") return null;
  const { runAdmin } = await import("../admin/admin.ts");
  return await runAdmin(adminOptionsOf(options, lookupdHttpAddress), logger.sibling(adminLogPrefix));
}

function adminOptionsOf(options: StandaloneOptions, lookupdHttpAddress: string): AdminOptions {
  return {
    ...defaultsOf(adminOptions),
    dataPath: options.dataPath === "" ? "." : options.dataPath,
    logLevel: options.logLevel,
    httpAddress: options.adminListenHttpAddress,
    lookupdHttpAddress: [lookupdHttpAddress],
    basePath: options.basePath,
    adminEnvironment: options.adminEnvironment,
    open: options.open,
    usersFile: options.usersFile,
    authSecret: options.authSecret,
    sessionLifetime: options.sessionLifetime,
    auditLog: options.auditLog,
    aclHttpHeader: options.aclHttpHeader,
    adminUser: options.adminUser,
    historyLimit: options.historyLimit,
    historyInterval: options.historyInterval,
  };
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

/** One service of several, which stop in this order; one that ends takes the others with it. */
function together(services: readonly Service[]): Service {
  const stop = async (force?: boolean) => {
    for (const service of services) await service.stop(force);
  };
  const all = services.map(({ done }) => done);
  const done = Promise.race(all).then(async () => {
    await stop();
    return Math.max(...await Promise.all(all));
  });
  return { stop, done };
}
