/** The command reader against the model: the same calls, in the same order, however the bytes arrive. */
import assert from "node:assert/strict";
import { BufferPool } from "../../src/buffers/buffer_pool.ts";
import type { CommandHandler, Parameters } from "../../src/protocol/command.ts";
import { CommandReader, LineTooLongError } from "../../src/protocol/command_reader.ts";
import { ClientError, unknownCommand } from "../../src/protocol/errors.ts";
import { parseId, writeId } from "../../src/protocol/message.ts";
import type { Random } from "../support/random.ts";
import { latin1, pieceSizes, textOf } from "./bytes.ts";
import { type CommandRules, type Ending, readCommands } from "./command_model.ts";
import { commandOf, commandRow, type CommandSource } from "./commands.ts";
import { excerpt, plainSession, type Tally, type Target } from "./target.ts";

const NODE_ID = 5;
const LIMITS = { maxMsgSize: 400, maxBodySize: 2000 };
const KEPT_PARAMETERS = 4;
const ROW = 60;

function lineEvent(name: string, parameters: readonly string[]): string {
  return `${name} ${parameters.length} <${parameters.slice(0, KEPT_PARAMETERS).join("> <")}>`;
}

/** FIN in its usual form is told as a sequence number. */
function finishEvent(id: string): string {
  const seq = id.length === 16 ? parseId(latin1(id), 0, NODE_ID) : -1;
  return seq < 0 ? lineEvent("FIN", [id]) : `finish ${seq}`;
}

class Recorder implements CommandHandler {
  readonly events: string[] = [];

  finish(seq: number): void {
    this.events.push(`finish ${seq}`);
  }

  command(name: string, parameters: Parameters): void {
    this.#line(name, parameters);
  }

  begin(name: string, parameters: Parameters): void {
    this.#line(name, parameters);
  }

  #line(name: string, parameters: Parameters): void {
    const kept: string[] = [];
    for (let i = 0; i < Math.min(parameters.count, KEPT_PARAMETERS); i++) {
      kept.push(textOf(parameters.buffer.subarray(parameters.from(i), parameters.to(i))));
    }
    // Which of its two forms FIN takes is a matter of speed only.
    if (name === "FIN" && parameters.count === 1) this.events.push(finishEvent(kept[0]));
    else this.events.push(`${name} ${parameters.count} <${kept.join("> <")}>`);
  }

  publish(source: { bytes: Uint8Array }, bodyStart: number, bodyBytes: number): void {
    this.events.push(textOf(source.bytes.subarray(bodyStart, bodyStart + bodyBytes)));
  }

  publishMany(source: { bytes: Uint8Array; view: DataView }, at: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const size = source.view.getInt32(at);
      this.events.push(textOf(source.bytes.subarray(at + 4, at + 4 + size)));
      at += 4 + size;
    }
  }

  body(_name: string, body: Uint8Array): void {
    this.events.push(textOf(body));
  }

  unknown(word: Uint8Array): never {
    throw unknownCommand(word);
  }
}

class ModelRecorder implements CommandRules {
  readonly events: string[] = [];

  line(name: string, parameters: readonly string[]): null {
    this.events.push(
      name === "FIN" && parameters.length === 1 ? finishEvent(parameters[0]) : lineEvent(name, parameters),
    );
    return null;
  }

  body(_name: string, bodies: readonly string[]): null {
    this.events.push(...bodies);
    return null;
  }
}

/** Feeds the reader, and says how it ended in the model's words. */
function feed(bytes: Uint8Array, random: Random, recorder: Recorder): Ending {
  const pool = new BufferPool(1 << 16), reader = new CommandReader(recorder, pool, LIMITS, NODE_ID);
  const nextSize = pieceSizes(random);
  let ending: Ending | undefined;
  for (let at = 0; at < bytes.length && ending === undefined;) {
    const space = reader.space();
    const size = Math.min(nextSize(), space.length, bytes.length - at);
    assert.ok(size > 0, "there is no space to read into");
    space.set(bytes.subarray(at, at + size));
    reader.filled(size);
    at += size;
    try {
      reader.run();
    } catch (error) {
      if (error instanceof LineTooLongError) ending = { kind: "closed" };
      else if (error instanceof ClientError) ending = { kind: "refused", error: textOf(error.encode()) };
      else throw error;
    }
    if (ending === undefined) reader.fit();
  }
  const truncation = reader.truncation();
  ending ??= {
    kind: "cut",
    error: truncation === null ? null : textOf(truncation.encode()),
    taken: bytes.length - reader.unread,
  };
  reader.close();
  assert.equal(pool.lentBytes, 0, "the reader kept a buffer");
  return ending;
}

function someIds(random: Random): string[] {
  const view = new DataView(new ArrayBuffer(16)), bytes = new Uint8Array(view.buffer);
  const seq = random.pick([0, 65_530, 2 ** 32 - 5, 2 ** 52 + 3]) + random.int(10);
  return Array.from({ length: 4 }, (_, i) => {
    writeId(view, 0, random.chance(0.95) ? NODE_ID : 6, seq + i);
    return textOf(bytes);
  });
}

/** Returns how the stream ended. */
function compare(stream: string, random: Random): Ending {
  const model = new ModelRecorder(), recorder = new Recorder();
  const expected = readCommands(stream, LIMITS, model);
  const ending = feed(latin1(stream), random, recorder);
  const at = model.events.findIndex((event, i) => event !== recorder.events[i]);
  if (at >= 0 || recorder.events.length !== model.events.length) {
    const i = at < 0 ? model.events.length : at;
    assert.fail(
      `call ${i} is ${excerpt(`${recorder.events[i]}`)}, should be ${excerpt(`${model.events[i]}`)}, ` +
        `of ${excerpt(stream, 4000)}`,
    );
  }
  assert.deepEqual(ending, expected, `the end of ${excerpt(stream, 4000)}`);
  return expected;
}

function batch(random: Random, rounds: number): Tally {
  const tally: Tally = { commands: 0, refused: 0, closed: 0, cut: 0 };
  while (tally.commands < rounds) {
    const source: CommandSource = {
      random,
      ...LIMITS,
      topics: ["orders", "t", "a-long.topic_name#ephemeral"],
      channels: ["c", "tmp#ephemeral"],
      ids: someIds(random),
      isSubscribed: true,
      mutationChance: random.pick([0, 0.005, 0.02, 0.3]),
      oddChance: random.pick([0, 0.01, 0.1]),
    };
    const first = random.chance(0.3) ? commandOf(random.pick(["IDENTIFY", "SUB"]), source) : "";
    const count = 1 + random.int(ROW);
    const ending = compare(first + commandRow(source, count), random);
    tally.commands += count;
    tally[ending.kind]++;
  }
  return tally;
}

export const commandReader: Target = {
  name: "command_reader",
  summary: "the parser of commands, beside a simple model of it",
  batchRounds: 20_000,
  shortRounds: 20_000,
  open: () => plainSession(batch),
};
