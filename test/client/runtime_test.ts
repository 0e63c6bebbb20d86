import assert from "node:assert/strict";
import * as os from "node:os";
import { atEndOfTurn, builtinModule, hostname } from "../../src/client/runtime.ts";

Deno.test("builtinModule() gives modules of the runtime, and null for what is none", () => {
  assert.equal(builtinModule<typeof os>("node:os")?.EOL, os.EOL);
  assert.equal(builtinModule("node:no_such_module"), null);
});

Deno.test("hostname() is the machine's", () => {
  assert.equal(hostname(), os.hostname());
});

Deno.test("atEndOfTurn() runs after the promises of the turn", async () => {
  const order: string[] = [];
  const done = new Promise<void>((resolve) =>
    atEndOfTurn(() => {
      order.push("end of turn");
      resolve();
    })
  );
  await null;
  order.push("promise");
  await null;
  order.push("another");
  await done;
  assert.deepEqual(order, ["promise", "another", "end of turn"]);
});
