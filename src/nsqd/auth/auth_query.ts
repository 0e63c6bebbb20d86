/** Asks one auth server, over HTTP or HTTPS, what a client may do. */
import type { IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import { encodeJson } from "../../http/respond.ts";
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

/** How auth servers are asked. */
export interface AuthQuerySettings {
  method: "get" | "post";
  /** Until the connection stands, ms. */
  connectTimeoutMs: number;
  /** For the whole request, ms. */
  requestTimeoutMs: number;
  /** A longer reply is refused. */
  maxReplyBytes: number;
  /** Roots for the certificates of auth servers, PEM; null for those of the system. */
  rootCertificates: string | null;
  minTlsVersion: "TLSv1.2" | "TLSv1.3";
}

interface Reply {
  status: number;
  text: string;
}

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
  endpoint: string,
  subject: AuthSubject,
  settings: AuthQuerySettings,
  signal: AbortSignal,
): Promise<string> {
  const url = new URL(endpoint);
  let reply = await request(url, subject, settings, signal);
  if (reply.status === 403 && url.protocol === "http:") {
    url.protocol = "https:";
    url.port = String(httpsPortOf(reply.text));
    reply = await request(url, subject, settings, signal);
  }
  if (reply.status !== 200) throw new Error(`it answered status ${reply.status}`);
  return reply.text;
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

/** The subject as a query string; the order of the keys and the escapes are those of the original. */
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

async function request(
  url: URL,
  subject: AuthSubject,
  settings: AuthQuerySettings,
  signal: AbortSignal,
): Promise<Reply> {
  const isTls = url.protocol === "https:";
  // Loaded when they are first needed: an nsqd without auth servers does without their megabytes.
  const { request: open } = isTls ? await import("node:https") : await import("node:http");
  const body = settings.method === "post" ? new TextEncoder().encode(jsonForm(subject)) : null;
  const query = body === null ? `${url.search === "" ? "?" : "&"}${queryForm(subject)}` : "";
  const options: RequestOptions = {
    method: body === null ? "GET" : "POST",
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? undefined : Number(url.port),
    path: url.pathname + url.search + query,
    headers: body === null
      ? { accept: ACCEPT }
      : { accept: ACCEPT, "content-type": "application/json", "content-length": body.length },
    // A connection of its own: it is asked rarely, and may have been restarted since.
    agent: false,
    ...(isTls ? { minVersion: settings.minTlsVersion } : {}),
    ...(isTls && settings.rootCertificates !== null ? { ca: settings.rootCertificates } : {}),
  };
  return await exchange(() => open(options), body, settings, signal);
}

function exchange(
  open: () => ReturnType<typeof import("node:http").request>,
  body: Uint8Array | null,
  settings: AuthQuerySettings,
  signal: AbortSignal,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = open();
    const fail = (message: string) => request.destroy(new Error(message));
    const connecting = setTimeout(
      () => fail(`no connection to it within ${settings.connectTimeoutMs} ms`),
      settings.connectTimeoutMs,
    );
    const requesting = setTimeout(
      () => fail(`no reply from it within ${settings.requestTimeoutMs} ms`),
      settings.requestTimeoutMs,
    );
    const abort = () => fail("the client is gone");
    signal.addEventListener("abort", abort);
    const settle = () => {
      clearTimeout(connecting);
      clearTimeout(requesting);
      signal.removeEventListener("abort", abort);
    };
    request.on("socket", (socket) => socket.on("connect", () => clearTimeout(connecting)));
    request.on("response", (response) => {
      clearTimeout(connecting);
      readText(response, settings.maxReplyBytes)
        .then((text) => resolve({ status: response.statusCode ?? 0, text }), reject)
        .finally(() => {
          settle();
          request.destroy();
        });
    });
    request.on("error", (cause) => {
      settle();
      reject(cause);
    });
    request.end(body ?? undefined);
  });
}

async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "", byteCount = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    byteCount += chunk.length;
    if (byteCount > maxBytes) throw new Error(`its reply is longer than ${maxBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
