import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { get, post } from "../../http/raw_http.ts";
import { certificate, sendTls } from "../../http/raw_https.ts";
import { startNsqd } from "../../support/running_nsqd.ts";

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../../support/certificates/${name}.pem`, import.meta.url));
}

const HTTPS = [
  "--https-address=127.0.0.1:0",
  `--tls-cert=${pathOf("server")}`,
  `--tls-key=${pathOf("server_key")}`,
];
const CLIENT = { cert: certificate("client"), key: certificate("client_key") };
const STRANGER = { cert: certificate("stranger"), key: certificate("stranger_key") };
const PING = "GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

Deno.test("nsqd serves its HTTP API over HTTPS too, once it has a certificate", async () => {
  await using started = await startNsqd(HTTPS);
  const port = portOf(started.nsqd.httpsAddress);
  assert.match(await sendTls(port, PING), /^HTTP\/1\.1 200 OK\r\n[^]*OK$/);
  const publish =
    "POST /pub?topic=orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
  assert.match(await sendTls(port, publish), /OK$/);
  assert.match(await started.http("GET", "/stats?format=json&topic=orders"), /"message_count":1,/);
  assert.ok(started.lines.some((line) => line.includes(`HTTPS: listening on 127.0.0.1:${port}`)));
});

Deno.test("nsqd has no HTTPS without a certificate, nor without an address for it", async () => {
  for (const flags of [["--https-address=127.0.0.1:0"], [...HTTPS, "--https-address="]]) {
    await using started = await startNsqd(flags);
    assert.equal(started.nsqd.httpsAddress, "");
  }
});

Deno.test("nsqd answers all plain HTTP with 403 under --tls-required, and names the port of HTTPS", async () => {
  await using started = await startNsqd([...HTTPS, "--tls-required"]);
  const port = portOf(started.nsqd.httpsAddress);
  for (const answer of [await get(started.httpPort, "/ping"), await post(started.httpPort, "/none", "abc")]) {
    assert.equal(answer.status, 403);
    assert.equal(answer.body, `{"message": "TLS_REQUIRED", "https_port": ${port}}`);
    assert.deepEqual(
      answer.headers.find(([name]) => name === "content-type")?.[1],
      "application/json; charset=utf-8",
    );
    assert.ok(!answer.headers.some(([name]) => name === "x-nsq-content-type"));
  }
  assert.match(await sendTls(port, PING), /OK$/);
  assert.ok(!started.lines.some((line) => line.includes(" 403 ")));
});

Deno.test("nsqd says https_port 0 under --tls-required when HTTPS is off", async () => {
  await using started = await startNsqd([...HTTPS, "--https-address=", "--tls-required"]);
  const answer = await get(started.httpPort, "/ping");
  assert.equal(answer.body, `{"message": "TLS_REQUIRED", "https_port": 0}`);
});

Deno.test("nsqd leaves plain HTTP open under --tls-required=tcp-https", async () => {
  await using started = await startNsqd([...HTTPS, "--tls-required=tcp-https"]);
  assert.equal(await started.http("GET", "/ping"), "OK");
  assert.match(await sendTls(portOf(started.nsqd.httpsAddress), PING), /OK$/);
});

Deno.test("nsqd takes over HTTPS only clients that --tls-client-auth-policy lets in", async () => {
  const policies = [
    { policy: "require", admitted: [CLIENT, STRANGER], refused: [{}] },
    { policy: "require-verify", admitted: [CLIENT], refused: [{}, STRANGER] },
    { policy: "other", admitted: [{}, CLIENT, STRANGER], refused: [] },
  ];
  for (const { policy, admitted, refused } of policies) {
    const roots = `--tls-root-ca-file=${pathOf("ca")}`;
    await using started = await startNsqd([...HTTPS, roots, `--tls-client-auth-policy=${policy}`]);
    const port = portOf(started.nsqd.httpsAddress);
    for (const client of admitted) assert.match(await sendTls(port, PING, client), /OK$/, policy);
    for (const client of refused) assert.equal(await sendTls(port, PING, client).catch(() => ""), "", policy);
    assert.equal((await get(started.httpPort, "/ping")).status, 403);
  }
});

Deno.test("nsqd does not start when the address for HTTPS is taken", async () => {
  await using started = await startNsqd(HTTPS);
  const taken = started.nsqd.httpsAddress;
  await assert.rejects(startNsqd([...HTTPS, `--https-address=${taken}`]), {
    name: "StartupError",
    message: `listen (${taken}) failed - listen tcp ${taken}: bind: address already in use`,
  });
});
