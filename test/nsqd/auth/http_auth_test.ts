import assert from "node:assert/strict";
import { Logger } from "../../../src/log/logger.ts";
import { Authenticator } from "../../../src/nsqd/auth/authenticator.ts";
import { HttpAuth } from "../../../src/nsqd/auth/http_auth.ts";
import { defaultsOf } from "../../../src/options/option.ts";
import { nsqdOptions } from "../../../src/options/tables/nsqd_options.ts";
import { AuthServer, reply } from "../../support/auth_server.ts";
import { startNsqd } from "../../support/running_nsqd.ts";

/** One who may subscribe to `mail*` of `orders`, one who may publish only, one who may nothing. */
function rightsOf(secret: string | null): unknown[] {
  if (secret === "reader") return [{ topic: "^orders$", channels: ["^mail"], permissions: ["subscribe"] }];
  if (secret === "writer") return [{ topic: ".*", channels: [".*"], permissions: ["publish"] }];
  return [];
}

/** The path of each endpoint that shows messages of `channel` of `orders`. */
const LOOKING = [
  "/channel/messages?topic=orders&channel=mail",
  "/channel/dead?topic=orders&channel=mail",
  "/topic/messages?topic=orders",
  "/message?topic=orders&channel=mail&id=0000000000000000",
];

Deno.test("messages are shown to those who may subscribe to them, and only they are asked for a secret", async () => {
  await using server = await AuthServer.start(({ target }) => {
    const secret = new URL(target, "http://x").searchParams.get("secret");
    return reply({ ttl: 3600, authorizations: rightsOf(secret) });
  });
  await using running = await startNsqd([
    `--auth-http-address=${server.address}`,
    "--auth-http-request-method=get",
  ]);
  const look = async (path: string, authorization?: string) => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const response = await fetch(`http://127.0.0.1:${running.httpPort}${path}`, { headers });
    const { message = "" } = await response.json();
    return `${response.status} ${message}`.trim();
  };
  for (
    const path of [
      "/topic/create?topic=orders",
      "/channel/create?topic=orders&channel=mail",
      "/channel/create?topic=orders&channel=other",
      "/pub?topic=orders",
    ]
  ) await running.http("POST", path, path.startsWith("/pub") ? "seen" : undefined);

  for (const path of LOOKING) {
    const found = path.startsWith("/message?") ? "400" : "200";
    assert.match(await look(path, "Bearer reader"), new RegExp(`^${found}`), path);
    assert.equal(await look(path), "401 AUTH_REQUIRED", path);
    assert.equal(await look(path, "Basic cmVhZGVy"), "401 AUTH_REQUIRED", path);
    assert.equal(await look(path, "Bearer writer"), "403 UNAUTHORIZED", path);
    assert.equal(await look(path, "Bearer nobody"), "403 UNAUTHORIZED", path);
  }
  assert.equal(
    await look("/channel/messages?topic=orders&channel=other", "Bearer reader"),
    "403 UNAUTHORIZED",
  );
  assert.equal(await look("/topic/messages?topic=payments", "Bearer reader"), "403 UNAUTHORIZED");
  assert.equal(server.requests.length, 3, "each secret is asked for once");
  const subject = new URL(server.requests[0].target, "http://x").searchParams;
  assert.deepEqual(
    [subject.get("remote_ip"), subject.get("tls"), subject.get("common_name")],
    ["127.0.0.1", "false", ""],
  );

  // What an auth server cannot be asked for is not shown.
  server.answer = () => ({ status: 500, body: "no" });
  assert.equal(await look(LOOKING[0], "Bearer late"), "503 AUTH_FAILED");
  assert.match(await look(LOOKING[0], "Bearer reader"), /^200/);
});

Deno.test("what an auth server allows holds for its ttl, for each address and secret", async () => {
  await using server = await AuthServer.start(() =>
    reply({
      ttl: 10,
      authorizations: [{ topic: ".*", channels: [".*"], permissions: ["subscribe"] }],
    })
  );
  const options = { ...defaultsOf(nsqdOptions), authHttpAddress: [server.address] };
  let nowMs = 0;
  const auth = new HttpAuth(Authenticator.of(options, new Logger("info", "", () => {}))!, () => nowMs);
  const look = (secret: string, remoteAddress = "127.0.0.1:1") =>
    auth.mayLook(
      {
        headers: new Headers({ authorization: `bearer ${secret}` }),
        remoteAddress,
        isTls: false,
      },
      "t",
      "c",
    );
  await look("a");
  await look("a", "127.0.0.1:2");
  nowMs = 9_999;
  await look("a");
  assert.equal(server.requests.length, 1);
  await look("b");
  await look("a", "127.0.0.2:1");
  assert.equal(server.requests.length, 3);
  nowMs = 10_000;
  await look("a");
  assert.equal(server.requests.length, 4);
});
