import assert from "node:assert/strict";
import { Upstream, UpstreamError } from "../../src/cluster/upstream.ts";
import { HttpClient } from "../../src/http/client/http_client.ts";
import { Logger } from "../../src/log/logger.ts";
import { loadTlsClientSettings } from "../../src/net/tls_client_settings.ts";
import { deadAddress, FakeNode, refuse } from "../admin/fixtures.ts";
import { startNsqd } from "../support/running_nsqd.ts";

const CERTIFICATES = new URL("../support/certificates/", import.meta.url).pathname;

function clientOf(requestTimeoutMs = 5_000): HttpClient {
  return new HttpClient({
    connectTimeoutMs: 2_000,
    requestTimeoutMs,
    tls: loadTlsClientSettings({
      rootCaFile: `${CERTIFICATES}ca.pem`,
      certFile: "",
      keyFile: "",
      isVerified: false,
    }),
  });
}

const upstream = new Upstream(clientOf(), null);

Deno.test("Upstream.get() unwraps the answers of nodes from before version 1.0", async () => {
  await using node = new FakeNode({
    "/nodes": { status_code: 200, status_txt: "OK", data: { producers: [1] } },
  });
  assert.deepEqual(await upstream.get("nsqlookupd", node.address, "/nodes"), { producers: [1] });
  node.answers["/nodes"] = { producers: [2] };
  assert.deepEqual(await upstream.get("nsqlookupd", node.address, "/nodes"), { producers: [2] });
});

Deno.test("Upstream says what is wrong in the words that are known", async () => {
  await using node = new FakeNode({
    "/refused": refuse(404, "TOPIC_NOT_FOUND"),
    "/html": () => new Response("<html>"),
    "/slow": () => new Promise<Response>((resolve) => setTimeout(() => resolve(new Response("{}")), 300)),
  });
  const dead = deadAddress();
  const table: [
    address: string,
    path: string,
    message: RegExp,
    status: number | null,
    isUnreached: boolean,
  ][] = [
    [
      node.address,
      "/refused",
      /^got response 404 Not Found "\{\\"message\\":\\"TOPIC_NOT_FOUND\\"\}"$/,
      404,
      false,
    ],
    [node.address, "/html", /^.*JSON.* in the answer of 127\.0\.0\.1:\d+ to \/html$/, 200, false],
    [
      dead,
      "/x",
      new RegExp(`^Get "http://${dead}/x": dial tcp ${dead}: connect: connection refused$`),
      null,
      true,
    ],
    [node.address, "/slow", /^Get "http:\/\/127\.0\.0\.1:\d+\/slow": no reply .*within 100 ms$/, null, false],
  ];
  const impatient = new Upstream(clientOf(100), null);
  for (const [address, path, message, status, isUnreached] of table) {
    await assert.rejects(impatient.get("nsqd", address, path), (error: UpstreamError) => {
      assert.match(error.message, message);
      assert.deepEqual([error.status, error.isUnreached], [status, isUnreached]);
      return true;
    });
  }
  await assert.rejects(upstream.post("nsqd", dead, "/y"), { message: /^Post "http:/ });
});

Deno.test("Upstream sends its POSTs without a body, and what it takes", async () => {
  await using node = new FakeNode({
    "POST /topic/pause": (request: Request) => {
      assert.equal(request.headers.get("accept"), "application/vnd.nsq; version=1.0");
      return new Response();
    },
  });
  await upstream.post("nsqd", node.address, "/topic/pause?topic=a%23b");
  assert.deepEqual([node.requests, node.bodies], [["POST /topic/pause?topic=a%23b"], [""]]);
});

Deno.test("Upstream goes to the HTTPS port that a node names which refuses plain HTTP", async () => {
  await using secure = await startNsqd([
    "--https-address=127.0.0.1:0",
    "--tls-required=true",
    `--tls-cert=${CERTIFICATES}server.pem`,
    `--tls-key=${CERTIFICATES}server_key.pem`,
  ]);
  assert.match(await secure.http("GET", "/info"), /TLS_REQUIRED/);
  const info = await upstream.get("nsqd", `127.0.0.1:${secure.httpPort}`, "/info") as { version: string };
  assert.equal(info.version, "1.3.0");
  await using node = new FakeNode({ "/other": refuse(403, "FORBIDDEN") });
  await assert.rejects(upstream.get("nsqd", node.address, "/other"), {
    message: /^got response 403 Forbidden/,
  });
});

Deno.test("Upstream sends the password of an address, and never shows it", async () => {
  const lines: string[] = [];
  const logger = new Logger("debug", "", (line) => lines.push(line));
  await using node = new FakeNode({
    "/info": (request: Request) => Response.json({ authorization: request.headers.get("authorization") }),
  });
  const shown = new Upstream(clientOf(), logger);
  const { authorization } = await shown.get("nsqd", `me:secret@${node.address}`, "/info") as {
    authorization: string;
  };
  assert.equal(authorization, `Basic ${btoa("me:secret")}`);
  await assert.rejects(
    shown.get("nsqd", `me:secret@${deadAddress()}`, "/info"),
    (error: Error) => !error.message.includes("secret"),
  );
  assert.match(lines[0], new RegExp(`INFO: CI: querying nsqd http://${node.address}/info`));
  assert.equal(lines.join("").includes("secret"), false);
  await shown.silently().get("nsqd", node.address, "/info");
  assert.equal(lines.length, 2);
});
