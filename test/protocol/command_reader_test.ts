/** The command parser: transcripts cut anywhere, each error with its text, and the buffer behind it. */
import assert from "node:assert/strict";
import { BufferPool } from "../../src/buffers/buffer_pool.ts";
import type { CommandHandler, Parameters } from "../../src/protocol/command.ts";
import { CommandReader, LineTooLongError } from "../../src/protocol/command_reader.ts";
import { ClientError, unknownCommand } from "../../src/protocol/errors.ts";
import { writeId } from "../../src/protocol/message.ts";
import { Random } from "../support/random.ts";

const NODE_ID = 5;
const LIMITS = { maxMsgSize: 100, maxBodySize: 300 };
const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");

/** Notes what it is told, as text. */
class Recorder implements CommandHandler {
  readonly events: string[] = [];

  finish(seq: number): void {
    this.events.push(`finish ${seq}`);
  }

  command(name: string, parameters: Parameters): void {
    this.#line(name, parameters);
  }

  begin(name: string, parameters: Parameters): void {
    this.#line(`begin ${name}`, parameters);
  }

  #line(name: string, parameters: Parameters): void {
    const texts = Array.from({ length: Math.min(parameters.count, 4) }, (_, i) => {
      const view = latin1.decode(parameters.bytes(i));
      assert.equal(view, latin1.decode(parameters.buffer.subarray(parameters.from(i), parameters.to(i))));
      return `<${view}>`;
    });
    this.events.push([name, parameters.count, ...texts].join(" "));
  }

  publish(source: { bytes: Uint8Array }, bodyStart: number, bodyBytes: number): void {
    this.events.push(`publish ${latin1.decode(source.bytes.subarray(bodyStart, bodyStart + bodyBytes))}`);
  }

  publishMany(source: { bytes: Uint8Array; view: DataView }, at: number, count: number): void {
    const bodies: string[] = [];
    for (let i = 0; i < count; i++) {
      const size = source.view.getInt32(at);
      bodies.push(latin1.decode(source.bytes.subarray(at + 4, at + 4 + size)));
      at += 4 + size;
    }
    this.events.push(`publishMany ${bodies.join("|")}`);
  }

  body(name: string, body: Uint8Array): void {
    this.events.push(`body ${name} ${latin1.decode(body)}`);
  }

  unknown(word: Uint8Array): never {
    throw unknownCommand(word);
  }
}

// ---- what a client sends ----------------------------------------------------------------------------

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

function id(seq: number, nodeId = NODE_ID): string {
  const view = new DataView(new ArrayBuffer(16));
  writeId(view, 0, nodeId, seq);
  return latin1.decode(view);
}

/** Joins text (one byte for each character) and bytes. */
function bytesOf(...parts: (string | Uint8Array)[]): Uint8Array {
  const arrays = parts.map((part) => typeof part === "string" ? encoder.encode(part) : part);
  const all = new Uint8Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

function sized(body: string): Uint8Array {
  return bytesOf(int32(body.length), body);
}

function mpub(topic: string, bodies: string[]): Uint8Array {
  const messages = bytesOf(int32(bodies.length), ...bodies.map(sized));
  return bytesOf(`MPUB ${topic}\n`, int32(messages.length), messages);
}

/** A reader that was given `bytes` in chunks of the sizes that `nextSize` says, run after each. */
function feed(bytes: Uint8Array, nextSize: () => number, limits = LIMITS) {
  const recorder = new Recorder(), pool = new BufferPool(1 << 20);
  const reader = new CommandReader(recorder, pool, limits, NODE_ID);
  for (let at = 0; at < bytes.length;) {
    const space = reader.space();
    assert.ok(space.length > 0, "no space");
    const size = Math.min(Math.max(1, nextSize()), space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + size));
    reader.filled(size);
    at += size;
    reader.run();
    reader.fit();
  }
  return { recorder, reader, pool };
}

/** The error of a transcript, however it is cut. */
function errorOf(bytes: Uint8Array, limits = LIMITS): string {
  const messages = [1, 2, 3, 1000].map((size) => {
    try {
      feed(bytes, () => size, limits);
    } catch (error) {
      assert.ok(error instanceof ClientError, String(error));
      return `${error.fatal ? "" : "not fatal: "}${error.message}`;
    }
    return "no error";
  });
  assert.equal(new Set(messages).size, 1, `the error depends on the cut: ${messages}`);
  return messages[0];
}

const TRANSCRIPT = bytesOf(
  "IDENTIFY\n",
  sized('{"client_id":"a"}'),
  "AUTH\r\n",
  sized("secret"),
  "SUB orders archive\n",
  "RDY 100\r\n",
  "PUB orders\n",
  sized("first"),
  "PUB orders extra ones\r\n",
  sized("P"),
  "DPUB orders 250\n",
  sized("later\nFIN "),
  mpub("orders", ["a", "bb", "c".repeat(90)]),
  `FIN ${id(7)}\n`,
  `FIN ${id(8)}\n`,
  `FIN ${id(2 ** 33 + 9)}\n`,
  `FIN ${id(10)}\r\n`,
  `FIN ${id(11)} more\n`,
  `FIN ${id(12, 6)}\n`,
  `FIN ${id(0xab).toUpperCase()}\n`,
  "FIN 0123456789 12345\n",
  "FIN\n",
  "FIN  \n",
  `REQ ${id(13)} 500\n`,
  `TOUCH ${id(14)}\n`,
  "RDY\n",
  "RDY  1 2 3 4 5\n",
  "NOP\n",
  "NOP now\n",
  mpub("other#ephemeral", ["only"]),
  `FIN ${id(15)}\n`,
  "CLS\n",
);

const EXPECTED = [
  "begin IDENTIFY 0",
  'body IDENTIFY {"client_id":"a"}',
  "begin AUTH 0",
  "body AUTH secret",
  "SUB 2 <orders> <archive>",
  "RDY 1 <100>",
  "begin PUB 1 <orders>",
  "publish first",
  "begin PUB 3 <orders> <extra> <ones>",
  "publish P",
  "begin DPUB 2 <orders> <250>",
  "publish later\nFIN ",
  "begin MPUB 1 <orders>",
  `publishMany a|bb|${"c".repeat(90)}`,
  "finish 7",
  "finish 8",
  `finish ${2 ** 33 + 9}`,
  `FIN 1 <${id(10)}>`,
  `FIN 2 <${id(11)}> <more>`,
  `FIN 1 <${id(12, 6)}>`,
  `FIN 1 <${id(0xab).toUpperCase()}>`,
  "FIN 2 <0123456789> <12345>",
  "FIN 0",
  "FIN 2 <> <>",
  `REQ 2 <${id(13)}> <500>`,
  `TOUCH 1 <${id(14)}>`,
  "RDY 0",
  "RDY 6 <> <1> <2> <3>",
  "NOP 0",
  "NOP 1 <now>",
  "begin MPUB 1 <other#ephemeral>",
  "publishMany only",
  "finish 15",
  "CLS 0",
];

Deno.test("CommandReader reads a pipelined transcript of all commands", () => {
  const { recorder, reader } = feed(TRANSCRIPT, () => TRANSCRIPT.length);
  assert.deepEqual(recorder.events, EXPECTED);
  assert.equal(reader.unread, 0);
  assert.equal(reader.truncation(), null);
});

Deno.test("CommandReader reads the same commands from a transcript cut at any point", () => {
  for (let cut = 1; cut < TRANSCRIPT.length; cut++) {
    let isFirst = true;
    const { recorder } = feed(TRANSCRIPT, () => {
      const size = isFirst ? cut : TRANSCRIPT.length;
      isFirst = false;
      return size;
    });
    assert.deepEqual(recorder.events, EXPECTED, `cut at ${cut}`);
  }
});

Deno.test("CommandReader reads the same commands byte by byte and in random chunks", () => {
  assert.deepEqual(feed(TRANSCRIPT, () => 1).recorder.events, EXPECTED);
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed), most = random.pick([3, 20, 100, 400]);
    const { recorder } = feed(TRANSCRIPT, () => random.between(1, most));
    assert.deepEqual(recorder.events, EXPECTED, `seed ${seed}`);
  }
});

Deno.test("CommandReader.push() takes chunks larger than its buffer", () => {
  const recorder = new Recorder(), reader = new CommandReader(recorder, new BufferPool(0), LIMITS, NODE_ID);
  const repeated = bytesOf(...Array<Uint8Array>(40).fill(TRANSCRIPT));
  reader.push(repeated);
  reader.run();
  assert.equal(recorder.events.length, EXPECTED.length * 40);
  assert.equal(reader.unread, 0);
});

// ---- FIN --------------------------------------------------------------------------------------------

Deno.test("CommandReader reads ids of FIN alike on the fast path and one by one", () => {
  const random = new Random(1);
  const seqs = Array.from({ length: 200 }, () =>
    random.pick([
      random.int(70_000),
      65_535 + random.int(3),
      2 ** 32 - 2 + random.int(4),
      2 ** 53 - 1 - random.int(3),
      1_893_456_000_000_000 + random.int(100_000),
    ]));
  const bytes = bytesOf(...seqs.map((seq) => `FIN ${id(seq)}\n`));
  const expected = seqs.map((seq) => `finish ${seq}`);
  assert.deepEqual(feed(bytes, () => bytes.length).recorder.events, expected);
  assert.deepEqual(feed(bytes, () => 21).recorder.events, expected);
  assert.deepEqual(feed(bytes, () => 20).recorder.events, expected);
});

Deno.test("CommandReader.run() goes on behind a FIN whose handler threw, and knows its id", () => {
  class Refusing extends Recorder {
    override finish(seq: number): void {
      if (seq === 2) throw new ClientError("E_FIN_FAILED", latin1.decode(reader.finishedId));
      super.finish(seq);
    }
  }
  const recorder = new Refusing(), reader = new CommandReader(recorder, new BufferPool(0), LIMITS, NODE_ID);
  reader.push(bytesOf(`FIN ${id(1)}\nFIN ${id(2)}\nFIN ${id(3)}\nNOP\n`));
  assert.throws(() => reader.run(), { message: `E_FIN_FAILED ${id(2)}` });
  reader.run();
  assert.deepEqual(recorder.events, ["finish 1", "finish 3", "NOP 0"]);
});

Deno.test("CommandReader.run() goes on behind a command whose handler threw", () => {
  class Refusing extends Recorder {
    override command(name: "REQ", parameters: Parameters): void {
      super.command(name, parameters);
      if (name === "REQ") throw new ClientError("E_REQ_FAILED", "no");
    }
  }
  const recorder = new Refusing(), reader = new CommandReader(recorder, new BufferPool(0), LIMITS, NODE_ID);
  reader.push(bytesOf("REQ a 0\nNOP\n"));
  assert.throws(() => reader.run(), { message: "E_REQ_FAILED no" });
  reader.run();
  assert.deepEqual(recorder.events, ["REQ 2 <a> <0>", "NOP 0"]);
});

// ---- errors -----------------------------------------------------------------------------------------

const errorTable: [what: string, sent: Uint8Array, error: string][] = [
  ["an unknown command", bytesOf("HELLO there\n"), "E_INVALID invalid command HELLO"],
  ["a command in lower case", bytesOf("pub orders\n"), "E_INVALID invalid command pub"],
  ["an empty line", bytesOf("\n"), "E_INVALID invalid command "],
  ["a line of a space", bytesOf(" NOP\n"), "E_INVALID invalid command "],
  ["PUB of an empty body", bytesOf("PUB t\n", int32(0)), "E_BAD_MESSAGE PUB invalid message body size 0"],
  ["PUB of a negative size", bytesOf("PUB t\n", int32(-1)), "E_BAD_MESSAGE PUB invalid message body size -1"],
  ["PUB too big", bytesOf("PUB t\n", int32(101)), "E_BAD_MESSAGE PUB message too big 101 > 100"],
  [
    "DPUB of an empty body",
    bytesOf("DPUB t 1\n", int32(0)),
    "E_BAD_MESSAGE DPUB invalid message body size 0",
  ],
  [
    "DPUB too big",
    bytesOf("DPUB t 1\n", int32(2 ** 31 - 1)),
    "E_BAD_MESSAGE DPUB message too big 2147483647 > 100",
  ],
  ["IDENTIFY without a body", bytesOf("IDENTIFY\n", int32(0)), "E_BAD_BODY IDENTIFY invalid body size 0"],
  ["IDENTIFY too big", bytesOf("IDENTIFY\n", int32(301)), "E_BAD_BODY IDENTIFY body too big 301 > 300"],
  ["AUTH of a negative size", bytesOf("AUTH\n", int32(-5)), "E_BAD_BODY AUTH invalid body size -5"],
  ["AUTH too big", bytesOf("AUTH\n", int32(1000)), "E_BAD_BODY AUTH body too big 1000 > 300"],
  ["MPUB of an empty body", bytesOf("MPUB t\n", int32(0)), "E_BAD_BODY MPUB invalid body size 0"],
  ["MPUB too big", bytesOf("MPUB t\n", int32(301)), "E_BAD_BODY MPUB body too big 301 > 300"],
  ["MPUB of nothing", bytesOf("MPUB t\n", int32(4), int32(0)), "E_BAD_BODY MPUB invalid message count 0"],
  [
    "MPUB of -2 messages",
    bytesOf("MPUB t\n", int32(4), int32(-2)),
    "E_BAD_BODY MPUB invalid message count -2",
  ],
  [
    "MPUB of more messages than a body can hold",
    bytesOf("MPUB t\n", int32(200), int32(60)),
    "E_BAD_BODY MPUB invalid message count 60",
  ],
  [
    "MPUB with an empty message",
    bytesOf("MPUB t\n", int32(50), int32(2), sized("a"), int32(0)),
    "E_BAD_MESSAGE MPUB invalid message(1) body size 0",
  ],
  [
    "MPUB with a message of a negative size",
    bytesOf("MPUB t\n", int32(50), int32(1), int32(-7)),
    "E_BAD_MESSAGE MPUB invalid message(0) body size -7",
  ],
  [
    "MPUB with a message that is too big",
    bytesOf("MPUB t\n", int32(50), int32(2), sized("a"), int32(101)),
    "E_BAD_MESSAGE MPUB message too big 101 > 100",
  ],
];

for (const [what, sent, error] of errorTable) {
  Deno.test(`CommandReader.run() refuses ${what}`, () => {
    assert.equal(errorOf(sent), error);
    // Nothing that follows changes it: the sizes are checked before what they announce arrives.
    assert.equal(errorOf(bytesOf(sent, "NOP\n")), error);
  });
}

Deno.test("CommandReader.run() accepts sizes at their limits", () => {
  const body = "x".repeat(100);
  const sent = bytesOf("PUB t\n", sized(body), "IDENTIFY\n", sized("y".repeat(300)), mpub("t", [body, body]));
  assert.deepEqual(feed(sent, () => 7).recorder.events.filter((event) => !event.startsWith("begin")), [
    `publish ${body}`,
    `body IDENTIFY ${"y".repeat(300)}`,
    `publishMany ${body}|${body}`,
  ]);
});

Deno.test("CommandReader.run() refuses MPUB whose messages go past the limit of a body", () => {
  const body = "x".repeat(100);
  assert.match(errorOf(mpub("t", [body, body, body])), /^E_BAD_BODY MPUB body too big \d+ > 300$/);
  const announced = bytesOf("MPUB t\n", int32(10), int32(3), sized(body), sized(body), sized(body));
  assert.match(errorOf(announced), /^E_BAD_BODY MPUB body too big \d+ > 300$/);
});

Deno.test("CommandReader.run() publishes nothing of an MPUB that is refused", () => {
  const recorder = new Recorder(), reader = new CommandReader(recorder, new BufferPool(0), LIMITS, NODE_ID);
  reader.push(bytesOf("MPUB t\n", int32(50), int32(2), sized("a"), int32(0)));
  assert.throws(() => reader.run(), /invalid message\(1\)/);
  assert.deepEqual(recorder.events, ["begin MPUB 1 <t>"]);
});

Deno.test("CommandReader.run() takes a line of 16384 bytes and no longer one", () => {
  const line = (length: number) => `NOP ${"x".repeat(length - 5)}\n`;
  assert.equal(feed(bytesOf(line(16_384)), () => 1000).recorder.events.length, 1);
  assert.throws(() => feed(bytesOf(line(16_385)), () => 1000), LineTooLongError);
  assert.throws(() => feed(bytesOf("x".repeat(16_384)), () => 16_384), LineTooLongError);
  // Also behind other commands of the same read.
  const recorder = new Recorder(), reader = new CommandReader(recorder, new BufferPool(0), LIMITS, NODE_ID);
  reader.push(bytesOf("NOP\n", line(16_384), line(16_385)));
  assert.throws(() => reader.run(), LineTooLongError);
  assert.equal(recorder.events.length, 2);
});

// ---- truncation -------------------------------------------------------------------------------------

const truncationTable: [sent: Uint8Array, error: string | null][] = [
  [bytesOf("PU"), null],
  [bytesOf("PUB t"), null],
  [bytesOf("PUB t\n"), "E_BAD_MESSAGE PUB failed to read message body size"],
  [bytesOf("PUB t\n\0\0\0"), "E_BAD_MESSAGE PUB failed to read message body size"],
  [bytesOf("PUB t\n", int32(3)), "E_BAD_MESSAGE PUB failed to read message body"],
  [bytesOf("PUB t\n", int32(3), "ab"), "E_BAD_MESSAGE PUB failed to read message body"],
  [bytesOf("PUB t\n", sized("abc")), null],
  [bytesOf("DPUB t 1\n\0"), "E_BAD_MESSAGE DPUB failed to read message body size"],
  [bytesOf("DPUB t 1\n", int32(3), "ab"), "E_BAD_MESSAGE DPUB failed to read message body"],
  [bytesOf("IDENTIFY\n\0\0"), "E_BAD_BODY IDENTIFY failed to read body size"],
  [bytesOf("IDENTIFY\n", int32(9), "{"), "E_BAD_BODY IDENTIFY failed to read body"],
  [bytesOf("AUTH\n"), "E_BAD_BODY AUTH failed to read body size"],
  [bytesOf("AUTH\n", int32(9), "x"), "E_BAD_BODY AUTH failed to read body"],
  [bytesOf("MPUB t\n\0\0"), "E_BAD_BODY MPUB failed to read body size"],
  [bytesOf("MPUB t\n", int32(50)), "E_BAD_BODY MPUB failed to read message count"],
  [bytesOf("MPUB t\n", int32(50), "\0\0\0"), "E_BAD_BODY MPUB failed to read message count"],
  [bytesOf("MPUB t\n", int32(50), int32(2)), "E_BAD_MESSAGE MPUB failed to read message(0) body size"],
  [bytesOf("MPUB t\n", int32(50), int32(2), int32(3)), "E_BAD_MESSAGE MPUB failed to read message body"],
  [
    bytesOf("MPUB t\n", int32(50), int32(2), int32(3), "ab"),
    "E_BAD_MESSAGE MPUB failed to read message body",
  ],
  [
    bytesOf("MPUB t\n", int32(50), int32(2), sized("abc"), "\0"),
    "E_BAD_MESSAGE MPUB failed to read message(1) body size",
  ],
  [mpub("t", ["abc", "d"]), null],
];

Deno.test("CommandReader.truncation() tells what a connection that ends was about to send", () => {
  for (const [sent, error] of truncationTable) {
    for (const size of [1, 5, 1000]) {
      const { reader } = feed(bytesOf("NOP\n", sent), () => size);
      assert.equal(reader.truncation()?.message ?? null, error, latin1.decode(sent));
    }
  }
});

// ---- the buffer -------------------------------------------------------------------------------------

Deno.test("CommandReader grows for a large command, and shrinks to 512 bytes when reads are small again", () => {
  const limits = { maxMsgSize: 2_000_000, maxBodySize: 5_000_000 };
  const body = "0123456789".repeat(150_000);
  const quiet = Array.from({ length: 60 }, (_, i) => `FIN ${id(i)}\n`);
  const recorder = new Recorder(), pool = new BufferPool(0);
  const reader = new CommandReader(recorder, pool, limits, NODE_ID);
  const read = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) {
      const space = reader.space(), size = Math.min(space.length, bytes.length - at);
      space.set(bytes.subarray(at, at + size));
      reader.filled(size);
      at += size;
      reader.run();
      reader.fit();
    }
  };
  read(bytesOf("PUB t\n", sized(body)));
  assert.ok(recorder.events[1] === `publish ${body}`, "the body was changed");
  for (const fin of quiet) read(encoder.encode(fin));
  assert.deepEqual(recorder.events.slice(2), quiet.map((_, i) => `finish ${i}`));
  assert.equal(pool.lentBytes, 512);
  reader.close();
  assert.equal(pool.lentBytes, 0);
});

Deno.test("CommandReader grows only as bytes arrive, whatever size is announced", () => {
  const limits = { maxMsgSize: 2 ** 30, maxBodySize: 2 ** 31 - 1 }, pool = new BufferPool(0);
  const reader = new CommandReader(new Recorder(), pool, limits, NODE_ID);
  reader.push(bytesOf("PUB t\n", int32(2 ** 30), "x"));
  reader.run();
  reader.fit();
  assert.equal(pool.lentBytes, 512);
});

Deno.test("CommandReader.takeMagic() waits for all of it and leaves what follows", () => {
  const recorder = new Recorder(), reader = new CommandReader(recorder, new BufferPool(0), LIMITS, NODE_ID);
  reader.push(bytesOf("  V"));
  assert.equal(reader.takeMagic(4), null);
  reader.push(bytesOf("2NOP\n"));
  assert.equal(latin1.decode(reader.takeMagic(4)!), "  V2");
  reader.run();
  assert.deepEqual(recorder.events, ["NOP 0"]);
});

Deno.test("CommandReader.suspended keeps the commands that follow until it is cleared", () => {
  class Suspending extends Recorder {
    override body(name: string, body: Uint8Array): void {
      super.body(name, body);
      reader.suspended = true;
    }
  }
  const recorder = new Suspending(), reader = new CommandReader(recorder, new BufferPool(0), LIMITS, NODE_ID);
  reader.push(bytesOf("IDENTIFY\n", sized("{}"), "NOP\n"));
  reader.run();
  reader.run();
  assert.deepEqual(recorder.events, ["begin IDENTIFY 0", "body IDENTIFY {}"]);
  reader.suspended = false;
  reader.run();
  assert.equal(recorder.events.at(-1), "NOP 0");
});
