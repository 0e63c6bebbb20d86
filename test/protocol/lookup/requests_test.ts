import assert from "node:assert/strict";
import { encodeIdentify, encodeLines, MAGIC_V1 } from "../../../src/protocol/lookup/requests.ts";
import { V1Reader } from "../../../src/protocol/lookup/v1_reader.ts";

Deno.test("V1Reader reads the requests that a client encodes", () => {
  const magic = new TextEncoder().encode(MAGIC_V1);
  const parts: string[] = [];
  const reader = new V1Reader();
  for (const bytes of [magic, encodeIdentify('{"hostname":"é"}'), encodeLines(["PING", "REGISTER a b"])]) {
    reader.space().set(bytes);
    reader.received(bytes.length);
    for (let part = reader.next(); part !== undefined; part = reader.next()) {
      parts.push(part.kind === "body" ? new TextDecoder().decode(part.body) : part.text);
      if (part.kind === "line" && part.text === "IDENTIFY") reader.expectBody();
    }
  }
  assert.deepEqual(parts, ["  V1", "IDENTIFY", '{"hostname":"é"}', "PING", "REGISTER a b"]);
});
