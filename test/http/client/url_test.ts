import assert from "node:assert/strict";
import { targetOfUrl, urlOf } from "../../../src/http/client/url.ts";

Deno.test("urlOf() makes a URL of every form that an address has", () => {
  const cases: [string, string][] = [
    ["127.0.0.1:4151", "http://127.0.0.1:4151/ping"],
    ["[::1]:4151", "http://[::1]:4151/ping"],
    ["bob:secret@node1:4151", "http://bob:secret@node1:4151/ping"],
    ["http://node1:4151", "http://node1:4151/ping"],
    ["https://node1/nsq/", "https://node1/nsq/ping"],
    ["/run/nsqd.sock", "http+unix://%2Frun%2Fnsqd.sock/ping"],
  ];
  for (const [address, url] of cases) assert.equal(urlOf(address, "/ping"), url);
});

Deno.test("targetOfUrl() takes host, port, path and authorization apart", () => {
  const parts = (url: string) => {
    const { destination, path, authorization, isTls } = targetOfUrl(url);
    return { destination, path, authorization, isTls };
  };
  assert.deepEqual(parts("http://node1"), {
    destination: { hostname: "node1", port: 80 },
    path: "/",
    authorization: null,
    isTls: false,
  });
  assert.deepEqual(parts("https://a:b@[::1]/x?y=%20"), {
    destination: { hostname: "::1", port: 443 },
    path: "/x?y=%20",
    authorization: `Basic ${btoa("a:b")}`,
    isTls: true,
  });
  assert.deepEqual(parts(urlOf("/run/nsqd.sock", "/ping")), {
    destination: { socketPath: "/run/nsqd.sock" },
    path: "/ping",
    authorization: null,
    isTls: false,
  });
});
