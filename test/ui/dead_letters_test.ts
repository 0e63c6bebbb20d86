/** Messages and dead letters in a browser, to what consumers get of them. */
import assert from "node:assert/strict";
import { Consumer } from "../../src/client/mod.ts";
import { Browser } from "../support/browser.ts";
import { ConsoleCluster } from "../support/console_cluster.ts";
import { letDie } from "../support/dead_letters.ts";

Deno.test("Messages and dead letters in a browser", async (t) => {
  await using browser = await Browser.start();
  if (browser === null) return;
  await using cluster = await ConsoleCluster.start({ nodes: 1 });
  const { base } = cluster, node = cluster.node(0);
  const http = async (method: string, path: string, body?: BodyInit) =>
    await (await fetch(`http://${node}${path}`, { method, body })).text();
  await letDie({ http }, ['{"order": 1}', "the second", "x".repeat(2000), "the third", "alive"]);
  const { messages } = JSON.parse(await http("GET", "/channel/dead?topic=orders&channel=billing"));
  const paths = [
    "/dead",
    "/dead/orders/billing",
    "/dead/orders/billing?reason=expired",
    "/messages/orders/billing",
    "/messages/orders/billing?state=dead",
    "/messages/orders/billing?match=re:(",
    `/messages/orders/billing/${messages[0].id}?node=${node}`,
  ];

  await t.step("a message is found from its channel, and shown whole", async () => {
    assert.equal(await browser.run("readMessage", { base }), "alive");
  });
  await t.step("a ticked letter is brought back and consumed, without script too", async () => {
    await http("PUT", "/channel/policy?topic=orders&channel=billing", JSON.stringify({ max_depth: 10 }));
    await browser.run("redriveTicked", { base, options: {}, body: "the second" });
    await browser.run("redriveTicked", {
      base,
      options: { javaScriptEnabled: false },
      body: "the third",
    });
    const consumer = new Consumer("orders", "billing", { nsqd: cluster.nodes[0].address("nsqd", "TCP") });
    const bodies: string[] = [];
    const enough = Promise.withResolvers<void>();
    const running = consumer.run((message) => {
      if (bodies.push(message.text()) === 3) enough.resolve();
    });
    await enough.promise;
    await consumer.close();
    await running;
    assert.deepEqual(bodies.sort(), ["alive", "the second", "the third"]);
  });
  await t.step("the pages pass axe in both themes, and fit a phone of 360 px", async () => {
    const all = [...paths, "/activity"];
    assert.deepEqual(await browser.run("checkAccessibility", { base, paths: all, options: {} }), []);
    const options = { colorScheme: "dark", viewport: { width: 360, height: 740 } };
    assert.deepEqual(await browser.run("checkAccessibility", { base, paths: all, options }), []);
    assert.deepEqual(await browser.run("checkNarrow", { base, paths: all }), []);
  });
  await t.step("all are deleted after the question", async () => {
    await browser.run("deleteAll", { base });
    for (;;) {
      const [{ state, kind }] = JSON.parse(await http("GET", "/jobs")).jobs;
      if (kind === "delete" && state !== "running") break;
    }
    const left = JSON.parse(await http("GET", "/channel/dead?topic=orders&channel=billing"));
    assert.deepEqual(left.messages, []);
  });
});
