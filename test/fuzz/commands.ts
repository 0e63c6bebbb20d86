/** Random commands: most of them right, some spoilt, some nearly right. */
import type { Random } from "../support/random.ts";
import { anyBody, int32, mutate } from "./bytes.ts";
import { FOREIGN_ID } from "./connection_model.ts";

/** What the commands of one client are made of. */
export interface CommandSource {
  random: Random;
  maxMsgSize: number;
  maxBodySize: number;
  topics: readonly string[];
  channels: readonly string[];
  /** Ids to answer for; 16 characters each. */
  ids: string[];
  /** FIN and the like, which are refused before SUB, are sent too. */
  isSubscribed: boolean;
  /** How often a command is spoilt. */
  mutationChance: number;
  /** How often a part of a command is an odd one, which often ends the connection. */
  oddChance: number;
}

const ODD_NUMBERS = [
  "",
  "0",
  "1",
  "007",
  "2500",
  "2501",
  "-1",
  "+1",
  "1.5",
  "x",
  "3600000",
  "3600001",
  "9223372036855",
  "18446744073709551617",
  "9999999999999999999999999999",
];
const ODD_NAMES = [
  "",
  "b$d",
  "#ephemeral",
  "t#eph",
  "x".repeat(64),
  "x".repeat(65),
  "\xff\x00",
  "t\r",
  "a/b",
];
const WORDS = ["", "nop", "FINN", "FI", "GET", "IDENTIF", "\r", "\xc3\xa9"];

function number({ random, oddChance }: CommandSource, max: number): string {
  return random.chance(oddChance) ? random.pick(ODD_NUMBERS) : String(random.int(max + 1));
}

function name({ random, oddChance }: CommandSource, names: readonly string[]): string {
  return random.chance(oddChance) ? random.pick(ODD_NAMES) : random.pick(names);
}

function lineEnd(random: Random): string {
  return random.chance(0.05) ? " extra parameters here\n" : random.chance(0.1) ? "\r\n" : "\n";
}

function message({ random, maxMsgSize }: CommandSource): string {
  const length = random.chance(0.9) ? 1 + random.int(24) : 1 + random.int(maxMsgSize);
  return random.chance(0.7) ? "m".repeat(length) : anyBody(random, length);
}

/** A size that is nearly always right. */
function sizeOf({ random, oddChance }: CommandSource, byteCount: number): string {
  return int32(random.chance(oddChance / 3) ? byteCount + random.between(-3, 3) : byteCount);
}

function id({ random, ids, oddChance }: CommandSource): string {
  if (random.chance(oddChance)) return "short";
  if (ids.length === 0 || random.chance(0.02)) return FOREIGN_ID;
  return random.pick(ids);
}

const IDENTIFY_BODIES = [
  "{}",
  "null",
  '{"client_id":"fuzz","hostname":"h","user_agent":"a/1"}',
  '{"feature_negotiation":true}',
  '{"heartbeat_interval":-1}',
  '{"msg_timeout":5000,"HeartBeat_Interval":60000}',
  '{"sample_rate":0,"output_buffer_size":-1}',
  '{"heartbeat_interval":999}',
  '{"output_buffer_size":1}',
  '{"sample_rate":100}',
  '{"msg_timeout":1}',
  "[]",
  "{",
  '{"a":1}x',
];

/** What a command is chosen from: the more often it stands here, the more often it comes. */
const PUBLISHING = [...Array(20).fill("PUB"), ...Array(6).fill("MPUB"), ...Array(3).fill("DPUB")];
const ALWAYS = [...PUBLISHING, ...Array(10).fill("NOP")];
const SUBSCRIBED = [
  ...ALWAYS,
  ...Array(20).fill("FIN"),
  ...Array(6).fill("REQ"),
  ...Array(4).fill("TOUCH"),
  ...Array(8).fill("RDY"),
];
const ODD = ["CLS", "AUTH", "SUB", "IDENTIFY", "FIN", "RDY"];

/** One command of the given kind, whole. */
export function commandOf(kind: string, source: CommandSource): string {
  const { random } = source, end = lineEnd(random);
  switch (kind) {
    case "PUB":
    case "DPUB": {
      const body = message(source), delay = kind === "DPUB" ? ` ${number(source, 50)}` : "";
      return `${kind} ${name(source, source.topics)}${delay}${end}${sizeOf(source, body.length)}${body}`;
    }
    case "MPUB": {
      const bodies = Array.from({ length: 1 + random.int(5) }, () => message(source));
      const sized = bodies.map((body) => sizeOf(source, body.length) + body).join("");
      const count = sizeOf(source, bodies.length);
      // The size of the whole is not binding.
      const size = random.chance(0.1) ? 1 + random.int(source.maxBodySize) : sized.length + 4;
      return `MPUB ${name(source, source.topics)}${end}${
        int32(Math.min(size, source.maxBodySize))
      }${count}${sized}`;
    }
    case "IDENTIFY": {
      const body = random.pick(IDENTIFY_BODIES);
      return `IDENTIFY${end}${sizeOf(source, body.length)}${body}`;
    }
    case "AUTH":
      return `AUTH\n${sizeOf(source, 6)}secret`;
    case "SUB":
      return `SUB ${name(source, source.topics)} ${name(source, source.channels)}${end}`;
    case "RDY":
      return random.chance(0.05) ? "RDY\n" : `RDY ${number(source, 200)}${end}`;
    case "REQ":
      return `REQ ${id(source)} ${number(source, 60)}${end}`;
    case "FIN":
    case "TOUCH":
      return `${kind} ${id(source)}${end}`;
    default:
      return `${kind}${end}`;
  }
}

/** `count` commands in a row. */
export function commandRow(source: CommandSource, count: number): string {
  const { random } = source;
  let row = "";
  for (let i = 0; i < count; i++) {
    const kinds = random.chance(source.oddChance) ? ODD : source.isSubscribed ? SUBSCRIBED : ALWAYS;
    let command = commandOf(random.pick(kinds), source);
    if (random.chance(source.mutationChance)) command = mutate(random, command);
    else if (random.chance(source.mutationChance / 8)) command = `${random.pick(WORDS)}\n`;
    else if (random.chance(source.mutationChance / 50)) {
      command = `NOP ${"x".repeat(16_370 + random.int(20))}\n`;
    }
    row += command;
  }
  return row;
}
