import assert from "node:assert/strict";
import { ClientError } from "../../src/protocol/errors.ts";
import {
  encodeIdentifyResponse,
  type IdentifyLimits,
  type IdentifyRequest,
  type IdentifySettings,
  initialIdentifySettings,
  negotiateIdentify,
  parseIdentify,
} from "../../src/protocol/identify.ts";

const LIMITS: IdentifyLimits = {
  maxHeartbeatIntervalMs: 60_000,
  maxOutputBufferSize: 65_536,
  minOutputBufferTimeoutMs: 25,
  maxOutputBufferTimeoutMs: 30_000,
  outputBufferTimeoutMs: 250,
  maxMsgTimeoutMs: 900_000,
  msgTimeoutMs: 60_000,
  maxRdyCount: 2_500,
  maxDeflateLevel: 6,
  deflateEnabled: true,
  snappyEnabled: true,
  tlsEnabled: true,
  authRequired: false,
  version: "1.3.0",
  topologyRegion: "",
  topologyZone: "",
};

const UNDECODABLE = "E_BAD_BODY IDENTIFY failed to decode JSON body";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function parse(json: string): IdentifyRequest {
  return parseIdentify(bytesOf(json));
}

function negotiate(json: string, limits: Partial<IdentifyLimits> = {}): IdentifySettings {
  const all = { ...LIMITS, ...limits };
  return negotiateIdentify(parse(json), all, initialIdentifySettings(all, "10.0.0.1"));
}

function respond(json: string, limits: Partial<IdentifyLimits> = {}): string {
  const settings = negotiate(json, limits);
  return new TextDecoder().decode(encodeIdentifyResponse(settings, { ...LIMITS, ...limits }));
}

/** Asserts that `action` throws a fatal error with exactly this text. */
function assertRefused(action: () => unknown, text: string, what: string): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof ClientError, `${what}: ${error}`);
    assert.equal(error.wireText, text, what);
    assert.equal(error.fatal, true);
    return true;
  }, what);
}

Deno.test("parseIdentify() reads every field", () => {
  const request = parse(`{
    "client_id": "id", "hostname": "host", "user_agent": "agent/1", "feature_negotiation": true,
    "heartbeat_interval": 1, "output_buffer_size": -2, "output_buffer_timeout": 3, "tls_v1": true,
    "snappy": true, "deflate": true, "deflate_level": 4, "sample_rate": 5, "msg_timeout": 6,
    "topology_region": "r", "topology_zone": "z", "short_id": "old", "long_id": [1, {"hostname": 2}]
  }`);
  assert.deepEqual(request, {
    clientId: "id",
    hostname: "host",
    userAgent: "agent/1",
    featureNegotiation: true,
    heartbeatIntervalMs: 1n,
    outputBufferSize: -2n,
    outputBufferTimeoutMs: 3n,
    tlsV1: true,
    snappy: true,
    deflate: true,
    deflateLevel: 4n,
    sampleRate: 5n,
    msgTimeoutMs: 6n,
    topologyRegion: "r",
    topologyZone: "z",
  });
});

Deno.test("parseIdentify() takes null as an object without fields", () => {
  assert.deepEqual(parse("null"), parse("{}"));
  assert.deepEqual(parse(" \n{ }\t\r "), parse("{}"));
  assert.deepEqual(parse(" null\n"), parse("{}"));
});

Deno.test("parseIdentify() matches keys in any letter case and decodes their escapes", () => {
  assert.equal(parse('{"CLIENT_ID":"a"}').clientId, "a");
  assert.equal(parse('{"Msg_TimeOut":7}').msgTimeoutMs, 7n);
  assert.equal(parse('{"\\u0063lient_id":"a"}').clientId, "a");
  assert.equal(parse('{"u\u017fer_agent":"a"}').userAgent, "a");
  assert.equal(parse('{"client-id":"a","clientid":"b","client_id ":"c"}').clientId, "");
  assert.equal(parse('{"__proto__":{"client_id":"a"}}').clientId, "");
});

Deno.test("parseIdentify() takes the last of duplicate keys that is not null", () => {
  assert.equal(parse('{"client_id":"a","client_id":"b"}').clientId, "b");
  assert.equal(parse('{"client_id":"a","CLIENT_ID":"b"}').clientId, "b");
  assert.equal(parse('{"client_id":"a","client_id":null}').clientId, "a");
  assert.equal(parse('{"msg_timeout":null}').msgTimeoutMs, 0n);
});

Deno.test("parseIdentify() checks the type of a duplicate that is overridden", () => {
  assertRefused(() => parse('{"client_id":1,"client_id":"b"}'), UNDECODABLE, "first of two");
});

Deno.test("parseIdentify() refuses what is not one JSON object", () => {
  const bodies = [
    "",
    " ",
    "[]",
    "[{}]",
    "1",
    "true",
    '"x"',
    "{",
    "{}}",
    "{} x",
    "{}{}",
    "{},",
    "nul",
    "{'a':1}",
  ];
  bodies.push(
    '{"a":1,}',
    '{"a" 1}',
    '{"a":01}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":"\n"}',
    "\ufeff{}",
    "{}\u00a0",
  );
  bodies.push('{"client_id":"a', '{"client_id":"a\\', '{"x":[}', "\0", "// c\n{}");
  for (const body of bodies) assertRefused(() => parse(body), UNDECODABLE, JSON.stringify(body));
});

Deno.test("parseIdentify() refuses a value of another type for every field", () => {
  const strings = ["client_id", "hostname", "user_agent", "topology_region", "topology_zone"];
  const booleans = ["feature_negotiation", "tls_v1", "snappy", "deflate"];
  const integers = ["heartbeat_interval", "output_buffer_size", "output_buffer_timeout", "deflate_level"];
  integers.push("sample_rate", "msg_timeout");
  const cases: [string[], string[]][] = [
    [strings, ["1", "true", "[]", "{}", '["a"]']],
    [booleans, ["1", "0", '"true"', "[]", "{}"]],
    [integers, ['"1"', "true", "[]", "{}", "1.0", "1000.5", "1e3", "1E3", "-1.0", "9223372036854775808"]],
    [integers, ["-9223372036854775809", "1" + "0".repeat(100_000)]],
  ];
  for (const [names, values] of cases) {
    for (const name of names) {
      for (const value of values) {
        const what = `${name} = ${value.slice(0, 30)}`;
        assertRefused(() => parse(`{"${name}":${value}}`), UNDECODABLE, what);
      }
    }
  }
});

Deno.test("parseIdentify() holds sample_rate to 32 bits and other integers to 64", () => {
  assert.equal(parse('{"sample_rate":2147483647}').sampleRate, 2_147_483_647n);
  assert.equal(parse('{"sample_rate":-2147483648}').sampleRate, -2_147_483_648n);
  assertRefused(() => parse('{"sample_rate":2147483648}'), UNDECODABLE, "2^31");
  assertRefused(() => parse('{"sample_rate":-2147483649}'), UNDECODABLE, "-2^31-1");
  assert.equal(parse('{"msg_timeout":9223372036854775807}').msgTimeoutMs, 9_223_372_036_854_775_807n);
  assert.equal(parse('{"msg_timeout":-9223372036854775808}').msgTimeoutMs, -9_223_372_036_854_775_808n);
  assert.equal(parse('{"msg_timeout":-0}').msgTimeoutMs, 0n);
});

Deno.test("parseIdentify() does not mistake what stands inside strings and nested values for members", () => {
  const request = parse(
    '{"x":"\\"},\\"client_id\\":\\"no\\"","y":{"client_id":"no","z":"]}"},"client_id":"yes"}',
  );
  assert.equal(request.clientId, "yes");
  assert.equal(parse('{"x":[1,[2,"]"],{}],"hostname":"h\\\\"}').hostname, "h\\");
  assert.equal(parse('{"x":1.5e300 , "y":-2 ,"hostname" : "h" }').hostname, "h");
});

Deno.test("parseIdentify() replaces each invalid byte and each half of a surrogate pair by U+FFFD", () => {
  const body = Uint8Array.of(...bytesOf('{"client_id":"a'), 0xe2, 0x82, 0xff, ...bytesOf('"}'));
  assert.equal(parseIdentify(body).clientId, "a\ufffd\ufffd\ufffd");
  assert.equal(parse('{"client_id":"\\ud800x\\ud83d\\ude00"}').clientId, "\ufffdx\u{1f600}");
  assertRefused(() => parseIdentify(Uint8Array.of(...bytesOf("{}"), 0xff)), UNDECODABLE, "byte after object");
});

Deno.test("parseIdentify() bears 10,000 levels of nesting and refuses more", () => {
  const nested = (levels: number) => `{"x":${"[".repeat(levels)}${"]".repeat(levels)},"client_id":"a"}`;
  assert.equal(parse(nested(9_999)).clientId, "a");
  assertRefused(() => parse(nested(10_000)), UNDECODABLE, "10,001 levels");
  assertRefused(() => parse("[".repeat(1_000_000)), UNDECODABLE, "a million open arrays");
  assertRefused(() => parse('{"a":'.repeat(1_000_000)), UNDECODABLE, "a million open objects");
  assert.equal(parse(`{"x":"${"[".repeat(20_000)}","client_id":"a"}`).clientId, "a");
});

Deno.test("negotiateIdentify() accepts each bound and refuses the values beyond it", () => {
  const table: [key: string, field: keyof IdentifySettings, words: string, good: number[], bad: number[]][] =
    [
      ["heartbeat_interval", "heartbeatIntervalMs", "heartbeat interval", [1000, 60_000], [
        -2,
        1,
        999,
        60_001,
      ]],
      ["output_buffer_timeout", "outputBufferTimeoutMs", "output buffer timeout", [25, 30_000], [
        -2,
        1,
        24,
        30_001,
      ]],
      ["output_buffer_size", "outputBufferSize", "output buffer size", [64, 65_536], [-2, 1, 63, 65_537]],
      ["sample_rate", "sampleRate", "sample rate", [0, 1, 99], [-1, 100, 2_147_483_647]],
      ["msg_timeout", "msgTimeoutMs", "msg timeout", [1000, 900_000], [-1, 1, 999, 900_001]],
    ];
  for (const [key, field, words, good, bad] of table) {
    for (const value of good) assert.equal(negotiate(`{"${key}":${value}}`)[field], value, key);
    for (const value of bad) {
      const text = `E_BAD_BODY IDENTIFY ${words} (${value}) is invalid`;
      assertRefused(() => negotiate(`{"${key}":${value}}`), text, `${key} ${value}`);
    }
    if (key === "sample_rate") continue;
    const text = `E_BAD_BODY IDENTIFY ${words} (9223372036854775807) is invalid`;
    assertRefused(() => negotiate(`{"${key}":9223372036854775807}`), text, `${key} of 2^63-1`);
  }
});

Deno.test("negotiateIdentify() reports the first bad field in the order of nsqd", () => {
  const fields = [
    ["heartbeat_interval", "heartbeat interval"],
    ["output_buffer_timeout", "output buffer timeout"],
    ["output_buffer_size", "output buffer size"],
    ["sample_rate", "sample rate"],
    ["msg_timeout", "msg timeout"],
  ];
  for (let first = 0; first < fields.length; first++) {
    const members = fields.slice(first).reverse().map(([key]) => `"${key}":-5`);
    const text = `E_BAD_BODY IDENTIFY ${fields[first][1]} (-5) is invalid`;
    assertRefused(() => negotiate(`{${members.join(",")}}`), text, fields[first][0]);
  }
});

Deno.test("negotiateIdentify() keeps the defaults for what is absent, zero or null", () => {
  const defaults: IdentifySettings = {
    clientId: "",
    hostname: "",
    userAgent: "",
    featureNegotiation: false,
    heartbeatIntervalMs: 30_000,
    outputBufferSize: 16_384,
    outputBufferTimeoutMs: 250,
    sampleRate: 0,
    msgTimeoutMs: 60_000,
    tlsV1: false,
    deflate: false,
    deflateLevel: 6,
    snappy: false,
    topologyRegion: "",
    topologyZone: "",
  };
  assert.deepEqual(negotiate("{}"), defaults);
  const keys = [
    "heartbeat_interval",
    "output_buffer_size",
    "output_buffer_timeout",
    "msg_timeout",
    "deflate_level",
  ];
  for (const value of [0, null]) {
    assert.deepEqual(negotiate(`{${keys.map((key) => `"${key}":${value}`).join(",")}}`), defaults);
  }
});

Deno.test("negotiateIdentify() turns -1 into no heartbeats, no timed flush and no buffer", () => {
  assert.equal(negotiate('{"heartbeat_interval":-1}').heartbeatIntervalMs, 0);
  assert.equal(negotiate('{"output_buffer_timeout":-1}').outputBufferTimeoutMs, 0);
  assert.equal(negotiate('{"output_buffer_timeout":-1}').outputBufferSize, 16_384);
  const unbuffered = negotiate('{"output_buffer_size":-1,"output_buffer_timeout":1000}');
  assert.equal(unbuffered.outputBufferSize, 1);
  assert.equal(unbuffered.outputBufferTimeoutMs, 0);
});

Deno.test("negotiateIdentify() does not hold the server's own msg timeout to the bounds", () => {
  assert.equal(negotiate("{}", { msgTimeoutMs: 1_000_000 }).msgTimeoutMs, 1_000_000);
  assert.equal(negotiate("{}", { msgTimeoutMs: 1 }).msgTimeoutMs, 1);
});

Deno.test("initialIdentifySettings() names the client by its address, and IDENTIFY overwrites the names", () => {
  const initial = initialIdentifySettings(LIMITS, "10.0.0.1");
  assert.equal(initial.clientId, "10.0.0.1");
  assert.equal(initial.hostname, "10.0.0.1");
  const settings = negotiateIdentify(parse('{"hostname":"h"}'), LIMITS, initial);
  assert.equal(settings.clientId, "");
  assert.equal(settings.hostname, "h");
});

Deno.test("negotiateIdentify() of a second IDENTIFY keeps what the first one settled", () => {
  const first = negotiate(
    '{"heartbeat_interval":2000,"output_buffer_size":128,"output_buffer_timeout":50,"msg_timeout":5000,' +
      '"sample_rate":10,"topology_zone":"z"}',
  );
  const second = negotiateIdentify(parse("{}"), LIMITS, first);
  assert.equal(second.heartbeatIntervalMs, 2000);
  assert.equal(second.outputBufferSize, 128);
  assert.equal(second.outputBufferTimeoutMs, 50);
  assert.equal(second.msgTimeoutMs, 5000);
  assert.equal(second.sampleRate, 0);
  assert.equal(second.topologyZone, "");
});

Deno.test("negotiateIdentify() upgrades only what is asked, offered and negotiated", () => {
  const table: [key: string, field: "tlsV1" | "deflate" | "snappy", off: Partial<IdentifyLimits>][] = [
    ["tls_v1", "tlsV1", { tlsEnabled: false }],
    ["deflate", "deflate", { deflateEnabled: false }],
    ["snappy", "snappy", { snappyEnabled: false }],
  ];
  for (const [key, field, off] of table) {
    assert.equal(negotiate(`{"feature_negotiation":true,"${key}":true}`)[field], true, key);
    assert.equal(negotiate(`{"feature_negotiation":true,"${key}":true}`, off)[field], false, key);
    assert.equal(negotiate(`{"feature_negotiation":true}`)[field], false, key);
    assert.equal(negotiate(`{"${key}":true}`)[field], false, key);
  }
});

Deno.test("negotiateIdentify() refuses both compressions only when both would take effect", () => {
  const both = '{"feature_negotiation":true,"snappy":true,"deflate":true}';
  const text = "E_IDENTIFY_FAILED cannot enable both deflate and snappy compression";
  assertRefused(() => negotiate(both), text, "both");
  assert.equal(negotiate(both, { snappyEnabled: false }).deflate, true);
  assert.equal(negotiate(both, { deflateEnabled: false }).snappy, true);
  assert.equal(negotiate('{"snappy":true,"deflate":true}').deflate, false);
});

Deno.test("negotiateIdentify() lowers the deflate level to the limit and takes 6 for none", () => {
  const level = (fields: string, maxDeflateLevel: number) =>
    negotiate(`{"feature_negotiation":true,${fields}}`, { maxDeflateLevel }).deflateLevel;
  assert.equal(level('"deflate":true,"deflate_level":1', 6), 1);
  assert.equal(level('"deflate":true,"deflate_level":9', 6), 6);
  assert.equal(level('"deflate":true,"deflate_level":9', 9), 9);
  assert.equal(level('"deflate":true,"deflate_level":9223372036854775807', 9), 9);
  assert.equal(level('"deflate":true,"deflate_level":0', 9), 6);
  assert.equal(level('"deflate":true,"deflate_level":-1', 9), 6);
  assert.equal(level('"deflate":true,"deflate_level":-7', 3), 3);
  assert.equal(level('"deflate":true', 3), 3);
  assert.equal(level('"deflate":false,"deflate_level":2', 9), 6);
  assert.equal(level('"deflate":false,"deflate_level":2', 4), 4);
});

Deno.test("negotiateIdentify() counts a bound with a fraction of a millisecond as whole", () => {
  const limits = { minOutputBufferTimeoutMs: 1.5, maxMsgTimeoutMs: 1500.9 };
  assert.equal(negotiate('{"output_buffer_timeout":1}', limits).outputBufferTimeoutMs, 1);
  assert.equal(negotiate('{"msg_timeout":1500}', limits).msgTimeoutMs, 1500);
});

Deno.test("encodeIdentifyResponse() is OK without feature negotiation", () => {
  assert.equal(respond("{}"), "OK");
  assert.equal(respond("null"), "OK");
  assert.equal(respond('{"feature_negotiation":false,"tls_v1":true,"snappy":true,"deflate":true}'), "OK");
});

Deno.test("encodeIdentifyResponse() is byte for byte what nsqd answers", () => {
  assert.equal(
    respond('{"feature_negotiation":true}'),
    '{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":60000,"tls_v1":false,' +
      '"deflate":false,"deflate_level":6,"max_deflate_level":6,"snappy":false,"sample_rate":0,' +
      '"auth_required":false,"output_buffer_size":16384,"output_buffer_timeout":250,"topology_region":"",' +
      '"topology_zone":""}',
  );
});

Deno.test("encodeIdentifyResponse() tells the client's settings and the server's topology", () => {
  const json = '{"feature_negotiation":true,"tls_v1":true,"deflate":true,"deflate_level":3,"sample_rate":5,' +
    '"msg_timeout":2000,"output_buffer_size":-1,"topology_region":"mine","topology_zone":"mine"}';
  const limits = { authRequired: true, topologyRegion: "eu <1> & é", topologyZone: "z\u2028" };
  assert.equal(
    respond(json, limits),
    '{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":2000,"tls_v1":true,' +
      '"deflate":true,"deflate_level":3,"max_deflate_level":6,"snappy":false,"sample_rate":5,' +
      '"auth_required":true,"output_buffer_size":1,"output_buffer_timeout":0,' +
      '"topology_region":"eu \\u003c1\\u003e \\u0026 é","topology_zone":"z\\u2028"}',
  );
});
