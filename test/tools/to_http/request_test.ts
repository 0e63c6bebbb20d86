import assert from "node:assert/strict";
import {
  escapeQuery,
  getDestination,
  hasOnePlace,
  parseHeaders,
  postDestination,
} from "../../../src/tools/to_http/request.ts";
import { ToolError } from "../../../src/tools/tool.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("getDestination() puts the message in place of %s, escaped for a query", () => {
  const { request, isTaken } = getDestination("http://h/p?m=%s&x=100%%&y=%20", {});
  assert.equal(request(bytes("he llo&x%")).url, "http://h/p?m=he+llo%26x%25&x=100%&y=%20");
  assert.deepEqual([200, 201, 204, 500].map(isTaken), [true, false, false, false]);
});

Deno.test("escapeQuery() leaves letters, digits and -_.~ and escapes all other bytes", () => {
  assert.equal(escapeQuery(bytes("Az09-_.~ /+ü")), "Az09-_.~+%2F%2B%C3%BC");
  assert.equal(escapeQuery(Uint8Array.of(0, 255)), "%00%FF");
});

Deno.test("hasOnePlace() wants %s exactly once", () => {
  assert.deepEqual(["http://h/%s", "http://h/", "http://h/%s%s"].map(hasOnePlace), [true, false, false]);
});

Deno.test("postDestination() posts the message as it is, and headers win over the content type", () => {
  const { request, isTaken } = postDestination("http://h/", { "Content-Type": "a/b" }, "text/plain");
  const sent = request(bytes("x"));
  assert.deepEqual(sent.request.headers, { "Content-Type": "a/b" });
  assert.deepEqual(sent.request.body, bytes("x"));
  assert.deepEqual([199, 200, 204, 299, 300].map(isTaken), [false, true, true, true, false]);
});

Deno.test("parseHeaders() takes name and value apart at the first colon; the last of a name wins", () => {
  assert.deepEqual(parseHeaders(["X-A: b:c", "X-B :d ", "x-a: e"]), { "x-a": "e", "X-B": "d" });
  assert.throws(() => parseHeaders(["a=b"]), new ToolError("--header value format should be 'key=value'"));
  assert.throws(() => parseHeaders(["a b: c"]), ToolError);
});
