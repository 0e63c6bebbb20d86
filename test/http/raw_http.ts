/** Sends the bytes of requests as they are written, and gives the bytes of answers: fetch() would tidy both. */
import { Logger } from "../../src/log/logger.ts";
import { createApp, type Route } from "../../src/http/router.ts";
import { type Handler, serve } from "../../src/http/server.ts";

const ENCODER = new TextEncoder();

/** An answer as it came; header names in lower case, in the order of the wire. */
export interface RawAnswer {
  status: number;
  headers: [string, string][];
  /** The header lines as they came. */
  head: string;
  body: string;
}

/** Sends one request and reads until the server closes. `head` is the request line and headers without `Host`. */
export async function send(port: number, head: string, body: string | Uint8Array = ""): Promise<RawAnswer> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const reading = new Response(conn.readable).text();
  const bytes = typeof body === "string" ? ENCODER.encode(body) : body;
  const [line, ...headers] = head.split("\r\n");
  const request = [line, "Host: test", "Connection: close", ...headers, "", ""].join("\r\n");
  const writer = conn.writable.getWriter();
  await writer.write(ENCODER.encode(request));
  if (bytes.length > 0) await writer.write(bytes);
  return parseAnswer(await reading);
}

/** Sends `pieces` on one connection, each once the answer to the one before ends in what stands with it. */
export async function converse(
  port: number,
  pieces: readonly [piece: string, end: string][],
): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const buffer = new Uint8Array(10_000), decoder = new TextDecoder();
  let text = "";
  for (const [piece, end] of pieces) {
    const bytes = ENCODER.encode(piece);
    for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
    for (let answer = ""; !answer.endsWith(end);) {
      const count = await conn.read(buffer);
      if (count === null) throw new Error(`closed after ${text}${answer}, not ${end}`);
      const part = decoder.decode(buffer.subarray(0, count));
      answer += part;
      text += part;
    }
  }
  return text;
}

/** Sends a request with a body and its length. */
export function post(port: number, target: string, body: string | Uint8Array = ""): Promise<RawAnswer> {
  const length = typeof body === "string" ? ENCODER.encode(body).length : body.length;
  return send(port, `POST ${target} HTTP/1.1\r\nContent-Length: ${length}`, body);
}

/** Sends a body of undeclared length, in the given pieces. */
export function postChunked(port: number, target: string, pieces: readonly string[]): Promise<RawAnswer> {
  const chunks = pieces.map((piece) => `${ENCODER.encode(piece).length.toString(16)}\r\n${piece}\r\n`);
  return send(port, `POST ${target} HTTP/1.1\r\nTransfer-Encoding: chunked`, chunks.join("") + "0\r\n\r\n");
}

export function get(port: number, target: string): Promise<RawAnswer> {
  return send(port, `GET ${target} HTTP/1.1`);
}

export function header(answer: RawAnswer, name: string): string | undefined {
  return answer.headers.find(([key]) => key === name)?.[1];
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end), [statusLine, ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(" ")[1]), headers, head, body: text.slice(end + 4) };
}

/** An API under test: where it listens, and what it logged so far. */
export interface TestApi extends AsyncDisposable {
  port: number;
  lines: string[];
}

/** Serves `handler` on a port of its own. */
export function serveHandler(handler: Handler, lines: string[] = []): TestApi {
  const logger = new Logger("info", "", (line) => lines.push(line));
  const server = serve("127.0.0.1:0", handler, logger);
  return { port: server.port, lines, [Symbol.asyncDispose]: () => server.shutdown() };
}

export function serveRoutes(routes: readonly Route[]): TestApi {
  const lines: string[] = [];
  const logger = new Logger("info", "", (line) => lines.push(line));
  return serveHandler(createApp(routes, { logger }), lines);
}

/** Sends a request, closes the sending side at once, and reads until the server closes. */
export async function sendHalfClosed(
  port: number,
  head: string,
  body: string | Uint8Array = "",
): Promise<RawAnswer> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const reading = new Response(conn.readable).text();
  const length = body.length > 0 || head.startsWith("P") ? `\r\nContent-Length: ${body.length}` : "";
  const bytes = ENCODER.encode(`${head} HTTP/1.1\r\nHost: test${length}\r\n\r\n`);
  for (const part of [bytes, typeof body === "string" ? ENCODER.encode(body) : body]) {
    for (let at = 0; at < part.length;) at += await conn.write(part.subarray(at));
  }
  await conn.closeWrite();
  return parseAnswer(await reading);
}
