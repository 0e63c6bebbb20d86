import assert from "node:assert/strict";
import type { CommandName } from "../../../src/protocol/command.ts";
import { type ClientState, illegal, LEGAL } from "../../../src/nsqd/tcp/legal_commands.ts";

const STATES: ClientState[] = ["plain", "init", "subscribed", "closing"];

/** The states in which the protocol allows each command; `test/wire/states_test.ts` shows the same on the wire. */
const ALLOWED: Record<CommandName, ClientState[]> = {
  IDENTIFY: ["plain", "init"],
  AUTH: ["init"],
  SUB: ["init"],
  RDY: ["subscribed", "closing"],
  FIN: ["subscribed", "closing"],
  REQ: ["subscribed", "closing"],
  TOUCH: ["subscribed", "closing"],
  CLS: ["subscribed"],
  PUB: ["init", "subscribed", "closing"],
  MPUB: ["init", "subscribed", "closing"],
  DPUB: ["init", "subscribed", "closing"],
  NOP: ["init", "subscribed", "closing"],
};

Deno.test("LEGAL has every pair of command and state as the protocol says", () => {
  assert.deepEqual(Object.keys(LEGAL).sort(), Object.keys(ALLOWED).sort());
  for (const [name, states] of Object.entries(ALLOWED) as [CommandName, ClientState[]][]) {
    assert.deepEqual(Object.keys(LEGAL[name]), STATES, name);
    for (const state of STATES) {
      assert.equal(LEGAL[name][state], states.includes(state), `${name} in ${state}`);
    }
  }
});

Deno.test("illegal() names the command, and TLS where that is what is missing", () => {
  assert.equal(illegal("SUB", "subscribed").message, "E_INVALID cannot SUB in current state");
  assert.equal(illegal("PUB", "plain").message, "E_INVALID cannot PUB in current state (TLS required)");
  assert.ok(illegal("FIN", "init").fatal);
});
