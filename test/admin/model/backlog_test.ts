import assert from "node:assert/strict";
import { backlogOf, backlogOn } from "../../../src/admin/model/backlog.ts";
import { sampleChannel, sampleTopic } from "../../support/sample_console.ts";

const topic = sampleTopic("orders", [
  sampleChannel("orders", "billing", { figures: { depth: 7 } }),
  sampleChannel("orders", "search", { figures: { depth: 20 } }),
], { figures: { depth: 100 } });

Deno.test("backlogOf() adds what waits in channels to what no channel has yet", () => {
  assert.equal(backlogOf(topic), 127);
});

Deno.test("backlogOn() counts one node, and nothing where the topic is not", () => {
  assert.deepEqual([backlogOn(topic, "n1:4151"), backlogOn(topic, "n2:4151")], [127, 0]);
});
