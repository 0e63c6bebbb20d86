import assert from "node:assert/strict";
import { readPublishForm, splitBodies } from "../../../../src/admin/pages/forms/publish_form.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (body: string) => new TextEncoder().encode(body);

Deno.test("splitBodies() takes each line that is not empty, without its end, or the whole as it is", () => {
  assert.deepEqual(splitBodies(bytes("a\r\n\r\nb\n\nc"), true).map(text), ["a", "b", "c"]);
  assert.deepEqual(splitBodies(bytes("a\r\nb\n"), false).map(text), ["a\r\nb\n"]);
  assert.deepEqual(splitBodies(bytes(""), false), []);
  assert.deepEqual(splitBodies(bytes("\n\n"), true), []);
});

Deno.test("readPublishForm() makes an action of a form", async () => {
  const { problem, action } = await readPublishForm({
    topic: " orders ",
    text: "one\r\ntwo",
    lines: "1",
    defer: "1.5",
    node: "n1:4151",
  });
  assert.equal(problem, "");
  assert.deepEqual({ ...action, bodies: action!.bodies.map(text) }, {
    kind: "publish",
    topic: "orders",
    bodies: ["one", "two"],
    deferMs: 1500,
    node: "n1:4151",
  });
});

Deno.test("readPublishForm() takes the file when there is one, byte for byte", async () => {
  const file = new File([new Uint8Array([0, 13, 10, 255])], "message.bin");
  const { action } = await readPublishForm({ topic: "orders", text: "not this", file });
  assert.deepEqual(action!.bodies, [new Uint8Array([0, 13, 10, 255])]);
});

const PROBLEMS: [fields: Record<string, string>, problem: string][] = [
  [{ topic: "no name", text: "x" }, '"no name" cannot name a topic'],
  [{ topic: "orders", text: "x", defer: "soon" }, '"soon" is no number of seconds'],
  [{ topic: "orders", text: "x", defer: "-1" }, '"-1" is no number of seconds'],
  [{ topic: "orders", text: "" }, "There is nothing to publish: the message is empty"],
];

for (const [fields, problem] of PROBLEMS) {
  Deno.test(`readPublishForm() refuses ${JSON.stringify(fields)}, and keeps what was typed`, async () => {
    const form = await readPublishForm(fields);
    assert.deepEqual([form.problem, form.action, form.text], [problem, null, fields.text]);
  });
}
