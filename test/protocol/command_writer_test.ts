import assert from "node:assert/strict";
import { CommandWriter } from "../../src/protocol/command_writer.ts";

const encoder = new TextEncoder();
const ID = encoder.encode("..0123456789abcdef..");

function written(write: (writer: CommandWriter) => void): string {
  const writer = new CommandWriter();
  write(writer);
  return String.fromCharCode(...writer.take());
}

const COMMANDS: readonly [string, (writer: CommandWriter) => void, string][] = [
  ["magic", (writer) => writer.magic(), "  V2"],
  ["identify", (writer) => writer.identify("{}"), "IDENTIFY\n\0\0\0\x02{}"],
  ["auth", (writer) => writer.auth("secret"), "AUTH\n\0\0\0\x06secret"],
  ["sub", (writer) => writer.sub("orders", "mail"), "SUB orders mail\n"],
  ["nop", (writer) => writer.nop(), "NOP\n"],
  ["cls", (writer) => writer.cls(), "CLS\n"],
  ["rdy of one digit", (writer) => writer.rdy(7), "RDY 7\n"],
  ["rdy of more digits", (writer) => writer.rdy(2500), "RDY 2500\n"],
  ["fin", (writer) => writer.fin(ID, 2), "FIN 0123456789abcdef\n"],
  ["touch", (writer) => writer.touch(ID, 2), "TOUCH 0123456789abcdef\n"],
  ["req", (writer) => writer.req(ID, 2, 90_000), "REQ 0123456789abcdef 90000\n"],
  ["pub", (writer) => writer.pub("orders", encoder.encode("one")), "PUB orders\n\0\0\0\x03one"],
  ["dpub", (writer) => writer.dpub("orders", 250, encoder.encode("one")), "DPUB orders 250\n\0\0\0\x03one"],
  ["mpub", (writer) => {
    writer.mpub("orders", 2, 5);
    writer.batched(encoder.encode("one"));
    writer.batched(encoder.encode("to"));
  }, "MPUB orders\n\0\0\0\x11\0\0\0\x02\0\0\0\x03one\0\0\0\x02to"],
];

for (const [name, write, expected] of COMMANDS) {
  Deno.test(`CommandWriter writes ${name}`, () => assert.equal(written(write), expected));
}

Deno.test("CommandWriter keeps commands in order while its buffer grows", () => {
  const text = written((writer) => {
    for (let i = 0; i < 500; i++) writer.rdy(i);
  });
  assert.equal(text, Array.from({ length: 500 }, (_, i) => `RDY ${i}\n`).join(""));
});

Deno.test("CommandWriter.recycle() uses the memory again, and never while it is given away", () => {
  const writer = new CommandWriter();
  writer.nop();
  const first = writer.take();
  writer.cls();
  const second = writer.take();
  assert.notEqual(second.buffer, first.buffer);
  assert.equal(String.fromCharCode(...first), "NOP\n");
  writer.recycle(first);
  writer.take();
  writer.nop();
  assert.equal(writer.take().buffer, first.buffer);
});
