/** Transcripts of the topology-aware-consumption experiment. */
import assert from "node:assert/strict";
import { startNsqd, type TestNsqd } from "../support/running_nsqd.ts";
import { mpub, WireClient, withBody } from "./wire_client.ts";

const PLACE = ["--topology-region=eu", "--topology-zone=eu-1"];

async function consumer(server: TestNsqd, place: object | null, rdy: number): Promise<WireClient> {
  const client = await WireClient.open(server.tcpPort);
  if (place !== null) {
    const request = { ...place, feature_negotiation: true };
    const answer = await client.ask(withBody("IDENTIFY", JSON.stringify(request)));
    const { topology_region, topology_zone } = JSON.parse(answer.replace("response ", ""));
    assert.deepEqual([topology_region, topology_zone], ["eu", "eu-1"]);
  }
  await client.subscribe("t", "c", rdy);
  return client;
}

async function counts(server: TestNsqd): Promise<Record<string, number | undefined>> {
  const channel = JSON.parse(await server.http("GET", "/stats?format=json")).topics[0].channels[0];
  const { zone_local_msg_count: zone, region_local_msg_count: region, global_msg_count: global } = channel;
  return { zone, region, global, clients: channel.clients[0].zone_local_msg_count };
}

Deno.test("nsqd with the experiment prefers consumers of its zone, then of its region, and counts them", async () => {
  await using server = await startNsqd([
    ...PLACE,
    "--enable-experiment=topology-aware-consumption",
    "--enable-experiment=of-another-version",
  ]);
  using far = await consumer(server, null, 5);
  using near = await consumer(server, { topology_region: "eu", topology_zone: "eu-2" }, 5);
  using here = await consumer(server, { topology_region: "eu", topology_zone: "eu-1" }, 5);
  using producer = await WireClient.open(server.tcpPort);
  assert.equal(await producer.ask(mpub("t", Array.from({ length: 12 }, (_, i) => `${i}`))), "response OK");
  for (const [client, count] of [[here, 5], [near, 5], [far, 2]] as const) {
    for (let i = 0; i < count; i++) await client.message();
  }
  assert.deepEqual(await counts(server), { zone: 5, region: 5, global: 2, clients: undefined });
  const info = JSON.parse(await server.http("GET", "/info"));
  assert.deepEqual([info.topology_region, info.topology_zone], ["eu", "eu-1"]);
});

Deno.test("nsqd without the experiment counts all deliveries as global", async () => {
  await using server = await startNsqd(PLACE);
  using here = await consumer(server, { topology_region: "eu", topology_zone: "eu-1" }, 5);
  using producer = await WireClient.open(server.tcpPort);
  assert.equal(await producer.ask(mpub("t", ["1", "2"])), "response OK");
  for (let i = 0; i < 2; i++) await here.message();
  assert.deepEqual(await counts(server), {
    zone: undefined,
    region: undefined,
    global: 2,
    clients: undefined,
  });
});
