/** Actions over real HTTP: on each node, recorded, announced, and taken back. */
import assert from "node:assert/strict";
import type { Hono } from "hono";
import type { Console, ConsoleContext, ConsoleEnv } from "../../../src/admin/console.ts";
import type { Action, ActionRecord } from "../../../src/admin/model/action.ts";
import {
  deadAddress,
  FakeNode,
  goChannel,
  goProducer,
  goStats,
  goTopic,
  refuse,
  startAdmin,
  type TestAdmin,
} from "../fixtures.ts";
import { startNsqd } from "../../support/running_nsqd.ts";
import { startLookupd } from "../lookupd_fixture.ts";

interface Desk {
  readonly admin: TestAdmin;
  readonly console: Console;
  act(action: Action, headers?: HeadersInit): Promise<ActionRecord>;
  undo(id: string): Promise<ActionRecord>;
}

/** A console whose pages do what a test tells them to. */
async function withDesk(flags: readonly string[], run: (desk: Desk) => Promise<void>): Promise<void> {
  let console: Console | undefined;
  let work: ((context: ConsoleContext) => Promise<unknown>) | undefined;
  await using admin = await startAdmin(flags, {
    mountPages(app: Hono<ConsoleEnv>, given: Console) {
      console = given;
      app.post("/do", async (context) => Response.json(await work!(context)));
    },
  });
  const ask = async (next: typeof work, headers?: HeadersInit) => {
    work = next;
    const response = await admin.request("POST", "/do", "x", headers);
    const json = await response.json();
    if (response.status !== 200) throw new Error(`${response.status} ${json.message}`);
    return json as ActionRecord;
  };
  await run({
    admin,
    console: console!,
    act: (action, headers) => ask((context) => console!.act(context, action), headers),
    undo: (id) => ask((context) => console!.undo(context, id)),
  });
}

const publish = (topic: string, bodies: string[], extra: object = {}): Action => ({
  kind: "publish",
  topic,
  bodies: bodies.map((body) => new TextEncoder().encode(body)),
  deferMs: 0,
  node: null,
  ...extra,
});

Deno.test("act() pauses on every node, says what each answered, and undo() lets those go on that it paused", async () => {
  const nodeWith = (paused: boolean) =>
    new FakeNode({
      "/stats": () => Response.json(goStats(goTopic("orders", [goChannel("ch", { paused, depth: 5 })]))),
      "POST /channel/pause": {},
      "POST /channel/unpause": {},
    });
  await using running = nodeWith(false);
  await using pausedBefore = nodeWith(true);
  await using broken = nodeWith(false);
  broken.answers["POST /channel/pause"] = refuse(500, "E");
  const nodes = [running, pausedBefore, broken];
  const producers = nodes.map(({ port }) => goProducer(port));
  await using lookupd = new FakeNode({
    "/nodes": { producers: producers.map((each) => ({ ...each, topics: ["orders"] })) },
    "/topics": { topics: ["orders"] },
    "/lookup": { producers },
  });
  await withDesk([`--lookupd-http-address=${lookupd.address}`], async ({ console, act, undo }) => {
    await console.look();
    const preview = console.preview(
      { name: "", role: "admin", canViewBodies: true, source: "open" },
      { kind: "pause", topic: "orders", channel: "ch" },
    );
    assert.equal(
      preview.text,
      "Pauses channel ch of orders on 3 nodes: 15 messages and all that come will wait.",
    );
    const record = await act({ kind: "pause", topic: "orders", channel: "ch" });
    assert.deepEqual([record.kind, record.target, record.isOk], ["pause", "orders/ch", false]);
    assert.deepEqual(record.results.map(({ target, isOk }) => [target, isOk]), [
      [running.address, true],
      [pausedBefore.address, true],
      [broken.address, false],
    ]);
    assert.match(record.results[2].error, /^got response 500/);
    assert.ok(record.undoUntilMs! > Date.now() + 9 * 60_000);
    const undone = await undo(record.id);
    assert.deepEqual([undone.kind, undone.isOk], ["undo pause", true]);
    assert.deepEqual(
      undone.results.map(({ target }) => target),
      [running.address],
      "not what was paused before",
    );
    assert.equal(running.posts.at(-1), "POST /channel/unpause?topic=orders&channel=ch");
    assert.equal(console.record(record.id)!.undoUntilMs, null);
    await assert.rejects(undo(record.id), { message: "404 NOTHING_TO_UNDO" });
    await assert.rejects(undo("nope"), { message: "404 NOTHING_TO_UNDO" });
    assert.deepEqual(console.audit(9).map(({ kind }) => kind), ["undo pause", "pause"]);
    assert.deepEqual(console.audit(9, console.audit(1)[0].id).map(({ kind }) => kind), ["pause"]);
    assert.deepEqual(console.marks("c:orders/ch", 0, Infinity).map(({ text }) => text), ["pause orders/ch"]);
  });
});

Deno.test("act() creates, publishes, empties and deletes on a real nsqd", async () => {
  await using lookupd = await startLookupd();
  await using nsqd = await startNsqd([
    `--lookupd-tcp-address=${lookupd.tcpAddress}`,
    "--broadcast-address=127.0.0.1",
  ]);
  await nsqd.http("POST", "/topic/create?topic=orders");
  await nsqd.http("POST", "/channel/create?topic=orders&channel=ch");
  await withDesk([`--lookupd-http-address=${lookupd.httpAddress}`], async ({ console, act }) => {
    for (let at = 0; at < 100 && (await console.look()).nodes.length === 0; at++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const one = await act(publish("orders", ["one"]));
    assert.deepEqual([one.isOk, one.target, one.results.length], [true, "orders", 1]);
    const many = await act(publish("orders", ["two", "three"]));
    assert.deepEqual([many.isOk, many.target], [true, "orders (2 messages)"]);
    const deferred = await act(publish("orders", ["four", "five"], { deferMs: 60_000 }));
    assert.equal(deferred.isOk, true);
    const stats = async () => JSON.parse(await nsqd.http("GET", "/stats?format=json")).topics[0];
    const { channels: [channel] } = await stats();
    assert.deepEqual([channel.message_count, channel.depth, channel.deferred_count], [5, 3, 2]);
    assert.equal((await act({ kind: "empty", topic: "orders", channel: "ch" })).isOk, true);
    assert.equal((await stats()).channels[0].depth, 0);
    const created = await act({ kind: "create", topic: "orders", channel: "second" });
    assert.deepEqual(created.results.map(({ kind }) => kind), ["lookupd", "lookupd", "nsqd"]);
    assert.equal((await act({ kind: "delete", topic: "orders", channel: null })).isOk, true);
    assert.equal(await stats(), undefined);
  });
});

Deno.test("act() publishes on a node that answers, and says so of those that did not", async () => {
  const dead = deadAddress(), deadPort = Number(dead.split(":")[1]);
  await using node = new FakeNode({ "/stats": goStats(), "POST /pub": () => new Response("OK") });
  await using lookupd = new FakeNode({
    "/nodes": { producers: [goProducer(deadPort), goProducer(node.port)] },
    "/topics": { topics: [] },
  });
  await withDesk([`--lookupd-http-address=${lookupd.address}`], async ({ console, act }) => {
    await console.look();
    const record = await act(publish("orders", ["x"]));
    assert.deepEqual([record.isOk, record.results.at(-1)!.target, node.bodies], [true, node.address, ["x"]]);
    const there = await act(publish("orders", ["x"], { node: dead }));
    assert.deepEqual([there.isOk, there.results.length], [false, 1]);
    assert.match(there.message, /^WARNING: Post "http:.*connection refused$/);
    node.answers["POST /pub"] = refuse(413, "MSG_TOO_BIG");
    const refused = await act(publish("orders", ["x"]));
    assert.match(
      refused.message,
      /got response 413 Request Entity Too Large "\{\\"message\\":\\"MSG_TOO_BIG\\"\}"/,
    );
  });
});

Deno.test("act() refuses names and roles before it asks anybody", async () => {
  await using lookupd = new FakeNode({ "/nodes": { producers: [] }, "/topics": { topics: [] } });
  const flags = [`--lookupd-http-address=${lookupd.address}`, "--admin-user=ann"];
  await withDesk(flags, async ({ act, console, admin }) => {
    const ann = { "X-Forwarded-User": "ann" };
    const table: [action: Action, message: string][] = [
      [{ kind: "create", topic: "a b", channel: null }, "400 INVALID_TOPIC"],
      [{ kind: "create", topic: "a", channel: "" }, "400 INVALID_CHANNEL"],
      [{ kind: "pause", topic: "", channel: null }, "400 INVALID_TOPIC"],
      [publish("a", []), "400 MSG_EMPTY"],
      [publish("a", ["x", ""]), "400 MSG_EMPTY"],
      [publish("a", ["x"], { deferMs: -1 }), "400 INVALID_DEFER"],
    ];
    for (const [action, message] of table) await assert.rejects(act(action, ann), { message });
    await assert.rejects(act({ kind: "delete", topic: "a", channel: null }), { message: "403 FORBIDDEN" });
    assert.deepEqual([lookupd.posts, console.audit(9)], [[], []]);
    const failed = await act({ kind: "delete", topic: "a", channel: null }, ann);
    assert.deepEqual([failed.isOk, failed.user], [false, "ann"]);
    assert.match(failed.message, /failed to query any nsqlookupd: got response 404/);
    assert.match(
      admin.lines.join(""),
      /AUDIT: ann \(127\.0\.0\.1:\d+\) delete a - "WARNING: failed to query/,
    );
  });
});
