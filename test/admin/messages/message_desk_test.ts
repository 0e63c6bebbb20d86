/** Messages, dead letters and jobs over real nodes, seen as pages and sent as forms. */
import assert from "node:assert/strict";
import { mountPages } from "../../../src/admin/pages/pages.tsx";
import { letDie } from "../../support/dead_letters.ts";
import { until } from "../../support/program_process.ts";
import { startNsqd, type TestNsqd } from "../../support/running_nsqd.ts";
import { FakeNode, goChannel, goStats, goTopic, startAdmin, type TestAdmin } from "../fixtures.ts";

const BODIES = ['{"order": 12345678901234567890, "lines": []}', "second <b>", "third", "the last one lives"];

interface Open {
  admin: TestAdmin;
  nsqd: TestNsqd;
  node: string;
  /** The page, when it is 200. */
  page(path: string, headers?: HeadersInit): Promise<string>;
  post(
    path: string,
    fields: readonly (readonly [string, string])[],
    headers?: HeadersInit,
  ): Promise<Response>;
}

async function open(run: (open: Open) => Promise<void>, ...flags: string[]): Promise<void> {
  await using nsqd = await startNsqd(["--broadcast-address=127.0.0.1"]);
  await letDie(nsqd, BODIES);
  await using admin = await startAdmin([`--nsqd-http-address=127.0.0.1:${nsqd.httpPort}`, ...flags], {
    mountPages,
  });
  const page = async (path: string, headers?: HeadersInit) => {
    const response = await admin.request("GET", path, undefined, headers);
    const html = await response.text();
    assert.equal(response.status, 200, html);
    return html;
  };
  await until(
    "the console has seen the dead letters",
    async () => (await page("/dead")).includes('href="/dead/orders/billing"'),
  );
  await run({
    admin,
    nsqd,
    node: `127.0.0.1:${nsqd.httpPort}`,
    page,
    post: (path, fields, headers) =>
      fetch(`${admin.url}${path}`, {
        method: "POST",
        body: new URLSearchParams(fields.map(([name, value]) => [name, value])),
        headers: { "sec-fetch-site": "same-origin", ...headers },
        redirect: "manual",
      }),
  });
}

interface Stats {
  depth: number;
  dead_count: number;
}

async function billing(nsqd: TestNsqd): Promise<Stats> {
  return JSON.parse(await nsqd.http("GET", "/stats?format=json&topic=orders")).topics[0].channels[0];
}

/** The values of the ticks, the newest letter first. */
function ticksOf(html: string): string[] {
  return [...html.matchAll(/name="letter" value="([^"]+)"/g)].map(([, value]) => value);
}

Deno.test("messages of a channel are listed by state and by what their bodies hold, and nothing is changed", () =>
  open(async ({ page, nsqd, node }) => {
    const waiting = await page("/messages/orders/billing");
    assert.match(waiting, /<pre>the last one lives<\/pre>/);
    assert.match(waiting, /Scanned 1, matched 1/);
    assert.match(waiting, /Looking takes and changes nothing/);
    const dead = await page("/messages/orders/billing?state=dead&match=second");
    assert.match(dead, /<pre>second &lt;b&gt;<\/pre>/);
    assert.match(dead, /Scanned 3, matched 1/);
    assert.match(
      await page("/messages/orders/billing?state=dead&match=re:("),
      /class="problem"[^>]*>[^<]*match/,
    );
    const { depth, dead_count } = await billing(nsqd);
    assert.deepEqual({ depth, dead_count }, { depth: 1, dead_count: 3 });
    const [, id] = (await page("/messages/orders/billing?state=dead")).match(
      /\/messages\/orders\/billing\/([0-9a-f]+)\?node/,
    )!;
    const whole = await page(`/messages/orders/billing/${id}?node=${node}`);
    assert.match(whole, /\{\n {2}&quot;order&quot;: 12345678901234567890,\n {2}&quot;lines&quot;: \[\]\n\}/);
    assert.match(whole, /000000 {2}7b 22 6f 72 64 65 72/);
    assert.match(whole, /<dd>overflow<\/dd>/);
  }));

Deno.test("an unknown message, and a node that nobody listed, are refused with the reason", () =>
  open(async ({ admin, node }) => {
    assert.match(
      await admin.ask("GET", `/messages/orders/billing/0000000000000000?node=${node}`),
      /^40[04] /,
    );
    assert.match(
      await admin.ask("GET", "/messages/orders/billing/0000000000000000?node=127.0.0.1:1"),
      /^400 .*No node 127\.0\.0\.1:1 is known/s,
    );
  }));

Deno.test("ticked dead letters are brought back, others stay; it is a job that the activity shows", () =>
  open(async ({ page, post, nsqd, node }) => {
    await nsqd.http("PUT", "/channel/policy?topic=orders&channel=billing", JSON.stringify({ max_depth: 10 }));
    const ticks = ticksOf(await page("/dead/orders/billing"));
    assert.equal(ticks.length, 3);
    assert.match(
      await page("/dead/orders/billing?reason=overflow"),
      />Over a bound 3<.*all 3 that died of overflow/s,
    );
    assert.deepEqual(
      JSON.parse(await page("/dead?format=json")),
      [{ channel: "orders/billing", dead: 3, attempts: 0, expired: 0, overflow: 3, nodes: node }],
    );
    const nothing = await post("/dead/orders/billing", [["do", "redrive"], ["which", "ticked"]]);
    assert.match(await nothing.text(), /Nothing is ticked/);
    const answer = await post("/dead/orders/billing", [
      ["do", "redrive"],
      ["which", "ticked"],
      ["letter", ticks[0]],
      ["letter", ticks[1]],
      ["attempts", "keep"],
    ]);
    assert.equal(answer.status, 303, await answer.text());
    await until("two are back", async () => (await billing(nsqd)).dead_count === 1);
    assert.equal((await billing(nsqd)).depth, 3);
    await until("the job is shown as done", async () => (await page("/activity")).includes("2 of 2"));
    const activity = await page(answer.headers.get("location")!);
    assert.match(activity, /Began the redrive of orders\/billing/);
    assert.ok(activity.includes(node));
  }));

Deno.test("all dead letters of a reason are deleted, after being asked whether that is meant", () =>
  open(async ({ page, post, nsqd }) => {
    const fields = [["do", "delete"], ["which", "all"], ["reason", "overflow"]] as const;
    const asked = await post("/dead/orders/billing", fields);
    assert.match(
      await asked.text(),
      /all dead letters that died of overflow \(3\).*name="sure" value="yes"/s,
    );
    assert.equal((await billing(nsqd)).dead_count, 3);
    const done = await post("/dead/orders/billing", [...fields, ["sure", "yes"]]);
    assert.equal(done.status, 303);
    await until("they are gone", async () => (await billing(nsqd)).dead_count === 0);
    await until(
      "the console sees it",
      async () => (await page("/dead")).includes("No channel has dead letters"),
    );
  }));

Deno.test("dead letters go to another topic at a rate, and the job can be stopped", () =>
  open(async ({ page, post, nsqd, node }) => {
    const bad = await post("/dead/orders/billing", [["do", "redrive"], ["which", "all"], [
      "to_topic",
      "no name",
    ]]);
    assert.match(await bad.text(), /&quot;no name&quot; cannot name a topic/);
    const rated = await post("/dead/orders/billing", [["do", "redrive"], ["which", "all"], ["rate", "-1"]]);
    assert.match(await rated.text(), /is no rate/);
    await post("/dead/orders/billing", [
      ["do", "redrive"],
      ["which", "all"],
      ["to_topic", "again"],
      ["rate", "1"],
    ]);
    await until("it runs", async () => (await page("/activity")).includes(`Stop job 1 on ${node}`));
    const stopped = await post("/jobs/stop", [["node", node], ["job", "1"], ["subject", "orders/billing"]]);
    assert.equal(stopped.status, 303);
    await until(
      "it is stopped",
      async () => JSON.parse(await nsqd.http("GET", "/jobs/1")).state === "stopped",
    );
    assert.match(await page("/activity"), /Stopped the job of orders\/billing/);
    const elsewhere = await post("/jobs/stop", [["node", "127.0.0.1:1"], ["job", "1"], ["subject", "a/b"]]);
    assert.equal(elsewhere.status, 400);
  }));

Deno.test("who may not view bodies sees none and cannot look for words; a viewer brings nothing back", () =>
  open(async ({ admin, page, post, node, nsqd }) => {
    const html = await page("/messages/orders/billing?state=dead&match=second");
    assert.match(html, /matched 3/, "the filter is not applied");
    assert.equal(html.includes("second &lt;b&gt;"), false);
    const [, id] = (await page("/messages/orders/billing?state=dead")).match(/id="m-([0-9a-f]+)"/)!;
    assert.match(await admin.ask("GET", `/messages/orders/billing/${id}?node=${node}`), /^403 /);
    assert.deepEqual(ticksOf(await page("/dead/orders/billing")), []);
    const refused = await post("/dead/orders/billing", [["do", "redrive"], ["which", "all"]]);
    assert.equal(refused.status, 403);
    assert.equal((await billing(nsqd)).dead_count, 3);
    assert.equal(ticksOf(await page("/dead/orders/billing", { "X-Forwarded-User": "ann" })).length, 3);
  }, "--admin-user=ann"));

Deno.test("a node without jobs is not asked for messages, and the pages say why", async () => {
  await using node = new FakeNode({
    "/stats": goStats(goTopic("orders", [goChannel("billing")])),
    "/info": { version: "1.3.0", broadcast_address: "127.0.0.1", hostname: "old" },
  });
  node.answers["/info"] = {
    version: "1.3.0",
    broadcast_address: "127.0.0.1",
    hostname: "old",
    http_port: node.port,
    tcp_port: 1,
  };
  await using admin = await startAdmin([`--nsqd-http-address=${node.address}`], { mountPages });
  const html = await (await admin.request("GET", "/messages/orders/billing")).text();
  assert.match(html, /nsqd 1\.3\.0 on old has no list of its messages/);
  const dead = await (await admin.request("GET", "/dead/orders/billing")).text();
  assert.match(dead, /nsqd 1\.3\.0 on old has no dead letters/);
  assert.equal(node.requests.some((request) => request.includes("/channel/")), false);
});

Deno.test("a channel with dead letters needs attention, and its page says how many", () =>
  open(async ({ page }) => {
    assert.match(await page("/"), /orders\/billing has 3 dead letters/);
    assert.match(await page("/topics/orders/billing"), /href="\/dead\/orders\/billing"/);
  }));

Deno.test("lists go on where they ended, in either direction", () =>
  open(async ({ page, nsqd, node }) => {
    await letDie(nsqd, Array.from({ length: 60 }, (_, i) => `more ${i}`));
    const nextOf = (html: string) =>
      html.match(/rel="next" href="([^"]+)"/)?.[1].replaceAll("&amp;", "&") ?? "no next page";
    const bodiesOf = (html: string) => [...html.matchAll(/<pre>([^<]*)<\/pre>/g)].map(([, body]) => body);
    const newest = await page("/dead/orders/billing");
    assert.deepEqual([bodiesOf(newest).length, bodiesOf(newest)[0]], [50, "more 58"]);
    const older = await page(nextOf(newest));
    assert.deepEqual([bodiesOf(older).length, bodiesOf(older)[0]], [13, "more 8"]);
    assert.equal(nextOf(older), "no next page");
    const oldest = await page(`/messages/orders/billing?state=dead&node=${node}`);
    assert.equal(bodiesOf(oldest)[1], "second &lt;b&gt;");
    const further = await page(nextOf(oldest));
    assert.deepEqual([bodiesOf(further).length, bodiesOf(further).at(-1)], [13, "more 58"]);
  }));

Deno.test("dead letters of several nodes stand side by side, and all are brought back on each; who did it is kept", () =>
  open(async ({ post, nsqd }) => {
    await using other = await startNsqd(["--broadcast-address=127.0.0.1"]);
    await letDie(other, ["dead elsewhere", "alive elsewhere"]);
    const nodes = [nsqd, other];
    await using both = await startAdmin(
      nodes.map(({ httpPort }) => `--nsqd-http-address=127.0.0.1:${httpPort}`),
      { mountPages },
    );
    const page = async (path: string) => await (await both.request("GET", path)).text();
    await until("both nodes are seen", async () => (await page("/dead")).includes("4</"));
    const html = await page("/dead/orders/billing");
    assert.deepEqual([html.includes("third"), html.includes("dead elsewhere")], [true, true]);
    for (const node of nodes) {
      const path = "/channel/policy?topic=orders&channel=billing";
      await node.http("PUT", path, JSON.stringify({ max_depth: 0 }));
    }
    const fields = new URLSearchParams({ do: "redrive", which: "all" });
    const answer = await fetch(`${both.url}/dead/orders/billing`, {
      method: "POST",
      body: fields,
      headers: { "sec-fetch-site": "same-origin" },
      redirect: "manual",
    });
    assert.equal(answer.status, 303, await answer.text());
    for (const node of nodes) {
      await until("they are back", async () => (await billing(node)).dead_count === 0);
    }
    const record = await page(
      `/activity/${new URL(answer.headers.get("location")!, both.url).searchParams.get("done")}`,
    );
    for (const { httpPort } of nodes) assert.ok(record.includes(`127.0.0.1:${httpPort}`));
    const foreign = await post("/dead/orders/billing", [["do", "redrive"], ["which", "all"]], {
      "sec-fetch-site": "cross-site",
    });
    assert.equal(foreign.status, 403, "a form of another site");
  }));

Deno.test("what a node refuses is told in its words", () =>
  open(async ({ page, post, nsqd }) => {
    const path = "/channel/policy?topic=orders&channel=billing";
    await nsqd.http("PUT", path, JSON.stringify({ dead_letter_topic: "graveyard" }));
    const answer = await post("/dead/orders/billing", [["do", "redrive"], ["which", "all"]]);
    const html = await page(answer.headers.get("location")!);
    assert.match(html, /class="done critical".*dead letters go to graveyard: redrive from there/s);
  }));
