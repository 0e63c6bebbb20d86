import assert from "node:assert/strict";
import { HttpError } from "../../src/http/errors.ts";
import { EncodedJson } from "../../src/http/respond.ts";
import type { Route } from "../../src/http/router.ts";
import { converse, get, header, post, send, serveRoutes } from "./raw_http.ts";

const ROUTES: Route[] = [
  { method: "GET", path: "/ping", style: "plain", handle: () => "OK" },
  {
    method: "GET",
    path: "/bad",
    style: "plain",
    handle: () => Promise.reject(new HttpError(500, "NOK - <x>")),
  },
  { method: "POST", path: "/pub", isLogged: false, handle: ({ query }) => `OK ${query.get("topic")}` },
  { method: "POST", path: "/topic/create", handle: () => {} },
  { method: "GET", path: "/info", handle: () => ({ text: "<a>&\u2028", list: [], none: null }) },
  { method: "GET", path: "/ready", handle: () => new EncodedJson(`{"a":1}`) },
  { method: "GET", path: "/missing", handle: () => Promise.reject(new HttpError(404, "TOPIC_NOT_FOUND")) },
  {
    method: "GET",
    path: "/crash",
    style: "plain",
    handle() {
      throw new TypeError("boom");
    },
  },
  { method: "GET", path: "/config/:opt", handle: (context) => `get ${context.parameter("opt")}` },
  { method: "PUT", path: "/config/:opt", handle: (context) => `put ${context.parameter("opt")}` },
  { method: "GET", path: "/debug/pprof/", handle: () => "" },
];

const JSON_TYPE = "application/json; charset=utf-8", TEXT_TYPE = "text/plain; charset=utf-8";
const VERSION = "nsq; version=1.0";

/** Everything that tells answers apart: status, type, version, body. */
async function answerOf(port: number, head: string) {
  const answer = await send(port, `${head} HTTP/1.1`);
  assert.equal(header(answer, "content-length"), String(answer.body.length));
  return [answer.status, header(answer, "content-type"), header(answer, "x-nsq-content-type"), answer.body];
}

Deno.test("createApp() answers values and errors in the style of the route", async () => {
  await using api = serveRoutes(ROUTES);
  const answers: [string, unknown[]][] = [
    ["GET /ping", [200, TEXT_TYPE, undefined, "OK"]],
    ["GET /bad", [500, TEXT_TYPE, undefined, "NOK - <x>"]],
    ["POST /pub?topic=a%23b", [200, TEXT_TYPE, VERSION, "OK a#b"]],
    ["POST /pub?topic=a;b", [400, JSON_TYPE, VERSION, `{"message":"INVALID_REQUEST"}`]],
    ["POST /topic/create", [200, undefined, VERSION, ""]],
    ["GET /info", [
      200,
      JSON_TYPE,
      VERSION,
      `{"text":"\\u003ca\\u003e\\u0026\\u2028","list":[],"none":null}`,
    ]],
    ["GET /ready", [200, JSON_TYPE, VERSION, `{"a":1}`]],
    ["GET /missing", [404, JSON_TYPE, VERSION, `{"message":"TOPIC_NOT_FOUND"}`]],
    ["GET /nope", [404, JSON_TYPE, VERSION, `{"message":"NOT_FOUND"}`]],
    ["GET /config/log_level", [200, TEXT_TYPE, VERSION, "get log_level"]],
    ["PUT /config/a%20b", [200, TEXT_TYPE, VERSION, "put a b"]],
    ["GET /config/t%23ephemeral", [200, TEXT_TYPE, VERSION, "get t#ephemeral"]],
    ["GET /config/a%2541", [200, TEXT_TYPE, VERSION, "get a%41"]],
    ["GET /config", [404, JSON_TYPE, VERSION, `{"message":"NOT_FOUND"}`]],
    ["GET /config/", [404, JSON_TYPE, VERSION, `{"message":"NOT_FOUND"}`]],
    ["GET /%zz", [404, JSON_TYPE, VERSION, `{"message":"NOT_FOUND"}`]],
    ["GET /", [404, JSON_TYPE, VERSION, `{"message":"NOT_FOUND"}`]],
    ["GET /p%69ng", [200, TEXT_TYPE, undefined, "OK"]],
    ["GET /config%2Flog", [200, TEXT_TYPE, VERSION, "get log"]],
  ];
  for (const [request, expected] of answers) {
    assert.deepEqual(await answerOf(api.port, request), expected, request);
  }
});

Deno.test("createApp() answers as the captured transcripts do, line by line", async () => {
  await using api = serveRoutes(ROUTES);
  const transcripts: [string, string[], string][] = [
    ["GET /nope", [
      "HTTP/1.1 404 Not Found",
      "Content-Type: application/json; charset=utf-8",
      "X-Nsq-Content-Type: nsq; version=1.0",
      "Content-Length: 23",
    ], `{"message":"NOT_FOUND"}`],
    ["GET /pub", [
      "HTTP/1.1 405 Method Not Allowed",
      "Allow: OPTIONS, POST",
      "Content-Type: application/json; charset=utf-8",
      "X-Nsq-Content-Type: nsq; version=1.0",
      "Content-Length: 32",
    ], `{"message":"METHOD_NOT_ALLOWED"}`],
    ["POST /topic/create/?topic=slash", [
      "HTTP/1.1 307 Temporary Redirect",
      "Location: /topic/create?topic=slash",
      "Content-Length: 0",
    ], ""],
    ["POST /topic/create?topic=manual", [
      "HTTP/1.1 200 OK",
      "X-Nsq-Content-Type: nsq; version=1.0",
      "Content-Length: 0",
    ], ""],
  ];
  for (const [request, head, body] of transcripts) {
    const answer = await send(api.port, `${request} HTTP/1.1`);
    const lines = answer.head.split("\r\n").filter((line) => !/^(Date|Connection):/.test(line));
    assert.deepEqual(lines, head);
    assert.equal(answer.body, body);
  }
});

Deno.test("createApp() refuses other methods, HEAD among them, and says which are allowed", async () => {
  await using api = serveRoutes(ROUTES);
  const cases: [string, string][] = [
    ["HEAD /ping", "GET, OPTIONS"],
    ["DELETE /pub", "OPTIONS, POST"],
    ["BREW /info", "GET, OPTIONS"],
    ["POST /config/x", "GET, OPTIONS, PUT"],
    ["HEAD /config/x", "GET, OPTIONS, PUT"],
  ];
  for (const [request, allow] of cases) {
    const answer = await send(api.port, `${request} HTTP/1.1`);
    assert.equal(answer.status, 405, request);
    assert.equal(header(answer, "allow"), allow, request);
    assert.equal(header(answer, "x-nsq-content-type"), VERSION);
    assert.equal(answer.body, request.startsWith("HEAD") ? "" : `{"message":"METHOD_NOT_ALLOWED"}`);
  }
  assert.equal((await send(api.port, "HEAD /nope HTTP/1.1")).status, 404);
  assert.equal((await send(api.port, "HEAD /PING HTTP/1.1")).status, 404);
});

Deno.test("createApp() answers OPTIONS on known paths with what is allowed", async () => {
  await using api = serveRoutes(ROUTES);
  const answer = await send(api.port, "OPTIONS /config/x HTTP/1.1");
  assert.equal(answer.status, 200);
  assert.equal(header(answer, "allow"), "GET, OPTIONS, PUT");
  assert.equal(header(answer, "x-nsq-content-type"), undefined);
  assert.equal(header(answer, "content-length"), "0");
  assert.equal((await send(api.port, "OPTIONS /nope HTTP/1.1")).status, 404);
  assert.deepEqual(api.lines.filter((line) => line.includes("200 OPTIONS")), []);
});

Deno.test("createApp() redirects other spellings of a path and keeps the query", async () => {
  await using api = serveRoutes(ROUTES);
  const cases: [string, number, string][] = [
    ["POST /topic/create/?topic=slash", 307, "/topic/create?topic=slash"],
    ["POST //topic//create?a=%23+&b", 307, "/topic/create?a=%23+&b"],
    ["GET /PING", 301, "/ping"],
    ["GET /ping%2f", 301, "/ping"],
    ["GET /ping/", 301, "/ping"],
    ["GET /x/../ping", 301, "/ping"],
    ["PUT /Config/Log_Level/", 307, "/config/Log_Level"],
    ["GET /config/a%20b/", 301, "/config/a%20b"],
    ["GET /config/a%2541%23/", 301, "/config/a%2541%23"],
    ["GET /debug/pprof", 301, "/debug/pprof/"],
    ["GET //ping?x=ä", 301, "/ping?x=%C3%A4"],
  ];
  for (const [request, status, location] of cases) {
    const answer = await send(api.port, `${request} HTTP/1.1`);
    assert.equal(answer.status, status, request);
    assert.equal(header(answer, "location"), location, request);
    assert.equal(header(answer, "x-nsq-content-type"), undefined);
    if (status === 307) assert.equal(answer.body, "");
  }
  const answer = await get(api.port, "/PING?a=1&b=%22");
  assert.equal(header(answer, "content-type"), "text/html; charset=utf-8");
  assert.equal(answer.body, `<a href="/ping?a=1&amp;b=%22">Moved Permanently</a>.\n`);
  assert.equal((await post(api.port, "/ping/")).status, 404, "not under another method");
  assert.deepEqual(api.lines.filter((line) => /INFO: 30[17] /.test(line)), []);
});

Deno.test("createApp() answers 500 when a handler crashes, and logs why", async () => {
  await using api = serveRoutes(ROUTES);
  assert.deepEqual(await answerOf(api.port, "GET /crash"), [
    500,
    JSON_TYPE,
    VERSION,
    `{"message":"INTERNAL_ERROR"}`,
  ]);
  assert.match(api.lines[0], /ERROR: HTTP: failed to answer GET \/crash - TypeError: boom/);
  assert.match(api.lines[1], /INFO: 500 GET \/crash /);
});

Deno.test("createApp() logs one line for what the world did, without the place in our source", async () => {
  await using api = serveRoutes([{
    method: "POST",
    path: "/topic/create",
    handle: () =>
      Promise.reject(new HttpError(503, "EXITING", { cause: new Error("No space left on device") })),
  }]);
  assert.equal((await post(api.port, "/topic/create?topic=t")).body, `{"message":"EXITING"}`);
  assert.equal(api.lines.length, 2);
  assert.match(
    api.lines[0],
    /ERROR: HTTP: failed to answer POST \/topic\/create\?topic=t - No space left on device\n$/,
  );
  assert.match(api.lines[1], /INFO: 503 POST \/topic\/create/);
});

Deno.test("createApp() logs requests except where the route says otherwise", async () => {
  await using api = serveRoutes(ROUTES);
  await post(api.port, "/pub?topic=a");
  await get(api.port, "/info?a=%20");
  await get(api.port, "/nope?x");
  await send(api.port, "HEAD /ping HTTP/1.1");
  assert.equal(api.lines.length, 3, api.lines.join(""));
  assert.match(api.lines[0], /INFO: 200 GET \/info\?a=%20 \(127\.0\.0\.1:\d+\) [\d.]+(ms|µs|ns|s)\n$/);
  assert.match(api.lines[1], /INFO: 404 GET \/nope\?x /);
  assert.match(api.lines[2], /INFO: 405 HEAD \/ping /);
});

Deno.test("createApp() answers HTTP/1.0 and requests with an unusual Host", async () => {
  await using api = serveRoutes(ROUTES);
  assert.equal((await send(api.port, "GET /ping HTTP/1.0")).body, "OK");
  assert.equal((await send(api.port, "GET http://elsewhere:1/ping?x HTTP/1.1")).body, "OK");
});

Deno.test("createApp() takes the path from nowhere but the request line", async () => {
  await using api = serveRoutes(ROUTES);
  for (const host of ["a/topic/create?", "/ping?", "a/"]) {
    const request = `POST /nope HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const answer = await converse(api.port, [[request, `{"message":"INVALID_REQUEST"}`]]);
    assert.match(answer, /^HTTP\/1\.1 400 /, host);
  }
  for (const host of ["a?b", "a#b", "[::1]:80", ""]) {
    const request = `GET /ping HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    assert.match(await converse(api.port, [[request, "OK"]]), /^HTTP\/1\.1 200 /, host);
  }
});
