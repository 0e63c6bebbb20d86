import assert from "node:assert/strict";
import { capabilitiesOf, offeredBy } from "../../../src/admin/poller/capabilities.ts";

Deno.test("capabilitiesOf() offers what a node says it can do, and says why not of all else", () => {
  const offered = offeredBy({ version: "1.3.0", capabilities: ["messages", "undo_empty", "later", 5] });
  const capabilities = capabilitiesOf(offered, "nsqd 1.3.0 on n1");
  assert.equal(capabilities.messages, "");
  assert.equal(capabilities.undoEmpty, "");
  assert.equal(capabilities.deadLetters, "nsqd 1.3.0 on n1 has no dead letters");
  for (const info of [null, {}, { capabilities: "messages" }, "text"]) {
    assert.ok(
      Object.values(capabilitiesOf(offeredBy(info), "x")).every((reason) => reason.startsWith("x has no ")),
    );
  }
});
