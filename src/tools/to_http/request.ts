/** One message as a request: what `--get`, `--post` and `--header` make of it. */
import type { HttpRequest } from "../../http/client/http_client.ts";
import { ToolError } from "../tool.ts";

/** Where messages go, and how. */
export interface Destination {
  /** As given, for logs. */
  address: string;
  request(body: Uint8Array): { url: string; request: HttpRequest };
  /** Whether an answer of this status means that the message was taken. */
  isTaken(status: number): boolean;
}

/** Posts the message as it is; any 2xx is fine. */
export function postDestination(
  address: string,
  headers: Record<string, string>,
  contentType: string,
): Destination {
  const all = { "Content-Type": contentType, ...headers };
  return {
    address,
    request: (body) => ({ url: address, request: { method: "POST", headers: all, body } }),
    isTaken: (status) => status >= 200 && status < 300,
  };
}

/** Puts the message in place of `%s`; 200 is fine, as NSQ's utility has it. */
export function getDestination(address: string, headers: Record<string, string>): Destination {
  const [before, after] = address.split("%s").map((part) => part.replaceAll("%%", "%"));
  return {
    address,
    request: (body) => ({ url: before + escapeQuery(body) + after, request: { headers } }),
    isTaken: (status) => status === 200,
  };
}

/** Whether an address of `--get` has one place for the message. */
export function hasOnePlace(address: string): boolean {
  return address.split("%s").length === 2;
}

/** The bytes as a value of a query: a space is `+`. */
export function escapeQuery(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9._~-]/.test(char)) text += char;
    else text += byte === 0x20 ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

/**
 * Headers by their names, the last of a name.
 *
 * @throws {ToolError} when one is not `Name: value`
 */
export function parseHeaders(texts: readonly string[]): Record<string, string> {
  const headers = new Map<string, [name: string, value: string]>();
  for (const text of texts) {
    const colon = text.indexOf(":");
    if (colon < 0) throw new ToolError("--header value format should be 'key=value'");
    const name = text.slice(0, colon).trim(), value = text.slice(colon + 1).trim();
    try {
      new Headers([[name, value]]);
    } catch {
      throw new ToolError(`--header ${JSON.stringify(text)} is no header: write it as 'Name: value'`);
    }
    headers.set(name.toLowerCase(), [name, value]);
  }
  return Object.fromEntries(headers.values());
}
