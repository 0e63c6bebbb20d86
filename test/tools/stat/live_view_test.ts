import assert from "node:assert/strict";
import type { ChannelRow } from "../../../src/tools/stat/counts.ts";
import { renderView, short, sortRows, type ViewSettings } from "../../../src/tools/stat/live_view.ts";

const settings: ViewSettings = {
  columns: 100,
  rows: 10,
  sort: "depth",
  isColoured: false,
  intervalText: "2s",
};

function row(topic: string, changes: Partial<ChannelRow> = {}): ChannelRow {
  return {
    topic,
    channel: "c",
    depth: 0,
    memory: 0,
    disk: 0,
    inFlight: 0,
    deferred: 0,
    requeued: 0,
    timedOut: 0,
    messages: 0,
    clients: 1,
    isPaused: false,
    nodes: 1,
    ingress: 0,
    egress: 0,
    ...changes,
  };
}

Deno.test("renderView() fits every window, and leaves out columns before it cuts names to nothing", () => {
  const rows = Array.from({ length: 30 }, (_, i) => row(`a_rather_long_topic_name_${i}`, { depth: i * 1e6 }));
  for (let columns = 10; columns <= 160; columns += 3) {
    for (const height of [3, 5, 24, 60]) {
      const lines = renderView(rows, ["node: away"], { ...settings, columns, rows: height });
      assert.ok(lines.length <= height, `${columns}x${height}`);
      for (const line of lines) assert.ok(line.length <= columns, `${columns}x${height}: ${line}`);
    }
  }
  const narrow = renderView(rows, [], { ...settings, columns: 40 }).join("\n");
  assert.match(narrow, /a_rather_long/);
  assert.match(narrow, /depth/);
  assert.doesNotMatch(narrow, /msgs/);
});

Deno.test("renderView() puts the largest on top and tells what is not shown", () => {
  const rows = Array.from({ length: 20 }, (_, i) => row(`t${i}`, { depth: i }));
  const lines = renderView(rows, ["127.0.0.1:4151: refused"], settings);
  assert.match(lines[2], /^t19\/c /);
  assert.equal(lines.length, 10);
  assert.equal(lines.at(-2), "and 14 more");
  assert.equal(lines.at(-1), "127.0.0.1:4151: refused");
});

Deno.test("renderView() colours what waits with nobody to take it, what grows, what moves and what rests", () => {
  const table: [Partial<ChannelRow>, string][] = [
    [{ depth: 1, clients: 0 }, "31"],
    [{ depth: 1, ingress: 5, egress: 1 }, "33"],
    [{ isPaused: true }, "33"],
    [{ ingress: 5, egress: 5 }, "32"],
    [{}, "2"],
  ];
  for (const [changes, code] of table) {
    const line = renderView([row("t", changes)], [], { ...settings, isColoured: true })[2];
    assert.ok(line.startsWith(`\u001b[${code}m`), JSON.stringify(line));
  }
  assert.ok(renderView([row("t")], [], settings).every((line) => !line.includes("\u001b")));
});

Deno.test("sortRows() sorts by each column, and by name", () => {
  const rows = [row("a", { ingress: 1, messages: 9 }), row("b", { ingress: 2, messages: 3 })];
  assert.deepEqual(sortRows(rows, "ingress").map(({ topic }) => topic), ["b", "a"]);
  assert.deepEqual(sortRows(rows, "msgs").map(({ topic }) => topic), ["a", "b"]);
  assert.deepEqual(sortRows(rows, "name").map(({ topic }) => topic), ["a", "b"]);
});

Deno.test("short() keeps numbers within six characters", () => {
  const table: [number, string][] = [
    [0, "0"],
    [99_999, "99999"],
    [100_000, "100k"],
    [123_456, "123k"],
    [1_234_567, "1.2M"],
    [99_960_000, "100M"],
    [2_500_000_000, "2.5G"],
    [-150_000, "-150k"],
  ];
  for (const [value, text] of table) assert.equal(short(value), text);
  for (let value = 1; value < 1e14; value = value * 3 + 1) assert.ok(short(value).length <= 6, String(value));
});
