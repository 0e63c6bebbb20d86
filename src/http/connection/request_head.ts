/**
 * Reads the head of a request: the request line and the headers.
 *
 * Strict where two readers could see two different requests in the same bytes (lengths, codings, names, line
 * folding), and lenient in what cannot be read differently: a bare line feed ends a line, `Host` may be missing.
 */
import { decodeLatin1, decodeUtf8 } from "./text.ts";

/** What makes bytes no request that is answered here; the connection ends with it. */
export class BadRequest extends Error {
  override name = "BadRequest";
  readonly status: 400 | 408 | 417 | 431 | 501 | 505;

  constructor(status: BadRequest["status"], message: string) {
    super(message);
    this.status = status;
  }
}

/** Headers as they came. */
export class RequestHeaders {
  /** In lower case. */
  readonly #names: readonly string[];
  readonly #values: readonly string[];

  constructor(names: readonly string[], values: readonly string[]) {
    this.#names = names;
    this.#values = values;
  }

  /** The value of `name`, which is in lower case; several are joined by `, `. Null when there is none. */
  get(name: string): string | null {
    const names = this.#names;
    const first = names.indexOf(name);
    if (first < 0) return null;
    let value = this.#values[first];
    for (let at = names.indexOf(name, first + 1); at >= 0; at = names.indexOf(name, at + 1)) {
      value += `, ${this.#values[at]}`;
    }
    return value;
  }

  /** Every value of `name`, which is in lower case. */
  all(name: string): string[] {
    return this.#values.filter((_, i) => this.#names[i] === name);
  }

  *[Symbol.iterator](): Generator<[string, string]> {
    for (let i = 0; i < this.#names.length; i++) yield [this.#names[i], this.#values[i]];
  }
}

export interface RequestHead {
  readonly method: string;
  /** Path and query as they were sent; `*` for a request about the server. */
  readonly target: string;
  /** HTTP/1.0, which knows neither chunks nor connections that stay by themselves. */
  readonly isOld: boolean;
  readonly headers: RequestHeaders;
  /** Bytes of the body; 0 without one, -1 when it comes in chunks. */
  readonly bodyBytes: number;
  /** The client asks that the connection ends with the answer, or it must, for what follows could be read in two ways. */
  readonly isLast: boolean;
  /** The client sends its body only when told to. */
  readonly awaitsContinue: boolean;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\0-\x20\x7f]+) (HTTP\/\d\.\d)$/;
// deno-lint-ignore no-control-regex
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;
const ABSOLUTE = /^https?:\/\/[^/?#]*/i;

/**
 * Parses the head that ends before its empty line: `bytes[start, end)`.
 *
 * @throws {BadRequest}
 */
export function parseHead(bytes: Uint8Array, start: number, end: number): RequestHead {
  const lines = decodeLatin1(bytes, start, end).split("\n");
  const [, method, rawTarget, version] = REQUEST_LINE.exec(withoutReturn(lines[0])) ?? [];
  if (version === undefined) throw new BadRequest(400, "malformed request line");
  if (!version.startsWith("HTTP/1.")) throw new BadRequest(505, `unsupported version ${version}`);
  const names: string[] = [], values: string[] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = withoutReturn(lines[i]);
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    if (colon < 0 || !TOKEN.test(name)) throw new BadRequest(400, "malformed header");
    const value = line.slice(colon + 1).trim();
    if (CONTROL.test(value)) throw new BadRequest(400, `malformed value of header ${name}`);
    names.push(name.toLowerCase());
    values.push(value);
  }
  const headers = new RequestHeaders(names, values);
  const isOld = version === "HTTP/1.0";
  const hasBothLengths = headers.get("transfer-encoding") !== null && headers.get("content-length") !== null;
  return {
    method,
    target: targetOf(rawTarget),
    isOld,
    headers,
    bodyBytes: bodyBytesOf(headers, isOld),
    isLast: hasBothLengths || asksToClose(headers.get("connection"), isOld),
    awaitsContinue: expects(headers, isOld),
  };
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function targetOf(raw: string): string {
  // What is not ASCII was not escaped as it should be, and is UTF-8 then.
  const target = /[^\0-\x7f]/.test(raw) ? decodeUtf8(raw) : raw;
  if (target.startsWith("/") || target === "*") return target;
  const authority = ABSOLUTE.exec(target)?.[0];
  if (authority === undefined) throw new BadRequest(400, "the target is neither a path nor a URL");
  const rest = target.slice(authority.length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function bodyBytesOf(headers: RequestHeaders, isOld: boolean): number {
  const codings = headers.all("transfer-encoding");
  if (codings.length > 0) {
    if (isOld) throw new BadRequest(400, "HTTP/1.0 knows no Transfer-Encoding");
    if (codings.length > 1 || codings[0].toLowerCase() !== "chunked") {
      throw new BadRequest(501, "the only Transfer-Encoding is chunked");
    }
    return -1;
  }
  const lengths = headers.all("content-length");
  if (lengths.length === 0) return 0;
  const length = /^\d+$/.test(lengths[0]) ? Number(lengths[0]) : NaN;
  if (!Number.isSafeInteger(length)) throw new BadRequest(400, "malformed Content-Length");
  if (lengths.some((other) => other !== lengths[0])) throw new BadRequest(400, "two lengths of one body");
  return length;
}

function asksToClose(connection: string | null, isOld: boolean): boolean {
  if (connection === null) return isOld;
  const words = connection.toLowerCase().split(/[\s,]+/);
  return words.includes("close") || isOld && !words.includes("keep-alive");
}

function expects(headers: RequestHeaders, isOld: boolean): boolean {
  const expected = headers.get("expect");
  if (expected === null || isOld) return false;
  if (expected.toLowerCase() !== "100-continue") throw new BadRequest(417, "cannot meet what is expected");
  return true;
}
