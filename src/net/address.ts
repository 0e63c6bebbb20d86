/** Addresses to listen on, as options give them: `host:port`, or else the path of a Unix socket. */
import { StartupError } from "../log/startup_error.ts";

export type Address =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

const MAX_PORT = 65535;
const EVERY_INTERFACE = "0.0.0.0";

/**
 * Parses an address. Without a host, as in `:4151`, it means every interface; an IPv6 host has brackets, as
 * in `[::1]:0`. What is not of the form `host:port` is the path of a Unix socket, colons or not.
 *
 * @throws {StartupError} when it is of that form but the port is not a number in 0..65535
 */
export function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(":");
  const host = colon < 0 ? null : hostOf(text.slice(0, colon));
  if (host === null) return { kind: "unix", path: text };
  const portText = text.slice(colon + 1);
  const port = /^\d*$/.test(portText) ? Number(portText) : NaN;
  if (!(port <= MAX_PORT)) {
    throw new StartupError(
      `Cannot use the address "${text}": port "${portText}" is not a number from 0 to ${MAX_PORT}`,
    );
  }
  return { kind: "tcp", hostname: host === "" ? EVERY_INTERFACE : host, port };
}

/** The host without brackets, or null when the text before the port can be none. */
function hostOf(text: string): string | null {
  const isBracketed = text.startsWith("[") && text.endsWith("]");
  const host = isBracketed ? text.slice(1, -1) : text;
  if (/[[\]/]/.test(host) || (!isBracketed && host.includes(":"))) return null;
  return host;
}

/** Writes `host:port`, an IPv6 host in brackets. */
export function formatAddress(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** The host of a peer's `ip:port`, without brackets; empty on a Unix socket. */
export function peerHost(remoteAddress: string): string {
  return remoteAddress.slice(0, Math.max(0, remoteAddress.lastIndexOf(":"))).replace(/^\[(.*)\]$/, "$1");
}

/** How a socket for both families spells the address of an IPv4 client. */
const IPV4_IN_IPV6 = "::ffff:";

/** `ip:port` of a client, or `@` on a Unix socket. */
export function remoteAddressOf(address: Deno.Addr): string {
  if (!("hostname" in address)) return "@";
  const { hostname, port } = address;
  const isIpv4 = hostname.startsWith(IPV4_IN_IPV6) && hostname.includes(".");
  return formatAddress(isIpv4 ? hostname.slice(IPV4_IN_IPV6.length) : hostname, port);
}
