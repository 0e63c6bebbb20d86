import assert from "node:assert/strict";
import { closest } from "../../src/options/closest.ts";

const names = [
  "max-msg-size",
  "max-msg-timeout",
  "msg-timeout",
  "data-path",
  "id",
  "nsqlookupd_tcp_addresses",
];

Deno.test("closest() finds slips, swaps, other spellings and parts", () => {
  const table: [string, string][] = [
    ["max-msg-siez", "max-msg-size"],
    ["max_msg_size", "max-msg-size"],
    ["MaxMsgSize", "max-msg-size"],
    ["msg-timeuot", "msg-timeout"],
    ["datapath", "data-path"],
    ["path", "data-path"],
    ["lookupd_tcp_address", "nsqlookupd_tcp_addresses"],
    ["di", "id"],
  ];
  for (const [word, expected] of table) assert.equal(closest(word, names), expected, word);
});

Deno.test("closest() has no answer for a word that is like none", () => {
  for (const word of ["", "-", "bogus", "tls-cert", "x"]) assert.equal(closest(word, names), undefined, word);
  assert.equal(closest("word", []), undefined);
});
