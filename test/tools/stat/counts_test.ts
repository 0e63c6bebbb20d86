import assert from "node:assert/strict";
import { type ChannelCounts, type Look, rowsOf } from "../../../src/tools/stat/counts.ts";

function counts(messages: number, depth: number): ChannelCounts {
  return {
    topic: "t",
    channel: "c",
    depth,
    memory: depth,
    disk: 0,
    inFlight: 1,
    deferred: 2,
    requeued: 3,
    timedOut: 4,
    messages,
    clients: 5,
    isPaused: false,
    nodes: 1,
  };
}

function look(atMs: number, nodes: Record<string, ChannelCounts>): Look {
  const byNode = new Map(Object.entries(nodes).map(([node, channel]) => [node, new Map([["t/c", channel]])]));
  return { atMs, byNode, failures: [] };
}

Deno.test("rowsOf() sums over nodes, and rates are by the time that passed", () => {
  const before = look(0, { a: counts(100, 10), b: counts(50, 0) });
  const now = look(2_000, { a: counts(200, 30), b: counts(51, 0) });
  const [row] = rowsOf(now, before);
  assert.equal(row.ingress, 50);
  assert.equal(row.egress, 40);
  assert.deepEqual([row.depth, row.messages, row.inFlight, row.deferred], [30, 251, 2, 4]);
  assert.deepEqual([row.requeued, row.timedOut, row.clients, row.nodes], [6, 8, 10, 2]);
});

Deno.test("rowsOf() leaves nodes out of rates that were not there before, or began anew", () => {
  const before = look(0, { a: counts(100, 0), gone: counts(1_000, 0) });
  const [row] = rowsOf(look(1_000, { a: counts(7, 0), fresh: counts(500, 0) }), before);
  assert.deepEqual([row.ingress, row.egress, row.messages], [0, 0, 507]);
});
