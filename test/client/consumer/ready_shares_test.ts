import assert from "node:assert/strict";
import { type ReadyNode, ReadyShares } from "../../../src/client/consumer/ready_shares.ts";

class Node implements ReadyNode {
  maxRdyCount = 2500;
  inFlight = 0;
  lastMessageMs = 0;
  rdy = 0;
  rdyTarget = 0;
  rdySinceMs = 0;
  readonly sent: number[] = [];

  sendRdy(count: number): void {
    this.sent.push(count);
  }
}

const DERIVED = { lowRdyIdleTimeoutMs: null, lowRdyTimeoutMs: null, rdyRedistributeIntervalMs: null };

function sharesOf(count: number, slots: number): { shares: ReadyShares; nodes: Node[] } {
  const shares = new ReadyShares(DERIVED), nodes = Array.from({ length: count }, () => new Node());
  shares.setSlots(slots, slots);
  for (const node of nodes) shares.add(node);
  return { shares, nodes };
}

Deno.test("ReadyShares gives each node an equal share, and the rest to the first", () => {
  for (
    const [count, slots, expected] of [[3, 200, [67, 67, 66]], [1, 1, [1]], [4, 4, [1, 1, 1, 1]]] as const
  ) {
    const { nodes } = sharesOf(count, slots);
    assert.deepEqual(nodes.map(({ rdy }) => rdy), expected);
  }
});

Deno.test("ReadyShares keeps to the limit of a node", () => {
  const shares = new ReadyShares(DERIVED), node = new Node();
  node.maxRdyCount = 10;
  shares.setSlots(200, 200);
  shares.add(node);
  assert.equal(node.rdy, 10);
});

Deno.test("ReadyShares tells a node nothing when its share stays", () => {
  const { shares, nodes } = sharesOf(1, 5);
  shares.setSlots(5, 5);
  shares.apply();
  assert.deepEqual(nodes[0].sent, [5]);
});

Deno.test("ReadyShares gives a new node no more than what others have out leaves room for", () => {
  const { shares, nodes: [first] } = sharesOf(1, 10);
  first.inFlight = 10;
  const second = new Node();
  shares.add(second);
  assert.equal(first.rdy, 5);
  assert.equal(second.rdy, 0);
  assert.equal(shares.isShort, true);
  first.inFlight = 7;
  shares.apply();
  assert.equal(second.rdy, 3);
  first.inFlight = 5;
  shares.apply();
  assert.equal(second.rdy, 5);
  assert.equal(shares.isShort, false);
});

Deno.test("ReadyShares.setSlots(0) stops all nodes", () => {
  const { shares, nodes } = sharesOf(3, 30);
  shares.setSlots(0, 30);
  assert.deepEqual(nodes.map(({ rdy }) => rdy), [0, 0, 0]);
});

Deno.test("ReadyShares.remove() gives the share of a node that went away to the others", () => {
  const { shares, nodes } = sharesOf(2, 10);
  shares.remove(nodes[0]);
  assert.equal(nodes[1].rdy, 10);
});

for (const [count, slots] of [[20, 1], [50, 10], [3, 2]] as const) {
  Deno.test(`ReadyShares gives each of ${count} nodes a turn within one round of ${slots} slots`, async () => {
    const { shares, nodes } = sharesOf(count, slots);
    const served = new Set<Node>();
    const turns = Math.ceil(count / slots);
    let most = 0, changes = 0;
    const look = () => {
      const holding = nodes.filter(({ rdy }) => rdy > 0);
      most = Math.max(most, holding.length);
      for (const node of holding) served.add(node);
    };
    look();
    for (const node of nodes) {
      node.sendRdy = () => {
        changes++;
        look();
      };
    }
    while (served.size < count) await new Promise((resolve) => setTimeout(resolve, 5));
    shares.stop();
    assert.ok(most <= slots, `${most} nodes had a slot at once`);
    // In each turn but the first each slot moves: one node is stopped and one started.
    assert.ok(changes <= 2 * slots * turns, `${changes} changes`);
  });
}

Deno.test("ReadyShares counts what a node has out after its turn against the slots", async () => {
  const { shares, nodes } = sharesOf(2, 1);
  nodes[0].inFlight = 1;
  while (nodes[0].rdyTarget > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  shares.stop();
  assert.deepEqual(nodes.map(({ rdy }) => rdy), [0, 0]);
  nodes[0].inFlight = 0;
  shares.apply();
  assert.deepEqual(nodes.map(({ rdy }) => rdy), [0, 1]);
});
