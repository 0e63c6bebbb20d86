import assert from "node:assert/strict";
import { BadRequest, parseHead } from "../../../src/http/connection/request_head.ts";

function parse(...lines: string[]) {
  const bytes = new TextEncoder().encode(lines.join("\r\n"));
  return parseHead(bytes, 0, bytes.length);
}

Deno.test("parseHead() takes method, target, headers and length apart", () => {
  const head = parse("POST /pub?topic=a HTTP/1.1", "Host: n1:4151", "content-LENGTH: 12", "X-A:  b \t");
  assert.equal(head.method, "POST");
  assert.equal(head.target, "/pub?topic=a");
  assert.equal(head.bodyBytes, 12);
  assert.equal(head.isLast, false);
  assert.equal(head.isOld, false);
  assert.deepEqual([...head.headers], [["host", "n1:4151"], ["content-length", "12"], ["x-a", "b"]]);
});

Deno.test("parseHead() joins headers of one name, and gives null for one that did not come", () => {
  const { headers } = parse("GET / HTTP/1.1", "Accept: a", "accept: b");
  assert.equal(headers.get("accept"), "a, b");
  assert.deepEqual(headers.all("accept"), ["a", "b"]);
  assert.equal(headers.get("host"), null);
});

Deno.test("parseHead() takes the target out of a URL, and reads what is not ASCII as UTF-8", () => {
  assert.equal(parse("GET http://other:1/ping?x HTTP/1.1").target, "/ping?x");
  assert.equal(parse("GET http://other HTTP/1.1").target, "/");
  assert.equal(parse("GET http://other?x HTTP/1.1").target, "/?x");
  assert.equal(parse("GET /a?x=ä HTTP/1.1").target, "/a?x=ä");
  assert.equal(parse("OPTIONS * HTTP/1.1").target, "*");
});

Deno.test("parseHead() tells when the connection ends with the request", () => {
  const isLast = (version: string, ...headers: string[]) => parse(`GET / HTTP/${version}`, ...headers).isLast;
  assert.equal(isLast("1.1"), false);
  assert.equal(isLast("1.1", "Connection: Upgrade, Close"), true);
  assert.equal(isLast("1.1", "Connection: keep-alive"), false);
  assert.equal(isLast("1.0"), true);
  assert.equal(isLast("1.0", "Connection: Keep-Alive"), false);
});

Deno.test("parseHead() ends lines at a bare line feed too", () => {
  const bytes = new TextEncoder().encode("GET /a HTTP/1.1\nHost: b\nX: y\r");
  assert.equal(parseHead(bytes, 0, bytes.length).headers.get("x"), "y");
});

Deno.test("parseHead() refuses what two readers could read in two ways", () => {
  const cases: [string[], number][] = [
    [["GET  / HTTP/1.1"], 400],
    [["GET / HTTP/1.1", ": a"], 400],
    [["GET / HTTP/1.1", "a"], 400],
    [["GET / HTTP/1.1", "a: b\rc"], 400],
    [["GET / HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 501],
    [["GET / HTTP/1.1", "Transfer-Encoding: xchunked"], 501],
    [["GET / HTTP/1.1", "Content-Length: 99999999999999999999"], 400],
    [["GET / HTTP/1.1", "Content-Length: 0x1"], 400],
  ];
  for (const [lines, status] of cases) {
    assert.throws(
      () => parse(...lines),
      (error) => error instanceof BadRequest && error.status === status,
      lines.join(),
    );
  }
});
