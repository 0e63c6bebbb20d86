/** What `reload()` changes in an nsqd with clients. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { resolveOptions } from "../../src/options/merge.ts";
import { type NsqdOptions, nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import { connectTls } from "../http/raw_https.ts";
import { startNsqd } from "../support/running_nsqd.ts";
import { openUpgraded, pemPath } from "../wire/upgrade_client.ts";
import { WireClient, withBody } from "../wire/wire_client.ts";

function optionsOf(...flags: string[]): NsqdOptions {
  const resolved = resolveOptions(nsqdOptions, flags, { name: "nsqd", summary: "", versionText: "" });
  if (resolved.kind === "exit") throw new Error(resolved.text);
  return resolved.values;
}

Deno.test("RunningNsqd.reload() puts limits in force for connected clients and for HTTP", async () => {
  await using running = await startNsqd();
  using publisher = await WireClient.open(running.tcpPort);
  using consumer = await WireClient.open(running.tcpPort);
  assert.equal(await publisher.ask(withBody("PUB orders", "x".repeat(50))), "response OK");
  await consumer.subscribe("orders", "billing", 100);
  await consumer.message();

  running.nsqd.reload(
    optionsOf("--max-rdy-count=50", "--max-msg-size=20", "--max-req-timeout=1s", "--max-channel-consumers=1"),
  );
  assert.equal(await running.http("POST", "/pub?topic=orders", "x".repeat(50)), '{"message":"MSG_TOO_BIG"}');
  assert.equal(
    await running.http("POST", "/pub?topic=orders&defer=2000", "x"),
    '{"message":"INVALID_DEFER"}',
  );
  assert.match(await publisher.ask(withBody("PUB orders", "x".repeat(50))), /^error E_BAD_MESSAGE .*50.*20/);
  assert.equal(await consumer.ask("RDY 100\n"), "error E_INVALID RDY count 100 out of range 0-50");
  using second = await WireClient.open(running.tcpPort);
  await second.ask("SUB orders billing\n");
  using third = await WireClient.open(running.tcpPort);
  assert.match(await third.ask("SUB orders billing\n"), /^error E_SUB_FAILED /);
});

Deno.test("RunningNsqd.reload() is what later clients negotiate with, and what /info shows", async () => {
  await using running = await startNsqd();
  running.nsqd.reload(
    optionsOf("--msg-timeout=90s", "--max-msg-timeout=2m", "--max-rdy-count=50", "--snappy=false"),
  );
  using client = await WireClient.open(running.tcpPort);
  await client.send(withBody("IDENTIFY", '{"feature_negotiation":true,"snappy":true}'));
  const answer = JSON.parse((await client.frame())!.text);
  assert.deepEqual([answer.msg_timeout, answer.max_msg_timeout, answer.max_rdy_count], [90_000, 120_000, 50]);
  assert.equal(answer.snappy, false);
  running.nsqd.reload(optionsOf("--max-heartbeat-interval=2m"));
  const info = JSON.parse(await running.http("GET", "/info"));
  assert.equal(info.max_heartbeat_interval, 120_000_000_000);
});

Deno.test("RunningNsqd.reload() takes renewed certificates, and keeps the old ones when the new are unusable", async () => {
  const folder = await Deno.makeTempDir();
  const certPath = join(folder, "cert.pem"), keyPath = join(folder, "key.pem");
  const install = async (name: string) => {
    await Deno.copyFile(pemPath(name), certPath);
    await Deno.copyFile(pemPath(`${name}_key`), keyPath);
  };
  try {
    await install("server");
    const flags = [`--tls-cert=${certPath}`, `--tls-key=${keyPath}`];
    await using running = await startNsqd([...flags, "--https-address=127.0.0.1:0"]);
    const port = Number(running.nsqd.httpsAddress.split(":")[1]);
    const shownName = async () => {
      const socket = await connectTls(port, { rejectUnauthorized: false });
      const { subject } = socket.getPeerCertificate();
      socket.destroy();
      return subject.CN;
    };
    (await openUpgraded(running.tcpPort, { tls_v1: true }))[Symbol.dispose]();
    assert.equal(await shownName(), "localhost");

    await install("stranger");
    running.nsqd.reload(optionsOf(...flags));
    assert.equal(await shownName(), "stranger");
    await assert.rejects(openUpgraded(running.tcpPort, { tls_v1: true }));
    const trusting = { rejectUnauthorized: false };
    (await openUpgraded(running.tcpPort, { tls_v1: true }, trusting))[Symbol.dispose]();

    await Deno.writeTextFile(certPath, "no certificate");
    running.nsqd.reload(optionsOf(...flags));
    assert.equal(await shownName(), "stranger");
    const told = running.lines.filter((line) => line.includes("TLS: certificates")).map((line) =>
      line.replace(/^\S+ \S+ /, "").trimEnd()
    );
    assert.deepEqual(told, [
      "INFO: TLS: certificates loaded again, for connections from now on",
      "ERROR: TLS: certificates not loaded again, the old ones stay - failed to build TLS config - " +
      `${certPath} holds no certificate in PEM form`,
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
