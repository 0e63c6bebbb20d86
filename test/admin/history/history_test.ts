import assert from "node:assert/strict";
import { History } from "../../../src/admin/history/history.ts";
import { NO_FIGURES } from "../../../src/admin/poller/reading.ts";
import type { Figures, NodeView, Snapshot, TopicView } from "../../../src/admin/model/snapshot.ts";

const START_MS = 1_800_000_000_000;
const NO_LATENCY = { count: 0, percentiles: [] };

/** A snapshot `second` seconds after the start. */
function snapshotOf(
  second: number,
  topics: Record<string, Partial<Figures>>,
  nodes: Partial<NodeView>[] = [],
): Snapshot {
  const views = Object.entries(topics).map(([name, figures]) =>
    [name, {
      name,
      figures: { ...NO_FIGURES, ...figures },
      latency: NO_LATENCY,
      channels: new Map(),
    } as unknown as TopicView] as const
  );
  return {
    atMs: START_MS + second * 1000,
    topics: new Map(views),
    nodes: nodes.map((node) => ({ figures: NO_FIGURES, hostname: "", startMs: 1, ...node })),
    totals: { ...NO_FIGURES, depth: 7 },
  } as unknown as Snapshot;
}

function read(history: History, key: string, fromSecond: number, toSecond: number) {
  const atMs = (second: number) => START_MS + second * 1000;
  const series = history.read(key, atMs(fromSecond), atMs(toSecond), atMs(toSecond));
  return series && { ...series, t: series.t.map((t) => t - START_MS / 1000) };
}

Deno.test("History.read() has a point for each poll, also for what stood still, and nothing before the first", () => {
  const history = new History(1 << 20);
  for (let second = 0; second < 300; second++) {
    // It moves for ten seconds, stands still with a backlog, and moves again.
    const isMoving = second < 10 || second >= 200;
    history.record(
      snapshotOf(second, {
        orders: { depth: Math.min(second, 10), inPerSecond: isMoving ? 2.5 : 0 },
        quiet: {},
      }),
    );
  }
  const { t, values } = read(history, "t:orders", -50, 299)!;
  assert.deepEqual(t, [...Array(300).keys()]);
  assert.deepEqual([values.depth[5], values.depth[150], values.depth[299]], [5, 10, 10]);
  assert.deepEqual([values.inPerSecond[5], values.inPerSecond[150], values.inPerSecond[250]], [2.5, 0, 2.5]);
  assert.equal(values.oldestAgeMs[5], null);
  assert.equal(read(history, "t:quiet", 0, 299), undefined, "what never moved takes no memory");
  assert.equal(read(history, "t:nope", 0, 299), undefined);
  assert.equal(read(history, "", 0, 299)!.values.depth[150], 7);
});

Deno.test("History.read() takes coarser steps for longer ranges, and means of what it had", () => {
  const history = new History(8 << 20);
  for (let second = 0; second < 3 * 3600; second++) {
    history.record(snapshotOf(second, { orders: { depth: second % 10, inPerSecond: 1 } }));
  }
  const ten = read(history, "t:orders", 0, 3 * 3600 - 1)!;
  assert.equal(ten.t[1] - ten.t[0], 10);
  assert.equal(ten.t.length, 1080);
  assert.deepEqual([ten.values.depth[5], ten.values.inPerSecond[5]], [5, 1]);
  const fine = read(history, "t:orders", 2 * 3600, 3 * 3600 - 1)!;
  assert.deepEqual([fine.t[1] - fine.t[0], fine.t.length], [1, 3600]);
  const week = history.read(
    "t:orders",
    START_MS - 6 * 86_400_000,
    START_MS + 3 * 3_600_000,
    START_MS + 3 * 3_600_000,
  )!;
  assert.equal(week.t[1] - week.t[0], 60);
});

Deno.test("History.read() leaves one point of nulls where nothing was asked for long", () => {
  const history = new History(1 << 20);
  for (const second of [0, 1, 2, 500, 501]) {
    history.record(snapshotOf(second, { orders: { inPerSecond: 1 } }));
  }
  const { t, values } = read(history, "t:orders", 0, 600)!;
  assert.deepEqual(t, [0, 1, 2, 3, 500, 501]);
  assert.deepEqual(values.inPerSecond, [1, 1, 1, null, 1, 1]);
});

Deno.test("History has nothing of a node while it is down, and marks when it fell, rose and was restarted", () => {
  const history = new History(1 << 20);
  const node = (second: number, isUp: boolean, startMs = 1) =>
    history.record(
      snapshotOf(second, {}, [{
        id: "n:1",
        hostname: "n",
        isUp,
        startMs,
        figures: { ...NO_FIGURES, depth: 3 },
      }]),
    );
  node(0, true);
  node(1, false);
  node(2, false);
  node(3, true);
  node(4, true, START_MS);
  assert.deepEqual(read(history, "n:n:1", 0, 5)!.values.depth, [3, null, null, 3, 3]);
  const marks = history.marks("t:orders", 0, Infinity).map(({ kind, text }) => `${kind}: ${text}`);
  assert.deepEqual(marks, [
    "node down: n does not answer",
    "node up: n answers again",
    "restart: n was started",
  ]);
});

Deno.test("History.marks() of a channel has those of its topic, not of others", () => {
  const history = new History(1 << 20);
  for (const [at, key] of ["c:orders/a", "c:orders/b", "t:orders", "t:other"].entries()) {
    history.mark(key, { atMs: at, kind: "pause", text: key });
  }
  assert.deepEqual(history.marks("c:orders/a", 0, 9).map(({ text }) => text), ["c:orders/a", "t:orders"]);
  assert.deepEqual(history.marks("c:orders/a", 1, 9).map(({ text }) => text), ["t:orders"]);
});

Deno.test("History keeps to its limit however much moves, and drops the finest and oldest first", () => {
  const limit = 1 << 20, history = new History(limit);
  let seed = 1;
  const next = () => seed = seed * 16_807 % 2_147_483_647;
  for (let second = 0; second < 400; second++) {
    const topics = Object.fromEntries(
      [...Array(200).keys()].map((
        at,
      ) => [`t${at}`, { depth: next() % 9_999, inPerSecond: next() % 500 + 1 }]),
    );
    history.record(snapshotOf(second * 10, topics));
    assert.ok(history.byteLength <= limit * 1.02, `${history.byteLength} at ${second}`);
  }
  const all = read(history, "", 0, 4_000)!;
  assert.ok(all.t.length > 10 && all.values.depth.every((value) => value === 7));
  const kept = [...Array(200).keys()].filter((at) => read(history, `t:t${at}`, 3_900, 4_000) !== undefined);
  assert.ok(kept.length > 50, `${kept.length} topics have a past`);
});
