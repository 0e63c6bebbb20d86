/** Ranges of IP addresses in CIDR notation. */
import { isIP } from "node:net";

/** A range such as `127.0.0.1/8`. */
export interface Cidr {
  /** Whether `ip`, of either family, lies in the range; an address of the other family never does. */
  contains(ip: string): boolean;
}

/** Undefined when `text` is no range. */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const bits = bitsOf(match[1]), length = Number(match[2]);
  if (bits === undefined || length > bits.length) return undefined;
  const prefix = bits.slice(0, length);
  return {
    contains(ip) {
      const candidate = bitsOf(ip);
      return candidate?.length === bits.length && candidate.startsWith(prefix);
    },
  };
}

/** The address as a text of zeros and ones; an IPv4 address inside IPv6 counts as what it is. */
function bitsOf(ip: string): string | undefined {
  const plain = ip.replace(/^::ffff:(?=\d+\.)/i, "");
  const family = isIP(plain);
  if (family === 4) return plain.split(".").map((part) => bits(Number(part), 8)).join("");
  if (family !== 6) return undefined;
  const [head, tail] = plain.split("::").map((half) => half === "" ? [] : half.split(":"));
  const gap = tail === undefined ? [] : Array(8 - head.length - tail.length).fill("0");
  return [...head, ...gap, ...(tail ?? [])].map((group) => bits(parseInt(group, 16), 16)).join("");
}

function bits(value: number, width: number): string {
  return value.toString(2).padStart(width, "0");
}
