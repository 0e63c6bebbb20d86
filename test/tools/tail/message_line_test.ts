import assert from "node:assert/strict";
import { formatJson, formatPlainMessage } from "../../../src/tools/tail/message_line.ts";

const message = {
  id: "0123456789abcdef",
  timestampNs: 1_763_850_245_123_456_789n,
  attempts: 2,
  nodeAddress: "127.0.0.1:4150",
  body: new TextEncoder().encode('a"b'),
};

Deno.test("formatPlainMessage() writes the body as it is, with the topic before it when that is wanted", () => {
  const body = Uint8Array.of(0x61, 0xff);
  assert.deepEqual([...formatPlainMessage(null, body, false)], [0x61, 0xff, 0x0a]);
  assert.equal(new TextDecoder().decode(formatPlainMessage("orders", message.body, false)), 'orders | a"b\n');
  const coloured = new TextDecoder().decode(formatPlainMessage("orders", message.body, true));
  assert.ok(coloured.startsWith("\u001b[36morders\u001b"), coloured);
});

Deno.test("formatJson() tells all of a message on one line, to the nanosecond", () => {
  assert.equal(
    formatJson("orders", message),
    '{"topic":"orders","id":"0123456789abcdef","time":"2025-11-22T22:24:05.123456789Z",' +
      '"timestamp":1763850245123456789,"attempts":2,"nsqd":"127.0.0.1:4150","body":"a\\"b"}\n',
  );
});

Deno.test("formatJson() gives a body that is no UTF-8 in base64", () => {
  const line = formatJson("orders", { ...message, body: Uint8Array.of(0xff, 0x00) });
  assert.equal(JSON.parse(line).body_base64, "/wA=");
  assert.equal("body" in JSON.parse(line), false);
});
