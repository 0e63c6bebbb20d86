/** What must hold for each entry of each option table. */
import assert from "node:assert/strict";
import { adminOptions } from "../../src/options/tables/admin_options.ts";
import { parseArgs } from "../../src/options/args.ts";
import { formatHelp } from "../../src/options/help.ts";
import { lookupdOptions } from "../../src/options/tables/lookupd_options.ts";
import { resolveOptions } from "../../src/options/merge.ts";
import { nsqdOptions } from "../../src/options/tables/nsqd_options.ts";
import {
  configKeyOf,
  defaultOf,
  defaultsOf,
  findByConfigKey,
  type Machine,
  type Option,
  type OptionTable,
  propertyName,
} from "../../src/options/option.ts";
import { findRangeFault } from "../../src/options/range.ts";
import { standaloneOptions } from "../../src/options/tables/standalone_options.ts";

const tables: Record<string, OptionTable> = {
  nsqd: nsqdOptions,
  nsqlookupd: lookupdOptions,
  nsqadmin: adminOptions,
  standalone: standaloneOptions,
};
const machine: Machine = { hostname: () => "vm", memoryBytes: () => 2 ** 33 };

/** The text of each kind of value that differs from the defaults, and the value. */
const samples: Record<Option["kind"], [string, unknown]> = {
  bool: ["true", true],
  "bool or word": ["true", true],
  int: ["5", 5],
  float: ["0.25", 0.25],
  bytes: ["3MiB", 3_145_728],
  duration: ["7s", 7_000],
  string: ["text", "text"],
  enum: ["", ""],
  "string list": ["a:1", ["a:1"]],
  "float list": ["0.5", [0.5]],
};

for (const [name, table] of Object.entries(tables)) {
  Deno.test(`the options of ${name} have flags and keys of their own, spelled as NSQ spells them`, () => {
    const flags = table.map((option) => option.name);
    assert.equal(new Set(flags).size, flags.length);
    const keys = table.map(configKeyOf).filter((key) => key !== null);
    assert.equal(new Set(keys).size, keys.length);
    for (const flag of flags) assert.match(flag, /^[a-z0-9]+(-[a-z0-9]+)*$/);
    for (const key of keys) {
      assert.match(key, /^[a-z0-9]+(_[a-z0-9]+)*$/);
      assert.equal(configKeyOf(findByConfigKey(table, key)!), key);
    }
  });

  Deno.test(`the options of ${name} have a help of one sentence without its dot`, () => {
    for (const { name: flag, help } of table) {
      assert.match(help, /^\S.{9,}[^.\s]$/, flag);
      assert.doesNotMatch(help, / {2}/, flag);
    }
  });

  Deno.test(`the options of ${name} have defaults of their kind and within their range`, () => {
    for (const option of table) {
      const value = defaultOf(option, machine);
      assert.equal(findRangeFault(option, value), null, option.name);
      if (option.kind === "enum") assert.ok(option.values.includes(value as string), option.name);
      if (["int", "bytes", "duration"].includes(option.kind)) assert.ok(Number.isInteger(value), option.name);
    }
  });

  Deno.test(`the options of ${name} are read from the command line and appear in the result`, () => {
    for (const option of table) {
      if (option.name === "version" || option.name === "config") continue;
      const [text, expected] = option.kind === "enum"
        ? [option.values[0], option.values[0]]
        : samples[option.kind];
      const args = [`--${option.name}=${text}`];
      assert.deepEqual([...parseArgs(table, args).given.values()], [expected], option.name);
      const program = { name, summary: "", versionText: "" };
      const resolved = resolveOptions(table, args, program, machine);
      assert.equal(resolved.kind, "values", option.name);
      const values = (resolved as unknown as { values: Record<string, unknown> }).values;
      assert.deepEqual(values[propertyName(option.name)], expected, option.name);
    }
  });

  Deno.test(`formatHelp() shows each option of ${name} on lines that fit a terminal`, () => {
    const help = formatHelp(table, { name, summary: "summary" }, machine);
    const lines = help.split("\n");
    assert.deepEqual(lines.slice(0, 3), [`${name} - summary`, "", `Usage: ${name} [flags]`]);
    for (const line of lines) assert.ok(line.length <= 110 && line.trimEnd() === line, line);
    for (const option of table) {
      const own = lines.filter((line) => new RegExp(`^ {2}--${option.name}[=[ ]`).test(line));
      assert.equal(own.length, 1, option.name);
    }
    for (const group of new Set(table.map((option) => option.group))) {
      assert.equal(
        lines.filter((line) => line === `${group}:`).length,
        1,
        "options of a group stand together",
      );
    }
  });
}

Deno.test("formatHelp() tells kind, default with unit, range and a key that differs", () => {
  const help = formatHelp(nsqdOptions, { name: "nsqd", summary: "s" }, machine).replace(/\s+/g, " ");
  for (
    const part of [
      "--node-id=<int> Number of this node",
      "(default 617; from 0 to 1023; in the config file id)",
      "--msg-timeout=<duration> Time a consumer may hold",
      "(default 1m; at least 1ms)",
      "--mem-limit=<bytes>",
      "(default 192MiB; at least 1MiB)",
      "(default 10000 messages)",
      "--durability=memory|os|disk",
      "(default none; may be repeated; in the config file nsqlookupd_tcp_addresses)",
      '(default "0.0.0.0:4150")',
      "--version Print the version and exit --config",
      "--tls-required[=tcp-https] Refuse clients",
      "--help Show this text and exit --version",
      "--snappy[=false] Let clients ask for snappy (default true)",
      "--data-path=<string> Existing directory for messages and metadata; empty is the working directory " +
      "(default empty)",
      "--verbose Deprecated. Without effect",
      "has the file read again; with --tls-cert, those of TLS. These change at once, all others with a restart: log-level, http-server-idle-timeout, http-server-request-timeout, lookupd-tcp-address,",
    ]
  ) assert.ok(help.includes(part), part);
});

Deno.test("the default of mem-limit is a sixteenth of the memory, within its bounds", () => {
  const option = nsqdOptions.find(({ name }) => name === "mem-limit")!;
  const table: [number, number][] = [
    [2 ** 29, 64 * 2 ** 20],
    [2 ** 31, 128 * 2 ** 20],
    [2 ** 31 + 15, 128 * 2 ** 20],
    [2 ** 40, 192 * 2 ** 20],
  ];
  for (const [memory, limit] of table) {
    assert.equal(defaultOf(option, { ...machine, memoryBytes: () => memory }), limit);
  }
});

Deno.test("the options of standalone are those of nsqd and lookupd but for the announced host, and of the console", () => {
  const byName = new Map<string, Option>(standaloneOptions.map((option) => [option.name, option]));
  for (const option of nsqdOptions) {
    if (option.name !== "broadcast-address") assert.equal(byName.get(option.name), option);
  }
  assert.deepEqual(defaultOf(byName.get("broadcast-address")!, machine), ["127.0.0.1"]);
  for (const option of lookupdOptions) {
    const own = byName.get(`lookupd-listen-${option.name}`) ?? byName.get(option.name);
    assert.equal(own?.kind, option.name === "broadcast-address" ? "string list" : option.kind, option.name);
  }
  const listensAt = (name: string) => defaultOf(byName.get(name)!, machine);
  assert.equal(listensAt("lookupd-listen-tcp-address"), "0.0.0.0:4160");
  assert.equal(listensAt("lookupd-listen-http-address"), "0.0.0.0:4161");
  assert.equal(listensAt("admin-listen-http-address"), "0.0.0.0:4171");
  const { adminUser, historyLimit } = defaultsOf(standaloneOptions, machine);
  assert.deepEqual([adminUser, historyLimit], [[], 64 << 20]);
});
