/** The live tail over real nodes, seen as a page. */
import assert from "node:assert/strict";
import { mountPages } from "../../../src/admin/pages/pages.tsx";
import { startNsqd, type TestNsqd } from "../../support/running_nsqd.ts";
import { until } from "../../support/program_process.ts";
import { startAdmin, type TestAdmin } from "../fixtures.ts";

async function withTail(
  run: (admin: TestAdmin, nsqd: TestNsqd) => Promise<void>,
  ...flags: string[]
): Promise<void> {
  await using nsqd = await startNsqd(["--broadcast-address=127.0.0.1"]);
  await using admin = await startAdmin([`--nsqd-http-address=127.0.0.1:${nsqd.httpPort}`, ...flags], {
    mountPages,
  });
  await run(admin, nsqd);
}

interface Channel {
  channel_name: string;
  depth: number;
}

async function channelsOf(nsqd: TestNsqd): Promise<Channel[]> {
  return JSON.parse(await nsqd.http("GET", "/stats?format=json")).topics[0].channels;
}

Deno.test({
  name:
    "a live tail shows what is published while somebody looks, takes nothing from others, and leaves nothing behind",
  fn: () =>
    withTail(async (admin, nsqd) => {
      await nsqd.http("POST", "/topic/create?topic=orders");
      await nsqd.http("POST", "/channel/create?topic=orders&channel=billing");
      const page = async () => await (await admin.request("GET", "/tail/orders")).text();
      await until("the tail has its channel", async () => {
        await page();
        return (await channelsOf(nsqd)).length === 2;
      });
      await nsqd.http("POST", "/pub?topic=orders", "first <b>");
      await nsqd.http("POST", "/pub?topic=orders", new Uint8Array([0xff, 0x00]));
      await until("both are seen", async () =>
        (await page()).includes("2 messages seen"), () =>
        admin.lines.join(""));
      const html = await page();
      assert.match(html, /<pre>first &lt;b&gt;<\/pre>/);
      assert.match(html, /<pre>ff 00<\/pre>/);
      const filtered = await (await admin.request("GET", "/tail/orders?contains=first")).text();
      assert.equal(filtered.includes("ff 00"), false);
      const billing = (await channelsOf(nsqd)).find(({ channel_name }) =>
        channel_name === "billing"
      )!;
      assert.equal(billing.depth, 2, "the others still have all of it");
      await admin.admin.stop();
      await until("the channel is gone", async () => (await channelsOf(nsqd)).length === 1);
    }),
});

Deno.test("a live tail does not become the first channel of a topic, which would get all that waits", async () => {
  await withTail(async (admin, nsqd) => {
    await nsqd.http("POST", "/pub?topic=orders", "waiting");
    const html = await (await admin.request("GET", "/tail/orders")).text();
    assert.match(html, /This topic has no channel yet/);
    assert.deepEqual(await channelsOf(nsqd), []);
    assert.match(await admin.ask("GET", "/tail/nope"), /^404 /);
  });
});

Deno.test("a live tail is for those who may look into messages", async () => {
  await withTail(async (admin, nsqd) => {
    await nsqd.http("POST", "/channel/create?topic=orders&channel=billing");
    await nsqd.http("POST", "/topic/create?topic=orders");
    assert.match(await admin.ask("GET", "/tail/orders"), /^403 /);
    assert.match(await admin.ask("GET", "/tail/orders", undefined, { "X-Forwarded-User": "ann" }), /^200 /);
    assert.equal((await (await admin.request("GET", "/topics/orders")).text()).includes("Live tail"), false);
  }, "--admin-user=ann");
});
