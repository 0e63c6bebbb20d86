import assert from "node:assert/strict";
import { MetricsWriter } from "../../../src/metrics/text_format.ts";
import { type MetricsClient, writeClients } from "../../../src/nsqd/stats/client_metrics.ts";
import { parseMetrics } from "../../support/metrics_text.ts";

function producer(remoteAddress: string): MetricsClient {
  return {
    publishCounts: new Map([["t", 1], ["u", 2]]),
    remoteAddress,
    settings: { clientId: "c", hostname: "h" } as MetricsClient["settings"],
    subscription: null,
  };
}

function addressesOf(clients: MetricsClient[]): string[] {
  const to = new MetricsWriter("");
  for (const _ of writeClients(to, clients)) assert.ok(to.length > 0);
  const { samples } = parseMetrics(to.take()).get("client_published_total")!;
  return samples.map(({ labels }) => labels.remote_address);
}

Deno.test("writeClients() tells clients of a Unix socket apart, and names each as before", () => {
  const clients = [producer("@"), producer("10.0.0.1:7"), producer("@")];
  const addresses = addressesOf(clients);
  assert.deepEqual(addresses.slice(2, 4), ["10.0.0.1:7", "10.0.0.1:7"]);
  assert.equal(new Set(addresses).size, 3);
  assert.deepEqual(addressesOf(clients.slice(2)), addresses.slice(4));
});
