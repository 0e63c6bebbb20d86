/** Cuts the bytes that an HTTP server sent into answers, and is strict about it. */
import assert from "node:assert/strict";
import { excerpt } from "./target.ts";

export interface HttpAnswer {
  status: number;
  /** Names in lower case. */
  headers: Map<string, string>;
  body: string;
  /** Where the next answer begins. */
  end: number;
}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d) [A-Za-z' -]*$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\x20-\x7e\x80-\xff]*)$/;

/**
 * Reads the answer that starts at `at`, a text with a character for each byte.
 *
 * @returns undefined while it is incomplete
 * @throws when it is no HTTP
 */
export function readAnswer(text: string, at: number, isToHead: boolean): HttpAnswer | undefined {
  const headEnd = text.indexOf("\r\n\r\n", at);
  if (headEnd < 0) return undefined;
  const [line, ...lines] = text.slice(at, headEnd).split("\r\n");
  const status = Number(STATUS_LINE.exec(line)?.[1]);
  assert.ok(status >= 100, `no status line: ${excerpt(line)}`);
  const headers = new Map<string, string>();
  for (const header of lines) {
    const [, name, value] = HEADER.exec(header) ?? assert.fail(`no header: ${excerpt(header)}`);
    assert.ok(!headers.has(name.toLowerCase()), `header ${name} comes twice`);
    headers.set(name.toLowerCase(), value);
  }
  const start = headEnd + 4;
  if (isToHead || status < 200 || status === 204 || status === 304) {
    return { status, headers, body: "", end: start };
  }
  if (headers.get("transfer-encoding") === "chunked") return readChunks(text, start, status, headers);
  const length = headers.get("content-length");
  assert.match(length ?? "none", /^\d+$/, `content-length of ${excerpt(text.slice(at, headEnd))}`);
  const end = start + Number(length);
  return end > text.length ? undefined : { status, headers, body: text.slice(start, end), end };
}

function readChunks(
  text: string,
  start: number,
  status: number,
  headers: Map<string, string>,
): HttpAnswer | undefined {
  let body = "";
  for (let at = start;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = text.slice(at, lineEnd);
    assert.match(size, /^[0-9A-Fa-f]{1,8}$/, "the size of a chunk");
    const from = lineEnd + 2, to = from + parseInt(size, 16);
    if (to + 2 > text.length) return undefined;
    assert.equal(text.slice(to, to + 2), "\r\n", "the end of a chunk");
    body += text.slice(from, to);
    at = to + 2;
    if (to === from) return { status, headers, body, end: at };
  }
}
