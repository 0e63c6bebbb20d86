import assert from "node:assert/strict";
import { OptionError } from "../../../src/client/errors.ts";
import {
  CONNECTION_NUMBERS,
  CONSUMER_NUMBERS,
  PRODUCER_NUMBERS,
} from "../../../src/client/options/number_ranges.ts";
import {
  checkName,
  type ConnectionOptions,
  type ConsumerOptions,
  resolveConnecting,
  resolveConsuming,
  resolveProducing,
  splitAddress,
} from "../../../src/client/options/options.ts";
import { CLIENT_VERSION } from "../../../src/client/version.ts";
import config from "../../../deno.json" with { type: "json" };

const NSQD = { nsqd: "127.0.0.1:4150" };

function refused(act: () => unknown, text: RegExp): void {
  assert.throws(act, (error: Error) => error instanceof OptionError && text.test(error.message));
}

Deno.test("Options that are numbers have their defaults, and each refuses what lies outside its range", () => {
  const all = { ...CONNECTION_NUMBERS, ...CONSUMER_NUMBERS, ...PRODUCER_NUMBERS };
  const defaults: Record<string, unknown> = { ...resolveProducing(NSQD), ...resolveConsuming(NSQD) };
  for (const [name, [preset, min, max]] of Object.entries(all)) {
    assert.equal(defaults[name], preset, name);
    const resolve = name in PRODUCER_NUMBERS ? resolveProducing : resolveConsuming;
    for (const value of [min - 1, max + 1]) {
      refused(
        () => resolve({ ...NSQD, [name]: value }),
        new RegExp(`^${name} is ${value}, must be ${min} to ${max}$`),
      );
    }
    refused(() => resolve({ ...NSQD, [name]: "7" }), new RegExp(`^${name} is 7, must be a number$`));
  }
});

Deno.test("Options that exclude or need each other are refused together", () => {
  const cases: [ConnectionOptions, RegExp][] = [
    [{}, /nsqd or lookupd must name at least one address/],
    [{ ...NSQD, deflate: true, snappy: true }, /deflate and snappy exclude each other/],
    [
      { ...NSQD, heartbeatIntervalMs: 5000, readTimeoutMs: 4000 },
      /heartbeatIntervalMs 5000 must be at most readTimeoutMs 4000/,
    ],
    [{ nsqd: "localhost" }, /"localhost" is not of the form host:port/],
    [{ nsqd: ["a:1", "b:99999"] }, /"b:99999" is not/],
    [{ lookupd: "http://" }, /"http:\/\/" is no URL/],
  ];
  for (const [options, text] of cases) refused(() => resolveConnecting(options), text);
  refused(() => resolveConsuming({ ...NSQD, touch: "never" as "auto" }), /touch is "never"/);
  refused(
    () => resolveConsuming({ ...NSQD, backoffStrategy: "x" as "full_jitter" }),
    /backoffStrategy is "x"/,
  );
  const low: ConsumerOptions = { ...NSQD, lowRdyTimeoutMs: 10 };
  refused(() => resolveConsuming(low), /lowRdyTimeoutMs is 10, must be 1000 to 300000/);
});

Deno.test("checkName() accepts names of topics and channels, and names what is wrong", () => {
  checkName("topic", "orders.v1_x-y#ephemeral");
  refused(() => checkName("channel", "bad!"), /channel name "bad!" is not valid/);
});

Deno.test("splitAddress() takes names, IPv4 and IPv6 in brackets", () => {
  assert.deepEqual(splitAddress("nsqd", "node.example:4150"), { host: "node.example", port: 4150 });
  assert.deepEqual(splitAddress("nsqd", "[::1]:4150"), { host: "::1", port: 4150 });
  refused(() => splitAddress("nsqd", "::1:4150"), /not of the form/);
});

Deno.test("CLIENT_VERSION is the version of the package", () => {
  assert.equal(CLIENT_VERSION, config.version);
});
