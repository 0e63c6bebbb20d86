/**
 * Asks one auth server, over HTTP or HTTPS, what a client may do.
 *
 * Tested in test/nsqd/auth/authenticator_test.ts.
 */
import { HttpRequestError } from "../../http/client/errors.ts";
import type { HttpClient, HttpReply } from "../../http/client/http_client.ts";
import { encodeJson } from "../../protocol/json.ts";
import { decodeText } from "../../protocol/quote.ts";

/** What an auth server is told of a client. */
export interface AuthSubject {
  secret: Uint8Array;
  /** Without the port; empty on a Unix socket. */
  remoteIp: string;
  tls: boolean;
  /** Of the subject of the client's certificate; empty without one. */
  commonName: string;
}

export type AuthRequestMethod = "get" | "post";

const ACCEPT = "application/vnd.nsq; version=1.0";

/** The URL that an address given as an option stands for: a URL as it is, `host:port` as `http://host:port/auth`. */
export function authEndpoint(address: string): string {
  return address.includes("://") ? address : `http://${address}/auth`;
}

/**
 * Resolves with the text of the reply.
 *
 * A server that answers 403 on plain HTTP and names its HTTPS port is asked again there.
 *
 * @throws {Error} when there is no reply of status 200 in time, or `signal` aborts. The secret is in no message.
 */
export async function queryAuthServer(
  client: HttpClient,
  endpoint: string,
  subject: AuthSubject,
  method: AuthRequestMethod,
  signal: AbortSignal,
): Promise<string> {
  const url = new URL(endpoint);
  let reply = await ask(client, url, subject, method, signal);
  if (reply.status === 403 && url.protocol === "http:") {
    const port = httpsPortOf(textOf(reply));
    url.protocol = "https:";
    url.port = String(port);
    reply = await ask(client, url, subject, method, signal);
  }
  if (reply.status !== 200) throw new Error(`it answered status ${reply.status}`);
  return textOf(reply);
}

async function ask(
  client: HttpClient,
  url: URL,
  subject: AuthSubject,
  method: AuthRequestMethod,
  signal: AbortSignal,
): Promise<HttpReply> {
  const isPost = method === "post";
  const asked = new URL(url);
  if (!isPost) asked.search += (asked.search === "" ? "?" : "&") + queryForm(subject);
  try {
    return await client.request(asked, {
      method: isPost ? "POST" : "GET",
      headers: { accept: ACCEPT, ...(isPost ? { "content-type": "application/json" } : {}) },
      body: isPost ? jsonForm(subject) : null,
      signal,
    });
  } catch (cause) {
    const isAborted = cause instanceof HttpRequestError && cause.kind === "aborted";
    throw isAborted ? new Error("the client is gone", { cause }) : cause;
  }
}

function textOf({ body }: HttpReply): string {
  return new TextDecoder().decode(body);
}

function httpsPortOf(text: string): number {
  let port: unknown;
  try {
    port = (JSON.parse(text) as { https_port?: unknown } | null)?.https_port;
  } catch (cause) {
    throw new Error("it answered status 403", { cause });
  }
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error("it answered status 403");
  }
  return port;
}

/** The subject as a query string; the order of the keys and the escapes are those of Go nsqd. */
export function queryForm(subject: AuthSubject): string {
  const encoder = new TextEncoder();
  const fields: [string, Uint8Array][] = [
    ["common_name", encoder.encode(subject.commonName)],
    ["remote_ip", encoder.encode(subject.remoteIp)],
    ["secret", subject.secret],
    ["tls", encoder.encode(String(subject.tls))],
  ];
  return fields.map(([name, value]) => `${name}=${escapeForm(value)}`).join("&");
}

/** The secret need not be text, so its bytes are escaped one by one. */
function escapeForm(value: Uint8Array): string {
  let escaped = "";
  for (const byte of value) {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9_.~-]/.test(character)) escaped += character;
    else if (byte === 0x20) escaped += "+";
    else escaped += "%" + byte.toString(16).toUpperCase().padStart(2, "0");
  }
  return escaped;
}

/** The subject as JSON: each value in a list, keys sorted. */
export function jsonForm(subject: AuthSubject): string {
  return encodeJson({
    common_name: [subject.commonName],
    remote_ip: [subject.remoteIp],
    secret: [decodeText(subject.secret)],
    tls: [String(subject.tls)],
  });
}
