import assert from "node:assert/strict";
import type { MessageJson } from "../../../src/nsqd/http/looking.ts";
import { call, type RunningBroker, withBroker } from "../../support/policy_http.ts";
import { FakeConsumer } from "../../support/fake_consumer.ts";

const HERE = "topic=t&channel=c";

/** Lets `count` messages die. */
async function die(running: RunningBroker, count: number): Promise<MessageJson[]> {
  await call(running, "POST", "/topic/create?topic=t");
  await call(running, "POST", "/channel/create?topic=t&channel=c");
  await call(running, "PUT", `/channel/policy?${HERE}`, { max_attempts: 1 });
  await call(running, "POST", "/mpub?topic=t", Array.from({ length: count }, (_, i) => `m${i}`).join("\n"));
  const channel = running.broker.topics.get("t")!.channels.get("c")!;
  const consumer = FakeConsumer.to(channel, running.broker);
  consumer.subscription.setRdy(count);
  running.broker.endTurn();
  channel.unsubscribe(consumer.subscription);
  return (await call(running, "GET", `/channel/dead?${HERE}&limit=1000`)).json.messages;
}

/** Resolves with the job when it has ended. */
async function ended(running: RunningBroker, id: string) {
  for (;;) {
    const { json } = await call(running, "GET", `/jobs/${id}`);
    if (json.state !== "running") return json;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("GET /channel/dead lists dead letters with reason, time and last consumer, and narrows by reason", () =>
  withBroker(async (running) => {
    const letters = await die(running, 3);
    assert.deepEqual(
      letters.map(({ body, reason, attempts, state, consumer }) => [body, reason, attempts, state, consumer]),
      [
        ["m0", "attempts", 1, "dead", "a consumer"],
        ["m1", "attempts", 1, "dead", "a consumer"],
        ["m2", "attempts", 1, "dead", "a consumer"],
      ],
    );
    assert.ok(Math.abs(Date.parse(letters[0].died_at!) - Date.now()) < 60_000);
    assert.deepEqual((await call(running, "GET", `/channel/dead?${HERE}&reason=expired`)).json.messages, []);
    assert.equal((await call(running, "GET", `/channel/dead?${HERE}&reason=bad`)).status, 400);
    const page = await call(running, "GET", `/channel/dead?${HERE}&limit=2&from=newest`);
    assert.deepEqual(page.json.messages.map(({ body }: MessageJson) => body), ["m2", "m1"]);
    const rest = await call(running, "GET", `/channel/dead?${HERE}&from=${page.json.next}`);
    assert.deepEqual(rest.json.messages.map(({ body }: MessageJson) => body), ["m0"]);
  }));

Deno.test("POST /channel/redrive puts the letters of ids back, as a job with its state", () =>
  withBroker(async (running) => {
    const letters = await die(running, 4);
    const ids = [letters[1].id, letters[3].id].join(",");
    const started = await call(running, "POST", `/channel/redrive?${HERE}&ids=${ids}`);
    assert.deepEqual([started.status, started.json.kind, started.json.selected], [200, "redrive", 2]);
    const job = await ended(running, started.json.id);
    assert.deepEqual([job.state, job.done, job.failed, job.subject], ["done", 2, 0, "t/c"]);
    const channel = running.broker.topics.get("t")!.channels.get("c")!;
    assert.deepEqual([channel.dead.size, channel.depth], [2, 2]);
    assert.deepEqual((await call(running, "GET", "/jobs")).json.jobs.map(({ id }: { id: string }) => id), [
      job.id,
    ]);
    channel.invariants();
  }));

Deno.test("POST /channel/redrive publishes all letters elsewhere, once", () =>
  withBroker(async (running) => {
    await die(running, 30);
    const { json } = await call(running, "POST", `/channel/redrive?${HERE}&all=true&to_topic=again`);
    assert.equal((await ended(running, json.id)).done, 30);
    const again = running.broker.topics.get("again")!;
    assert.deepEqual([again.pendingCount, running.broker.topics.get("t")!.channels.get("c")!.dead.size], [
      30,
      0,
    ]);
  }));

Deno.test("a redrive with a rate can be stopped, and keeps what was done", () =>
  withBroker(async (running) => {
    await die(running, 40);
    const { json } = await call(running, "POST", `/channel/redrive?${HERE}&all=true&rate=50`);
    while ((await call(running, "GET", `/jobs/${json.id}`)).json.done === 0) {
      await new Promise((r) => setTimeout(r, 5));
    }
    await call(running, "DELETE", `/jobs/${json.id}`);
    const job = await ended(running, json.id);
    assert.equal(job.state, "stopped");
    const channel = running.broker.topics.get("t")!.channels.get("c")!;
    assert.ok(job.done > 0 && job.done < 40, `${job.done}`);
    assert.deepEqual([channel.depth, channel.dead.size], [job.done, 40 - job.done]);
  }));

Deno.test("POST /channel/dead/delete finishes the letters of a selection, and says how many", () =>
  withBroker(async (running) => {
    await die(running, 5);
    assert.equal((await call(running, "POST", `/channel/dead/delete?${HERE}`)).status, 400);
    const later = new Date(Date.now() + 60_000).toISOString();
    const { json } = await call(
      running,
      "POST",
      `/channel/dead/delete?${HERE}&all=true&reason=attempts&before=${later}`,
    );
    assert.deepEqual([json.selected, (await ended(running, json.id)).done], [5, 5]);
    assert.equal(running.broker.topics.get("t")!.channels.get("c")!.dead.size, 0);
    const none = await call(running, "POST", `/channel/dead/delete?${HERE}&all=true&before=1`);
    assert.equal(none.json.selected, 0);
    assert.equal((await call(running, "GET", "/jobs/99")).status, 404);
  }));
