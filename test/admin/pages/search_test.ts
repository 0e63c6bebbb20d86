import assert from "node:assert/strict";
import { readPreferences } from "../../../src/admin/pages/preferences.ts";
import { matchHref, search } from "../../../src/admin/pages/screens/search.tsx";
import type { View } from "../../../src/admin/pages/view.ts";
import type { Role } from "../../../src/admin/model/action.ts";
import { sampleChannel, SampleConsole, sampleSnapshot, sampleTopic } from "../../support/sample_console.ts";

function view(role: Role): View {
  const topics = ["orders", "orders-eu", "my#ephemeral"].map((name) =>
    sampleTopic(name, [sampleChannel(name, "billing", { isPaused: true })])
  );
  const snapshot = sampleSnapshot(topics);
  const console = new SampleConsole(() => snapshot, { basePath: "/adm" });
  return {
    console,
    settings: console.settings,
    user: { name: "", role, canViewBodies: false, source: "open" },
    snapshot,
    preferences: readPreferences(undefined),
    nowMs: 0,
    path: "/search",
    query: new URLSearchParams(),
  };
}

Deno.test("search() puts names that begin with the text first, shorter ones before longer ones", () => {
  const labels = search(view("viewer"), "orders", 10).map(({ label }) => label);
  assert.deepEqual(labels, ["orders", "orders-eu", "orders/billing", "orders-eu/billing"]);
});

Deno.test("search() finds actions by what they do and on what, for those who may", () => {
  const [first] = search(view("operator"), "unpause orders/billing", 10);
  assert.equal(first.kind, "action");
  assert.equal(
    matchHref(view("operator"), first),
    "/adm/act?kind=unpause&topic=orders&channel=billing&back=%2Ftopics%2Forders%2Fbilling",
  );
  assert.deepEqual(search(view("viewer"), "unpause orders", 10), []);
  assert.deepEqual(search(view("operator"), "delete orders", 10), []);
});

Deno.test("search() finds pages and nodes, and escapes names in addresses", () => {
  assert.equal(search(view("viewer"), "go consumers", 10)[0].path, "/consumers");
  assert.equal(search(view("viewer"), "n1:4151", 10)[0].path, "/nodes/n1:4151");
  assert.equal(search(view("viewer"), "my#", 10)[0].path, "/topics/my%23ephemeral");
});

Deno.test("search() gives no more than it is asked for", () => {
  assert.equal(search(view("admin"), "", 3).length, 3);
});
