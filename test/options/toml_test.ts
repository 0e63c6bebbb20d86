import assert from "node:assert/strict";
import { join } from "node:path";
import { nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import type { Option, OptionTable, OptionValue } from "../../src/options/option.ts";
import { coerce, ConfigError, readConfigFile } from "../../src/options/toml.ts";

const options: Record<string, Option> = {
  bool: { name: "o", group: "G", kind: "bool", default: false, help: "" },
  int: { name: "o", group: "G", kind: "int", default: 0, help: "" },
  bytes: { name: "o", group: "G", kind: "bytes", default: 0, help: "" },
  duration: { name: "o", group: "G", kind: "duration", default: 0, help: "" },
  string: { name: "o", group: "G", kind: "string", default: "", help: "" },
  boolOrWord: { name: "o", group: "G", kind: "bool or word", word: "half", default: false, help: "" },
  enum: { name: "o", group: "G", kind: "enum", values: ["low", "high"], default: "low", help: "" },
  strings: { name: "o", group: "G", kind: "string list", default: [], help: "" },
  floats: { name: "o", group: "G", kind: "float list", default: [], help: "" },
};

/** Writes `text` into a file of its own and calls `read` with its path. */
function withFile<T>(text: string, read: (path: string) => T): T {
  const folder = Deno.makeTempDirSync();
  try {
    const path = join(folder, "nsqd.toml");
    Deno.writeTextFileSync(path, text);
    return read(path);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function readText(text: string, table: OptionTable = nsqdOptions) {
  return withFile(text, (path) => {
    const { values, problems, warnings } = readConfigFile(table, path);
    const named = Object.fromEntries([...values].map(([option, value]) => [option.name, value]));
    const masked = (texts: string[]) => texts.map((text) => text.replace(path, "FILE"));
    return { values: named, problems: masked(problems), warnings: masked(warnings) };
  });
}

function configError(text: string): string {
  return withFile(text, (path) => {
    try {
      readConfigFile(nsqdOptions, path);
    } catch (cause) {
      assert.ok(cause instanceof ConfigError);
      return cause.message.replace(path, "FILE");
    }
    assert.fail(`no error for ${text}`);
  });
}

Deno.test("coerce() accepts for each kind what other implementations accept without guessing", () => {
  const table: [string, unknown, OptionValue][] = [
    ["bool", true, true],
    ["bool", "F", false],
    ["boolOrWord", true, true],
    ["boolOrWord", "FALSE", false],
    ["boolOrWord", "Half", "half"],
    ["int", 5n, 5],
    ["int", -5n, -5],
    ["int", "2500", 2500],
    ["bytes", 1024n, 1024],
    ["bytes", "64MiB", 67_108_864],
    ["duration", "1m30s", 90_000],
    ["duration", 1500n, 1500],
    ["string", "", ""],
    ["string", "text", "text"],
    ["enum", "HIGH", "high"],
    ["strings", ["a:1", "b:1"], ["a:1", "b:1"]],
    ["strings", [], []],
    ["strings", "a:1, b:1", ["a:1", "b:1"]],
    ["strings", "", []],
    ["floats", [1, 0.5], [1, 0.5]],
    ["floats", [1n, 0.5], [1, 0.5]],
    ["floats", "1.0, 0.5", [1, 0.5]],
    ["floats", "", []],
  ];
  for (const [kind, raw, value] of table) {
    assert.deepEqual(coerce(options[kind], raw), value, `${kind} ${raw}`);
  }
});

Deno.test("coerce() refuses what other implementations misread, such as an integer for a bool", () => {
  const table: [string, unknown, RegExp][] = [
    ["bool", 0n, /^a bool is written true or false$/],
    ["bool", 1n, /^a bool is written true or false$/],
    ["bool", "yes", /^use true or false$/],
    ["boolOrWord", 1n, /^use true, false or "half"$/],
    ["boolOrWord", "x", /^use true, false or half$/],
    ["int", 1.5, /^use a whole number$/],
    ["int", 1, /^use a whole number$/],
    ["int", true, /^use a whole number$/],
    ["int", 2n ** 63n, /^value out of range$/],
    ["bytes", 1.5, /^use a whole number of bytes/],
    ["duration", "90", /^90 has no unit/],
    ["duration", 1.5, /whole number of milliseconds$/],
    ["string", 5n, /^use a string$/],
    ["enum", 3n, /^use one of "low", "high"$/],
    ["enum", "warning", /^use one of low, high$/],
    ["strings", 5n, /^use an array of strings/],
    ["strings", ["a:1", 5n], /^use an array of strings/],
    ["floats", 0.5, /^use an array of numbers/],
    ["floats", ["0.5"], /^use an array of numbers/],
  ];
  for (const [kind, raw, message] of table) {
    assert.throws(() => coerce(options[kind], raw), { name: "SyntaxError", message }, `${kind} ${raw}`);
  }
});

Deno.test("readConfigFile() takes keys with underscores, and those with a name of their own", () => {
  const { values, warnings } = readText(`
    # comment
    id = 7
    msg_timeout = "90s"
    sync_timeout = 500
    max_msg_size = "2MiB"
    durability = "disk"
    nsqlookupd_tcp_addresses = ["a:4160", "b:4160"]
  `);
  assert.deepEqual(warnings, []);
  assert.deepEqual(values, {
    "node-id": 7,
    "msg-timeout": 90_000,
    "sync-timeout": 500,
    "max-msg-size": 2_097_152,
    durability: "disk",
    "lookupd-tcp-address": ["a:4160", "b:4160"],
  });
});

Deno.test("readConfigFile() warns of unknown keys with the one that may be meant", () => {
  const { values, warnings } = readText(`
    node_id = 7
    mem-queue-size = 5
    lookupd_tcp_address = "a:1"
    msg_timout = "1s"
    verbose = true
    squeeze = true
    "a\\nb" = 1
    [some_table]
    id = 8
  `);
  assert.deepEqual(values, {});
  assert.deepEqual(warnings, [
    "config file FILE - line 2: node_id is an unknown key, ignored; did you mean id?",
    "config file FILE - line 3: mem-queue-size is an unknown key, ignored; did you mean mem_queue_size?",
    "config file FILE - line 4: lookupd_tcp_address is an unknown key, ignored; " +
    "did you mean nsqlookupd_tcp_addresses?",
    "config file FILE - line 5: msg_timout is an unknown key, ignored; did you mean msg_timeout?",
    "config file FILE - line 6: verbose is only a flag, ignored",
    "config file FILE - line 7: squeeze is an unknown key, ignored",
    'config file FILE - "a\\nb" is an unknown key, ignored',
    "config file FILE - line 9: some_table is an unknown key, ignored",
  ]);
});

Deno.test("readConfigFile() names file and line of what is no TOML", () => {
  const table: [string, RegExp][] = [
    [
      "id = 1\nmsg_timeout = \n",
      /^config file FILE - line 2, column \d+: invalid value, in "msg_timeout ="$/,
    ],
    ["id = 1\nid = 2\n", /^config file FILE - line 2, column 1: [^,]+, in "id = 2"$/],
  ];
  for (const [text, message] of table) assert.match(configError(text), message);
});

Deno.test("readConfigFile() names file, line, key and value of each that it refuses", () => {
  const { values, problems } = readText(`
    msg_timeout = "90"
    id = 1.5
    mem_queue_size = 5
    log_level = 3
    data_path = 1979-05-27
    nsqlookupd_tcp_addresses = [
      1,
      'a'
    ]
    statsd_prefix = """
    snappy = 7
    """
    snappy = 0
    [auth_http_addresses]
    deflate = 1
  `);
  assert.deepEqual(values, { "mem-queue-size": 5, "statsd-prefix": "    snappy = 7\n    " });
  assert.deepEqual(problems, [
    'config file FILE - line 2: msg_timeout = "90": 90 has no unit, write for example 90s or 90ms',
    "config file FILE - line 3: id = 1.5: use a whole number",
    'config file FILE - line 5: log_level = 3: use one of "debug", "info", "warn", "error", "fatal"',
    "config file FILE - line 6: data_path = 1979-05-27: use a string",
    'config file FILE - line 7: nsqlookupd_tcp_addresses = [1, "a"]: ' +
    'use an array of strings, such as ["a:4160", "b:4160"]',
    "config file FILE - line 14: snappy = 0: a bool is written true or false",
    "config file FILE - line 15: auth_http_addresses = a table: " +
    'use an array of strings, such as ["a:4160", "b:4160"]',
  ]);
});

Deno.test("readConfigFile() names a file that cannot be read", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = join(folder, "missing.toml");
    const missing = {
      name: "ConfigError",
      message: `config file ${path} - there is no such file`,
    };
    assert.throws(() => readConfigFile(nsqdOptions, path), missing);
    assert.throws(() => readConfigFile(nsqdOptions, folder), { name: "ConfigError" });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
