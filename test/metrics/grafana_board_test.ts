import assert from "node:assert/strict";
import { parseMetrics } from "../support/metrics_text.ts";
import { startNsqd } from "../support/running_nsqd.ts";

interface Panel {
  id: number;
  type: string;
  title: string;
  datasource?: { uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string; datasource: { uid: string } }[];
}

interface Board {
  panels: Panel[];
  templating: { list: { name: string; type: string; query: string | { query: string } }[] };
}

const board: Board = JSON.parse(
  await Deno.readTextFile(new URL("../../scripts/grafana_board.json", import.meta.url)),
);

function expressions(): string[] {
  const queries = board.templating.list.map(({ query }) => typeof query === "string" ? query : query.query);
  return [...queries, ...board.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))];
}

Deno.test("every metric in the Grafana board is one that nsqd has, of the kind it is used as", async () => {
  await using server = await startNsqd(["--e2e-processing-latency-percentile=0.99"]);
  await server.http("POST", "/topic/create?topic=t");
  await server.http("POST", "/channel/create?topic=t&channel=c");
  const families = parseMetrics(await server.http("GET", "/metrics"));
  const used = new Set<string>();
  for (const expression of expressions()) {
    for (const [name] of expression.matchAll(/\bnsq_\w+/g)) {
      const family = families.get(name) ?? families.get(name.replace(/_bucket$/, ""));
      assert.ok(family !== undefined, `${name} in ${expression}`);
      const isRate = expression.includes(`rate(${name}{`);
      assert.equal(isRate, family.type !== "gauge", `${name} in ${expression}`);
      used.add(family.name);
    }
  }
  // Not every system says how much can still be written.
  const unused = [...families.keys()].filter((name) =>
    !used.has(name) && name !== "nsq_queue_disk_free_bytes"
  );
  // Those of policies are there for whoever has some.
  const ofPolicies = unused.filter((name) =>
    /^nsq_channel_(dead_\w+|expired_total|overflow_total)$/.test(name)
  );
  assert.equal(ofPolicies.length, 5);
  assert.deepEqual(unused.filter((name) => !ofPolicies.includes(name)), [
    "nsq_queue_moves_total",
    "nsq_log_unsynced_bytes",
    "nsq_heap_size_bytes",
    "nsq_heap_limit_bytes",
  ]);
});

Deno.test("the Grafana board has its rows, takes its data source from a variable, and no panels overlap", () => {
  const rows = board.panels.filter(({ type }) => type === "row").map(({ title }) => title);
  assert.deepEqual(rows, ["Overview", "Topics", "Channels", "Commit and fsync", "Process"]);
  assert.deepEqual(board.templating.list[0].type, "datasource");
  const { panels } = board;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { type, datasource, targets = [], title, gridPos: { x, y, w, h } } of panels) {
    const sources = type === "row" ? [] : [datasource, ...targets.map((target) => target.datasource)];
    for (const source of sources) assert.equal(source?.uid, "${datasource}", title);
    for (let cell = 0; cell < w * h; cell++) {
      const at = `${x + cell % w},${y + Math.floor(cell / w)}`;
      assert.ok(!taken.has(at) && x + cell % w < 24, `${title} at ${at}`);
      taken.add(at);
    }
  }
});
