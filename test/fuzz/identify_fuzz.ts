/**
 * The JSON of IDENTIFY. Sound bodies are made field by field, so what comes out of each is known; spoilt ones are
 * read or refused, and never anything else.
 */
import assert from "node:assert/strict";
import { ClientError } from "../../src/protocol/errors.ts";
import {
  encodeIdentifyResponse,
  type IdentifyLimits,
  type IdentifyRequest,
  initialIdentifySettings,
  negotiateIdentify,
  parseIdentify,
} from "../../src/protocol/identify.ts";
import type { Random } from "../support/random.ts";
import { latin1, mutate } from "./bytes.ts";
import { excerpt, plainSession, type Tally, type Target } from "./target.ts";

const LIMITS: IdentifyLimits = {
  maxHeartbeatIntervalMs: 60_000,
  maxOutputBufferSize: 65_536,
  minOutputBufferTimeoutMs: 25,
  maxOutputBufferTimeoutMs: 30_000,
  outputBufferTimeoutMs: 250,
  maxMsgTimeoutMs: 900_000,
  msgTimeoutMs: 60_000,
  maxRdyCount: 2500,
  maxDeflateLevel: 6,
  deflateEnabled: true,
  snappyEnabled: true,
  tlsEnabled: false,
  authRequired: false,
  version: "1.3.0",
  topologyRegion: "r",
  topologyZone: "z",
};

type Property = keyof IdentifyRequest;

const STRINGS: Record<string, Property> = {
  client_id: "clientId",
  hostname: "hostname",
  user_agent: "userAgent",
  topology_region: "topologyRegion",
  topology_zone: "topologyZone",
};
const BOOLS: Record<string, Property> = {
  feature_negotiation: "featureNegotiation",
  tls_v1: "tlsV1",
  snappy: "snappy",
  deflate: "deflate",
};
const INTEGERS: Record<string, Property> = {
  heartbeat_interval: "heartbeatIntervalMs",
  output_buffer_size: "outputBufferSize",
  output_buffer_timeout: "outputBufferTimeoutMs",
  deflate_level: "deflateLevel",
  sample_rate: "sampleRate",
  msg_timeout: "msgTimeoutMs",
};
const KEYS = [
  ...Object.keys(STRINGS),
  ...Object.keys(BOOLS),
  ...Object.keys(INTEGERS),
  "short_id",
  "",
  "a\u0000b",
];
const TEXTS = ["", "client", 'quo"te', "\\", "\u00e9\u4e2d\u{1f600}", "\n\t\u0000", "<&>"];
const NUMBERS = [
  "0",
  "-1",
  "1",
  "1000",
  "30000",
  "64",
  "99",
  "100",
  "-0",
  "9223372036854775807",
  "-9223372036854775808",
];
/** Values that fit no field but an unknown one, and integers that are none. */
const MISFITS = [
  "1.5",
  "1e3",
  "9223372036854775808",
  "[]",
  "{}",
  '{"a":[1,{"b":null}]}',
  '"1"',
  "true",
  "7",
  "[[[]]]",
];

/** What a value is to the field `key`: undefined when it does not fit. */
function readField(key: string, source: string): string | boolean | bigint | undefined {
  if (key in STRINGS) return source.startsWith('"') ? JSON.parse(source) : undefined;
  if (key in BOOLS) return source === "true" || source === "false" ? source === "true" : undefined;
  if (!/^-?\d+$/.test(source)) return undefined;
  const value = BigInt(source), bits = key === "sample_rate" ? 32 : 64;
  return BigInt.asIntN(bits, value) === value ? value : undefined;
}

function valueFor(random: Random, key: string): string {
  if (random.chance(0.05)) return random.pick(MISFITS);
  if (random.chance(0.05)) return "null";
  if (key in STRINGS) return JSON.stringify(random.pick(TEXTS));
  if (key in BOOLS) return random.pick(["true", "false"]);
  if (key in INTEGERS) {
    return random.chance(0.5) ? random.pick(NUMBERS) : String(random.between(-10, 100_000));
  }
  return random.pick(MISFITS);
}

function spelled(random: Random, key: string): string {
  if (random.chance(0.8)) return JSON.stringify(key);
  return JSON.stringify(
    random.chance(0.5) ? key.toUpperCase() : key.replace(/_(.)/g, (text) => text.toUpperCase()),
  );
}

interface Body {
  text: string;
  /** What is read from it; null when it is refused. */
  expected: Map<Property, string | boolean | bigint> | null;
}

function soundBody(random: Random): Body {
  const space = () => random.chance(0.1) ? random.pick([" ", "\n", "\t\r ", "  "]) : "";
  let expected: Body["expected"] = new Map();
  const members = Array.from({ length: random.int(9) }, () => {
    const key = random.pick(KEYS), source = valueFor(random, key);
    const property = STRINGS[key] ?? BOOLS[key] ?? INTEGERS[key];
    if (property !== undefined && source !== "null") {
      const value = readField(key, source);
      if (value === undefined) expected = null;
      else expected?.set(property, value);
    }
    return `${space()}${spelled(random, key)}${space()}:${space()}${source}${space()}`;
  });
  return { text: `${space()}{${members.join(",")}${space()}}${space()}`, expected };
}

/** Reads and settles a body; null when it was refused in the protocol's own words. */
function settle(text: string, isLatin1: boolean): IdentifyRequest | null {
  const body = isLatin1 ? latin1(text) : new TextEncoder().encode(text);
  let request: IdentifyRequest;
  try {
    request = parseIdentify(body);
  } catch (error) {
    if (error instanceof ClientError && error.message === "E_BAD_BODY IDENTIFY failed to decode JSON body") {
      return null;
    }
    throw error;
  }
  try {
    checkSettings(request);
  } catch (error) {
    if (
      error instanceof ClientError &&
      /^E_(BAD_BODY IDENTIFY .* is invalid|IDENTIFY_FAILED .*)$/s.test(error.message)
    ) {
      return request;
    }
    throw error;
  }
  return request;
}

function checkSettings(request: IdentifyRequest): void {
  const settings = negotiateIdentify(request, LIMITS, initialIdentifySettings(LIMITS, "10.0.0.1"));
  const { heartbeatIntervalMs, outputBufferSize, outputBufferTimeoutMs, sampleRate, msgTimeoutMs } = settings;
  assert.ok(heartbeatIntervalMs === 0 || (heartbeatIntervalMs >= 1000 && heartbeatIntervalMs <= 60_000));
  assert.ok(outputBufferSize === 1 || (outputBufferSize >= 64 && outputBufferSize <= 65_536));
  assert.ok(outputBufferTimeoutMs === 0 || (outputBufferTimeoutMs >= 25 && outputBufferTimeoutMs <= 30_000));
  assert.ok(sampleRate >= 0 && sampleRate <= 99 && msgTimeoutMs >= 1000 && msgTimeoutMs <= 900_000);
  assert.ok(
    settings.deflateLevel >= 1 && settings.deflateLevel <= 6 && !(settings.deflate && settings.snappy),
  );
  const answer = new TextDecoder().decode(encodeIdentifyResponse(settings, LIMITS));
  if (settings.featureNegotiation) assert.equal(Object.keys(JSON.parse(answer)).length, 15);
  else assert.equal(answer, "OK");
}

/** Whether JSON as such would take it, as an object or null. */
function isPossible(text: string): boolean {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value);
  } catch {
    return false;
  }
}

function batch(random: Random, rounds: number): Tally {
  const tally: Tally = { bodies: 0, refused: 0, spoilt: 0 };
  for (; tally.bodies < rounds; tally.bodies++) {
    const { text, expected } = soundBody(random);
    const request = settle(text, false);
    if (request === null) tally.refused++;
    assert.equal(request === null, expected === null, `refused: ${request === null}: ${excerpt(text, 2000)}`);
    for (const [property, value] of expected ?? []) {
      assert.equal(request![property], value, `${property} of ${excerpt(text, 2000)}`);
    }
    const spoilt = mutate(random, text);
    tally.spoilt++;
    const isRead = settle(spoilt, true) !== null;
    // Bytes that are no UTF-8 are replaced, which changes no syntax.
    assert.ok(!isRead || isPossible(spoilt), `taken: ${excerpt(spoilt, 2000)}`);
  }
  return tally;
}

export const identify: Target = {
  name: "identify",
  summary: "the reading of IDENTIFY",
  batchRounds: 10_000,
  shortRounds: 10_000,
  open: () => plainSession(batch),
};
