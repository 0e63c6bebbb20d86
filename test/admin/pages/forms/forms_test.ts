/** What forms answer to what they were not made for; the rest is in `test/ui`. */
import assert from "node:assert/strict";
import { Hono } from "hono";
import type { ConsoleEnv } from "../../../../src/admin/console.ts";
import { HttpError } from "../../../../src/http/errors.ts";
import { mountPages } from "../../../../src/admin/pages/pages.tsx";
import {
  sampleChannel,
  SampleConsole,
  sampleSnapshot,
  sampleTopic,
} from "../../../support/sample_console.ts";

const snapshot = sampleSnapshot([sampleTopic("orders", [sampleChannel("orders", "billing")])]);

function open(basePath = "/") {
  const console = new SampleConsole(() => snapshot, { basePath });
  const app = new Hono<ConsoleEnv>();
  app.use(async (context, next) => {
    context.set("user", { name: "", role: "admin", canViewBodies: true, source: "open" });
    await next();
  });
  mountPages(basePath === "/" ? app : app.basePath(basePath) as Hono<ConsoleEnv>, console);
  app.onError((cause) =>
    cause instanceof HttpError ? new Response(cause.code, { status: cause.status }) : Promise.reject(cause)
  );
  const post = (path: string, fields: Record<string, string>) =>
    app.request(path, { method: "POST", body: new URLSearchParams(fields) });
  return { console, post };
}

Deno.test("an action leads back to its page with the record, and does what the form says", async () => {
  const { console, post } = open("/adm");
  const fields = { kind: "pause", topic: "orders", channel: "billing", back: "/topics/orders/billing" };
  const answer = await post("/adm/act", fields);
  assert.deepEqual([answer.status, answer.headers.get("location")], [
    303,
    "/adm/topics/orders/billing?done=1",
  ]);
  assert.deepEqual(console.actions, [{ kind: "pause", topic: "orders", channel: "billing" }]);
});

Deno.test("what was deleted is not gone back to", async () => {
  const { post } = open();
  const channel = await post("/act", {
    kind: "delete",
    topic: "orders",
    channel: "billing",
    back: "/topics/orders/billing",
  });
  assert.equal(channel.headers.get("location"), "/topics/orders?done=1");
  const topic = await post("/act", { kind: "delete", topic: "orders", back: "/topics/orders" });
  assert.equal(topic.headers.get("location"), "/topics?done=2");
});

for (const back of ["https://example.com/", "//example.com/", "/\\example.com", "javascript:alert(1)", ""]) {
  Deno.test(`a form does not lead to "${back}"`, async () => {
    const { post } = open();
    const act = await post("/act", { kind: "pause", topic: "orders", back });
    assert.equal(act.headers.get("location"), "/topics?done=1");
    const preferences = await post("/preferences", { theme: "dark", back });
    assert.equal(preferences.headers.get("location"), "/");
  });
}

Deno.test("what is refused is a page that says why", async () => {
  const { post } = open();
  const unknown = await post("/act", { kind: "explode", topic: "orders", back: "/topics/orders" });
  assert.equal(unknown.status, 400);
  assert.match(await unknown.text(), /The form names no action\..*href="\/topics\/orders">Back/s);
  const late = await post("/undo", { id: "7" });
  assert.equal(late.status, 404);
  assert.match(await late.text(), /There is nothing to undo any more/);
});

Deno.test("a name that is none comes back with the form, and nothing is done", async () => {
  const { console, post } = open();
  const answer = await post("/act", { kind: "create", topic: "no name", back: "/lookup" });
  assert.match(await answer.text(), /&quot;no name&quot; cannot name a topic: 1 to 64 of letters/);
  assert.deepEqual(console.actions, []);
});

Deno.test("preferences are kept in a cookie below the base path, and changed one by one", async () => {
  const { post } = open("/adm");
  const answer = await post("/adm/preferences", { theme: "dark", back: "/nodes?q=a" });
  assert.equal(answer.headers.get("location"), "/adm/nodes?q=a");
  const cookie = answer.headers.get("set-cookie")!;
  assert.match(cookie, /^nsq_preferences=theme%3Ddark%26time%3Drelative%26refresh%3D1; .*Path=\/adm/);
});

Deno.test("a form that is too large is refused before it is read", async () => {
  const { post } = open();
  const answer = await post("/act", { kind: "pause", topic: "x".repeat(70_000) });
  assert.deepEqual([answer.status, await answer.text()], [413, "A form may have 65536 bytes"]);
});
