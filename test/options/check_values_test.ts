import assert from "node:assert/strict";
import { join } from "node:path";
import { checkDirectory, checkListenAddresses, checkRemoteAddress } from "../../src/options/check_values.ts";

Deno.test("checkListenAddresses() names what cannot be an address, and what collides", () => {
  const table: [string, string, string[]][] = [
    ["0.0.0.0:4150", "0.0.0.0:4151", []],
    ["127.0.0.1:0", "127.0.0.1:0", []],
    ["/run/a.sock", "/run/b.sock", []],
    ["127.0.0.1:4150", "127.0.0.2:4150", []],
    ["0.0.0.0:4150", "127.0.0.1:4150", ["--b and --a listen on the same address"]],
    ["127.0.0.1:4150", "127.0.0.1:4150", ["--b and --a listen on the same address"]],
    ["/run/a.sock", "/run/a.sock", ["--b and --a listen on the same address"]],
    ["h:1", "h:x", ['--b: Cannot use the address "h:x": port "x" is not a number from 0 to 65535']],
  ];
  for (const [a, b, expected] of table) {
    const found = checkListenAddresses([{ flag: "a", address: a }, { flag: "b", address: b }]);
    assert.deepEqual(found, expected, `${a} ${b}`);
  }
});

Deno.test("checkRemoteAddress() wants host and port", () => {
  for (const address of ["host:4160", "127.0.0.1:1", "[::1]:4160"]) {
    assert.deepEqual(checkRemoteAddress("f", address), []);
  }
  for (const address of ["", "host", ":4160", "host:0", "a:1,b:2", "/run/a.sock", "::1"]) {
    const expected = [`--f: Cannot connect to "${address}": it must be host:port`];
    assert.deepEqual(checkRemoteAddress("f", address), expected, address);
  }
});

Deno.test("checkDirectory() tells a missing directory from a file", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const file = join(folder, "file");
    Deno.writeTextFileSync(file, "");
    assert.deepEqual(checkDirectory("data-path", folder), []);
    assert.deepEqual(checkDirectory("data-path", ""), []);
    assert.deepEqual(checkDirectory("data-path", file), [`--data-path: ${file} is not a directory`]);
    const missing = join(folder, "missing");
    assert.deepEqual(checkDirectory("data-path", missing), [`--data-path: there is no directory ${missing}`]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
