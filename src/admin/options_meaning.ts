/**
 * What options mean that are more than a value: addresses that must be right at the start, and how somebody is let
 * in. Tested in test/admin/options_meaning_test.ts.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { StartupError } from "../log/startup_error.ts";
import { loadTlsClientSettings, type TlsClientSettings } from "../net/tls_client_settings.ts";
import { type AdminOptions, DEFAULT_ADMIN_HTTP_ADDRESS } from "../options/tables/admin_options.ts";
import { parseCidr } from "./http/cidr.ts";

export const USERS_FILE = "nsqadmin_users.json";

/** Says, a line each, what keeps the console from starting; in the order in which Go nsqadmin looks. */
export async function faultsOf(options: AdminOptions): Promise<string[]> {
  const { lookupdHttpAddress: lookupds, nsqdHttpAddress: nsqds } = options;
  const faults: string[] = [];
  if (lookupds.length + nsqds.length === 0) {
    faults.push("--nsqd-http-address or --lookupd-http-address required");
  }
  if (lookupds.length > 0 && nsqds.length > 0) {
    faults.push("use --nsqd-http-address or --lookupd-http-address not both");
  }
  try {
    tlsSettingsOf(options);
  } catch (cause) {
    faults.push((cause as Error).message);
  }
  for (const [flag, addresses] of [["lookupd", lookupds], ["nsqd", nsqds]] as const) {
    for (const address of addresses) {
      const fault = await faultOfAddress(address);
      if (fault !== "") {
        faults.push(`failed to resolve --${flag}-http-address (${shown(address)}) - ${fault}`);
      }
    }
  }
  if (options.proxyGraphite && !isHttpUrl(options.graphiteUrl)) {
    faults.push(`failed to parse --graphite-url (${options.graphiteUrl}) - it is no http:// or https:// URL`);
  }
  const { allowConfigFromCidr: cidr } = options;
  if (cidr !== "" && parseCidr(cidr) === undefined) {
    faults.push(`failed to parse --allow-config-from-cidr (${cidr}) - invalid CIDR address: ${cidr}`);
  }
  const { notificationHttpEndpoint: endpoint } = options;
  if (endpoint !== "" && !isHttpUrl(endpoint)) {
    faults.push(
      `failed to parse --notification-http-endpoint (${endpoint}) - it is no http:// or https:// URL`,
    );
  }
  if (options.usersFile !== "" && options.adminUser.length > 0) {
    faults.push("use --users-file or --admin-user not both");
  }
  if (environmentOf(options.adminEnvironment) === undefined) {
    faults.push(
      `cannot use --admin-environment (${options.adminEnvironment}) - a colour is one of ${
        colors.join(", ")
      }`,
    );
  }
  try {
    listenAddressOf(options, accessKindOf(options));
  } catch (cause) {
    faults.push((cause as Error).message);
  }
  return faults;
}

function shown(address: string): string {
  return address.replace(/^(https?:\/\/)?[^/]*@/, "$1");
}

/** "" when it is a host that resolves, and a port. */
async function faultOfAddress(address: string): Promise<string> {
  const bare = shown(address).replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(bare);
  if (match === null) {
    const isMissing = !/:\d*$/.test(bare) || /^[^[].*:.*:/.test(bare);
    return /^[^[].*:.*:/.test(bare)
      ? `address ${bare}: too many colons in address`
      : `address ${bare}: ${isMissing ? "missing port in address" : "invalid port"}`;
  }
  const host = match[1] ?? match[2];
  if (Number(match[3]) > 65_535) return `address ${match[3]}: invalid port`;
  if (host === "" || isIP(host) !== 0) return "";
  try {
    await lookup(host);
    return "";
  } catch {
    return `lookup ${host}: no such host`;
  }
}

function isHttpUrl(text: string): boolean {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? "");
}

/** @throws {StartupError} with the words that Go nsqadmin has for it */
export function tlsSettingsOf(options: AdminOptions): TlsClientSettings {
  const { httpClientTlsCert: cert, httpClientTlsKey: key, httpClientTlsRootCaFile: roots } = options;
  if (cert !== "" && key === "") {
    throw new StartupError("--http-client-tls-key must be specified with --http-client-tls-cert");
  }
  if (key !== "" && cert === "") {
    throw new StartupError("--http-client-tls-cert must be specified with --http-client-tls-key");
  }
  const isVerified = !options.httpClientTlsInsecureSkipVerify;
  const load = (what: string, files: { rootCaFile: string; certFile: string; keyFile: string }) => {
    try {
      return loadTlsClientSettings({ ...files, isVerified });
    } catch (cause) {
      throw new StartupError(`${what} - ${(cause as Error).message}`, { cause });
    }
  };
  load(`failed to LoadX509KeyPair ${cert}, ${key}`, { rootCaFile: "", certFile: cert, keyFile: key });
  return load(`failed to read TLS root CA file ${roots}`, {
    rootCaFile: roots,
    certFile: cert,
    keyFile: key,
  });
}

/** Begins with a slash and ends with none, unless it is one. */
export function normalizeBasePath(text: string): string {
  const kept: string[] = [];
  for (const segment of text.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  return `/${kept.join("/")}`;
}

export const colors = ["red", "orange", "amber", "green", "teal", "blue", "purple", "gray"] as const;

/** `production:red`; null for no name, undefined for a colour that there is not. */
export function environmentOf(text: string): { name: string; color: string } | null | undefined {
  if (text === "") return null;
  const [name, color = "gray"] = text.split(/:(?=[^:]*$)/);
  return (colors as readonly string[]).includes(color) ? { name, color } : undefined;
}

export type AccessKind = "open" | "header" | "login" | "loopback";

/** The users file that is in force; "" for none. */
export function usersFileOf({ usersFile, dataPath }: Pick<AdminOptions, "usersFile" | "dataPath">): string {
  if (usersFile !== "" || dataPath === "") return usersFile;
  const path = `${dataPath}/${USERS_FILE}`;
  try {
    Deno.statSync(path);
    return path;
  } catch {
    return "";
  }
}

export function accessKindOf(options: AdminOptions): AccessKind {
  if (options.adminUser.length > 0) return "header";
  if (usersFileOf(options) !== "") return "login";
  return options.open ? "open" : "loopback";
}

/** @throws {StartupError} when others could reach a console that nobody asked to be open */
export function listenAddressOf({ httpAddress }: AdminOptions, access: AccessKind): string {
  if (access !== "loopback" || isLoopback(httpAddress)) return httpAddress;
  if (httpAddress === DEFAULT_ADMIN_HTTP_ADDRESS) return httpAddress.replace("0.0.0.0", "127.0.0.1");
  throw new StartupError(
    `--http-address (${httpAddress}) can be reached from other machines, and nobody has to log in there: ` +
      "add users with nsq admin user add, or say --admin-user, or --open to let everybody in",
  );
}

function isLoopback(address: string): boolean {
  return /^(?:localhost|127\.[\d.]+|\[::1\]):\d+$/.test(address) || address.startsWith("/") ||
    address.startsWith("./");
}
