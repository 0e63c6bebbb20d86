import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../src/net/address.ts";
import { StartupError } from "../../src/log/startup_error.ts";

Deno.test("parseAddress() takes host:port for TCP and anything else for the path of a socket", () => {
  const tcp = (hostname: string, port: number) => ({ kind: "tcp", hostname, port });
  const unix = (path: string) => ({ kind: "unix", path });
  const cases: [string, unknown][] = [
    ["0.0.0.0:4150", tcp("0.0.0.0", 4150)],
    [":4151", tcp("0.0.0.0", 4151)],
    ["[::1]:0", tcp("::1", 0)],
    ["[::]:65535", tcp("::", 65535)],
    ["broker.example:80", tcp("broker.example", 80)],
    ["localhost:", tcp("localhost", 0)],
    ["/run/nsqd.sock", unix("/run/nsqd.sock")],
    ["nsqd.sock", unix("nsqd.sock")],
    ["/run/a:1/nsqd:4150", unix("/run/a:1/nsqd:4150")],
    ["::1:4150", unix("::1:4150")],
    ["[::1]", unix("[::1]")],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseAddress(text), expected, text);
});

Deno.test("parseAddress() refuses a port that is none", () => {
  for (const text of ["127.0.0.1:65536", "127.0.0.1:http", "127.0.0.1:-1", ":1e3"]) {
    assert.throws(() => parseAddress(text), StartupError, text);
  }
});

Deno.test("formatAddress() puts an IPv6 host in brackets", () => {
  assert.equal(formatAddress("127.0.0.1", 4151), "127.0.0.1:4151");
  assert.equal(formatAddress("::1", 4151), "[::1]:4151");
});
