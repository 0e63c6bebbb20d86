import assert from "node:assert/strict";
import { previewOf } from "../../../src/admin/actions/preview.ts";
import { capabilitiesOf } from "../../../src/admin/poller/capabilities.ts";
import { NO_FIGURES } from "../../../src/admin/poller/reading.ts";
import type { Action, User } from "../../../src/admin/model/action.ts";
import type { Snapshot } from "../../../src/admin/model/snapshot.ts";

const on = (node: string, depth: number, inFlight = 0) => ({
  node,
  isPaused: false,
  figures: { ...NO_FIGURES, depth, inFlight },
  latency: { count: 0, percentiles: [] },
});
const nodeOf = (id: string) => ({ id, capabilities: capabilitiesOf(new Set(), `nsqd on ${id}`) });
const snapshot = {
  nodes: [nodeOf("a:1"), nodeOf("b:1")],
  topics: new Map([["orders", {
    perNode: [on("a:1", 2, 9), on("b:1", 1)],
    channels: new Map([["ch", { perNode: [on("a:1", 1_200, 4), on("b:1", 0)] }]]),
  }]]),
} as unknown as Snapshot;
const ADMIN: User = { name: "ann", role: "admin", canViewBodies: true, source: "login" };
const AT = "http://host:4171/adm";
const preview = (action: Action, user = ADMIN) => previewOf(action, user, snapshot, AT);

Deno.test("previewOf() counts what an action touches, where it is", () => {
  const channel = { topic: "orders", channel: "ch" }, topic = { topic: "orders", channel: null };
  const table: [action: Action, text: string, messageCount: number, nameToType: string][] = [
    [
      { kind: "empty", ...channel },
      "Empties channel ch of orders: throws 1,204 messages away on 2 nodes.",
      1_204,
      "",
    ],
    [{ kind: "empty", ...topic }, "Empties topic orders: throws 3 messages away on 2 nodes.", 3, ""],
    [
      { kind: "pause", ...channel },
      "Pauses channel ch of orders on 2 nodes: 1,200 messages and all that come will wait.",
      1_200,
      "",
    ],
    [{ kind: "unpause", ...topic }, "Lets topic orders go on on 2 nodes: 3 messages waiting.", 3, ""],
    [
      { kind: "delete", ...channel },
      "Deletes channel ch of orders: throws 1,204 messages away on 2 nodes, and disconnects its consumers.",
      1_204,
      "ch",
    ],
    [
      { kind: "delete", ...topic },
      "Deletes topic orders with all its channels: throws 1,207 messages away on 2 nodes.",
      1_207,
      "orders",
    ],
    [
      { kind: "tombstone", topic: "orders", node: "a:1" },
      "Hides a:1 from those who look for orders, and deletes the topic there: throws 1,206 messages away.",
      1_206,
      "",
    ],
    [{ kind: "create", topic: "new", channel: "c" }, "Creates channel c of new.", 0, ""],
    [
      { kind: "publish", topic: "orders", bodies: [new Uint8Array(1)], deferMs: 0, node: null },
      "Publishes 1 message to orders.",
      1,
      "",
    ],
  ];
  for (const [action, text, messageCount, nameToType] of table) {
    const given = preview(action);
    assert.deepEqual([given.text, given.messageCount, given.nameToType], [text, messageCount, nameToType]);
  }
});

Deno.test("previewOf() says why something cannot be undone, or not be done by this user", () => {
  const empty: Action = { kind: "empty", topic: "orders", channel: "ch" };
  assert.equal(preview(empty).whyNoUndo, "nsqd on a:1 has no way to bring emptied messages back");
  assert.equal(preview({ ...empty, kind: "pause" }).whyNoUndo, "");
  assert.equal(preview(empty).whyNot, "");
  const operator: User = { ...ADMIN, name: "olga", role: "operator" };
  assert.equal(preview(empty, operator).whyNot, "");
  assert.equal(
    preview({ ...empty, kind: "delete" }, operator).whyNot,
    "This needs the role admin; olga has the role operator.",
  );
});

Deno.test("previewOf() shows the command that does the same, safe for a shell", () => {
  const publish = { topic: "orders", deferMs: 500, node: "a:1" };
  const table: [action: Action, curl: string][] = [
    [
      { kind: "pause", topic: "orders", channel: "t#ephemeral" },
      `curl 'http://host:4171/adm/api/topics/orders/t%23ephemeral' -d '{"action":"pause"}'`,
    ],
    [
      { kind: "delete", topic: "orders", channel: null },
      "curl -X DELETE 'http://host:4171/adm/api/topics/orders'",
    ],
    [
      { kind: "create", topic: "a", channel: "b" },
      `curl 'http://host:4171/adm/api/topics' -d '{"topic":"a","channel":"b"}'`,
    ],
    [
      { kind: "tombstone", topic: "orders", node: "a:1" },
      `curl -X DELETE 'http://host:4171/adm/api/nodes/a%3A1' -d '{"topic":"orders"}'`,
    ],
    [
      { kind: "publish", bodies: [new TextEncoder().encode("it's")], ...publish },
      `curl --data-binary 'it'\\''s' 'http://a:1/pub?topic=orders&defer=500'`,
    ],
  ];
  for (const [action, curl] of table) assert.equal(preview(action).curl, curl);
});

Deno.test("previewOf() counts dead letters: those of a reason, those that are ticked, those that emptying drops", () => {
  const node = (id: string) => ({ id, capabilities: capabilitiesOf(new Set(["redrive"]), id) });
  const dead = (id: string, overflow: number) => ({
    ...on(id, 1),
    figures: { ...NO_FIGURES, depth: 1, dead: overflow + 1, deadOf: { attempts: 1, overflow } },
  });
  const channel = { topic: "orders", channel: "ch" };
  const some = {
    nodes: [node("a:1"), node("b:1"), nodeOf("old:1")],
    topics: new Map([["orders", {
      perNode: [],
      channels: new Map([["ch", { perNode: [dead("a:1", 4), dead("b:1", 2), on("old:1", 0)] }]]),
    }]]),
  } as unknown as Snapshot;
  const at = (action: Action) => previewOf(action, ADMIN, some, AT);
  const how = { toTopic: "again", keepsAttempts: true, ratePerSecond: 5 };
  const redrive = at({ kind: "redrive", ...channel, letters: { ticked: null, reason: "overflow" }, ...how });
  assert.deepEqual([redrive.messageCount, redrive.nodes], [6, ["a:1", "b:1"]]);
  assert.equal(
    redrive.curl,
    "curl -X POST 'http://<node>:4151/channel/redrive?topic=orders&channel=ch&all=true&reason=overflow" +
      "&to_topic=again&attempts=keep&rate=5'",
  );
  const ticked = [{ node: "a:1", id: "1" }, { node: "a:1", id: "2" }, { node: "elsewhere:1", id: "3" }];
  const deleted = at({ kind: "delete letters", ...channel, letters: { ticked } });
  assert.deepEqual(deleted.nodes, ["a:1"], "only nodes that are known and can are asked");
  assert.equal(at({ kind: "empty", ...channel }).messageCount, 2 + 8);
});
