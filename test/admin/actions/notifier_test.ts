import assert from "node:assert/strict";
import { deadAddress, FakeNode, refuse, startAdmin } from "../fixtures.ts";

async function lookupd(): Promise<FakeNode> {
  return await Promise.resolve(
    new FakeNode({
      "/lookup": { producers: [] },
      "POST /topic/create": {},
      "POST /channel/create": {},
      "POST /topic/delete": {},
    }),
  );
}

Deno.test("each change is posted to the endpoint, in order, as receivers of Go nsqadmin know it", async () => {
  await using node = await lookupd();
  await using endpoint = new FakeNode({ "POST /hook": refuse(500, "ignored") });
  {
    await using admin = await startAdmin([
      `--lookupd-http-address=${node.address}`,
      `--notification-http-endpoint=http://${endpoint.address}/hook`,
    ], { clock: { nowMs: () => 1_795_391_446_900, monotonicMs: () => performance.now() } });
    const headers = { "User-Agent": "UA/1", Authorization: `Basic ${btoa("matt:x")}` };
    await admin.ask("POST", "/api/topics?x=1", '{"topic":"t1","channel":"c1"}', headers);
    await admin.ask("DELETE", "/api/topics/t1", undefined, { "User-Agent": "UA/2", "X-Scheme": "https" });
    await admin.ask("POST", "/api/topics/t1/c1", '{"action":"nope"}');
    // Stopping waits for what is to be posted.
    await admin.admin.stop();
    const { url } = admin;
    const sent = endpoint.bodies.map((body) => JSON.parse(body));
    for (const each of sent) assert.match(each.remote_ip, /^127\.0\.0\.1:\d+$/);
    const common = { timestamp: 1_795_391_446, via: Deno.hostname() };
    const created = {
      topic: "t1",
      ...common,
      user: "matt",
      user_agent: "UA/1",
      url: `${url}/api/topics?x=1`,
    };
    assert.deepEqual(sent.map(({ remote_ip: _, ...rest }) => rest), [
      { action: "create_topic", ...created },
      { action: "create_channel", channel: "c1", ...created },
      {
        action: "delete_topic",
        topic: "t1",
        ...common,
        user_agent: "UA/2",
        url: `${url.replace("http:", "https:")}/api/topics/t1`,
      },
    ]);
  }
  assert.deepEqual(Object.keys(JSON.parse(endpoint.bodies[1])), [
    "action",
    "topic",
    "channel",
    "timestamp",
    "user",
    "remote_ip",
    "user_agent",
    "url",
    "via",
  ]);
});

Deno.test("a pause that nobody could be asked for is posted too, a delete is not; an endpoint that is down is logged", async () => {
  await using node = await lookupd();
  node.answers["/lookup"] = refuse(404, "TOPIC_NOT_FOUND");
  await using endpoint = new FakeNode({ "POST /hook": {} });
  {
    await using admin = await startAdmin([
      `--lookupd-http-address=${node.address}`,
      `--notification-http-endpoint=http://${endpoint.address}/hook`,
    ]);
    assert.match(await admin.ask("DELETE", "/api/topics/t1"), /^502/);
    assert.match(await admin.ask("POST", "/api/topics/t1", '{"action":"pause"}'), /^502/);
  }
  assert.deepEqual(endpoint.bodies.map((body) => JSON.parse(body).action), ["pause_topic"]);
  await using admin = await startAdmin([
    `--lookupd-http-address=${node.address}`,
    `--notification-http-endpoint=http://${deadAddress()}/hook`,
  ]);
  assert.equal(await admin.ask("POST", "/api/topics", '{"topic":"t2"}'), '200 {"message":""}');
  await admin.admin.stop();
  assert.match(admin.lines.join(""), /ERROR: failed to POST notification - /);
});
