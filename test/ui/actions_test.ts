/** Every action of the console, from the button in a browser to its effect on the node. */
import assert from "node:assert/strict";
import { Browser } from "../support/browser.ts";
import { ConsoleCluster } from "../support/console_cluster.ts";

Deno.test("Actions of the console in a browser", async (t) => {
  await using browser = await Browser.start();
  if (browser === null) return;
  await using cluster = await ConsoleCluster.start({ nodes: 1 });
  const { base } = cluster;
  const topic = "orders";
  const topicPlace = { base, path: "/topics/orders", name: "orders" };
  const channelPlace = { base, path: "/topics/orders/billing", name: "orders/billing" };
  const channel = async () => {
    const { topics } = await cluster.stats(0);
    return topics.find(({ topic_name }) => topic_name === topic)?.channels.find((c) =>
      c.channel_name === "billing"
    );
  };

  await t.step("an empty broker says how to begin, with its addresses", async () => {
    const [publish] = await browser.run("seeFirstSteps", { base }) as string[];
    assert.equal(publish, `curl -d 'hello' 'http://${cluster.node(0)}/pub?topic=greetings'`);
  });
  await t.step("create makes a topic with a channel, after a name that is none was refused", async () => {
    await browser.run("create", { base, topic, channel: "billing" });
  });
  await t.step("publish sends what was typed, each line as a message, or held back", async () => {
    const command = await browser.run("publish", { base, topic, text: "one\ntwo\n\nthree", isLines: true });
    assert.match(command as string, /^curl /);
    await browser.run("publish", { base, topic, text: "all\nof it", isLines: false });
    await browser.run("publish", { base, topic, text: "later", isLines: false, deferSeconds: "3600" });
    await browser.run("publishNothing", { base });
    const { depth, deferred_count } = (await channel())!;
    assert.deepEqual({ depth, deferred_count }, { depth: 4, deferred_count: 1 });
  });
  await t.step("pause acts at once, and can be undone", async () => {
    await browser.run("pauseAndUndo", channelPlace);
    assert.equal((await channel())!.paused, false);
    await browser.run("pauseAndUnpause", topicPlace);
    assert.equal((await cluster.stats(0)).topics[0].paused, false);
  });
  await t.step("empty says first what it would remove", async () => {
    const { text, command } = await browser.run("empty", channelPlace) as { text: string; command: string };
    assert.match(text, /\b[45] messages\b/);
    assert.match(command, /empty/);
    assert.equal((await channel())!.depth, 0);
  });
  await t.step("delete asks for the name, the server too", async () => {
    await browser.run("deleteWithWrongName", { base, topic });
    const typed = await browser.run("nameToType", { base, path: channelPlace.path });
    await browser.run("deleteByName", { ...channelPlace, typed });
    assert.equal(await channel(), undefined);
  });
  await t.step("tombstone takes the topic of a node away", async () => {
    await browser.run("tombstone", { base, topic, node: cluster.node(0) });
    assert.deepEqual((await cluster.stats(0)).topics, []);
  });
  await t.step("a topic that only lookupd knows can be deleted", async () => {
    await browser.run("create", { base, topic: "ghost", channel: "none" });
    await browser.run("deleteByName", { base, path: "/topics/ghost", name: "ghost", typed: "ghost" });
  });
  await t.step("the activity has it all, the newest first", async () => {
    const titles = await browser.run("readActivity", { base }) as string[];
    assert.equal(titles[0], "Deleted ghost");
    assert.ok(titles.includes("Paused orders/billing"));
    assert.ok(titles.includes("Undid pause of orders/billing"));
  });
});
