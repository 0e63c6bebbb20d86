/** The pages of the console in a browser: content, live figures, keyboard, themes, narrow, paper, without script. */
import assert from "node:assert/strict";
import { Browser } from "../support/browser.ts";
import { ConsoleCluster } from "../support/console_cluster.ts";

const PATHS = [
  "/",
  "/topics",
  "/topics/orders",
  "/topics/orders/billing",
  "/topics/nothing",
  "/tail/emails",
  "/consumers",
  "/nodes",
  "/checks",
  "/lookup",
  "/activity",
  "/counter",
  "/search?q=ord",
  "/publish?topic=orders",
  "/keyboard",
  "/act?kind=delete&topic=orders&back=/topics",
  "/act?kind=create",
];

Deno.test("The console in a browser", async (t) => {
  await using browser = await Browser.start();
  if (browser === null) return;
  await using cluster = await ConsoleCluster.start({
    nodes: 2,
    adminFlags: ["--admin-environment=staging:purple", "--http-client-request-timeout=1s"],
  });
  const { base } = cluster;
  await cluster.publish(0, "orders", 40);
  await cluster.createChannel(0, "orders", "billing");
  await cluster.createChannel(0, "orders", "search");
  await cluster.publish(1, "orders", 2);
  await cluster.createChannel(1, "orders", "billing");
  await cluster.publish(1, "emails", 3);
  const paths = [...PATHS, `/nodes/${cluster.node(0)}`];
  const look = { base, topic: "orders", channel: "billing" };

  await t.step("every page passes axe, in both themes, wide and narrow", async () => {
    const looks = [
      { options: { colorScheme: "light", mayFail: "404" } },
      // What depends on colours and width.
      {
        options: { colorScheme: "dark", viewport: { width: 360, height: 740 }, mayFail: "404" },
        rules: ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"],
      },
    ];
    for (const look of looks) {
      assert.deepEqual(await browser.run("checkAccessibility", { base, paths, ...look }), []);
    }
  });
  await t.step("help, palette and the sheet of an action pass axe", async () => {
    assert.deepEqual(await browser.run("checkDialogs", look), []);
  });
  await t.step("no page is wider than a phone of 360 px", async () => {
    assert.deepEqual(await browser.run("checkNarrow", { base, paths }), []);
  });
  await t.step("a published message shows while the page is looked at", async () => {
    await browser.run("seePublished", { ...look, publishAddress: cluster.publishAddress(0, "orders") });
  });
  await t.step("a new topic comes into the table, and what is being typed stays", async () => {
    const topic = "signups";
    await browser.run("seeNewTopic", { base, topic, publishAddress: cluster.publishAddress(0, topic) });
  });
  await t.step("the keyboard alone is enough", async () => {
    await browser.run("useKeyboardOnly", look);
  });
  await t.step("charts are drawn, and can be read as tables", async () => {
    await browser.run("readCharts", { base, path: "/topics/orders" });
  });
  await t.step("theme and times are kept", async () => {
    await browser.run("chooseDisplay", { base });
  });
  await t.step("paper has the tables alone", async () => {
    await browser.run("print", { base, path: "/topics/orders" });
  });
  await t.step("a table can be had as a file", async () => {
    const rows = await browser.run("exportTable", look) as Record<string, unknown>[];
    assert.deepEqual(rows.map(({ topic, channels }) => [topic, channels]), [["orders", 2]]);
  });
  await t.step("figures can be held, and a console that is away shows until it is back", async () => {
    await browser.run("loseConsole", look);
  });
  await t.step("the addresses that consumers are given are checked from here", async () => {
    assert.deepEqual(await browser.run("checkAddresses", { base }), ["ok"]);
  });
  await t.step("a search for a whole name leads there", async () => {
    await browser.run("searchByName", look);
  });
  await t.step("pages and actions work without script", async () => {
    await browser.run("useWithoutScript", { ...look, paths });
  });
  await t.step("a node that is gone stays on the pages, with the time of its last answer", async () => {
    await cluster.nodes[1].kill();
    await browser.run("seeNodeGone", { ...look, node: cluster.node(1) });
  });
  await t.step("an action that fails on a node names it, and says why", async () => {
    cluster.nodes[0].signal("SIGSTOP");
    await browser.run("actOnNodeThatHangs", { base, path: "/topics/orders", node: cluster.node(0) });
  });
});
