import assert from "node:assert/strict";
import { LoginThrottle } from "../../../src/admin/access/login_throttle.ts";

Deno.test("LoginThrottle lets five failures pass, then doubles the wait up to a quarter of an hour", () => {
  let nowMs = 0;
  const throttle = new LoginThrottle(() => nowMs);
  for (let failures = 0; failures < 5; failures++) {
    assert.equal(throttle.waitMs(["name ann"]), 0);
    throttle.fail(["name ann", "ip 1"]);
  }
  assert.equal(throttle.waitMs(["name ann"]), 2_000);
  assert.equal(throttle.waitMs(["name bob", "ip 1"]), 2_000, "another name from there waits too");
  assert.equal(throttle.waitMs(["name bob", "ip 2"]), 0);
  nowMs = 2_000;
  assert.equal(throttle.waitMs(["name ann"]), 0);
  throttle.fail(["name ann"]);
  assert.equal(throttle.waitMs(["name ann"]), 4_000);
  for (let failures = 0; failures < 30; failures++) throttle.fail(["name ann"]);
  assert.equal(throttle.waitMs(["name ann"]), 15 * 60_000);
});

Deno.test("LoginThrottle forgets after a success, and after an hour", () => {
  let nowMs = 0;
  const throttle = new LoginThrottle(() => nowMs);
  for (let failures = 0; failures < 9; failures++) throttle.fail(["name ann", "name bob"]);
  throttle.succeed(["name ann"]);
  assert.equal(throttle.waitMs(["name ann"]), 0);
  nowMs = 61 * 60_000;
  throttle.fail(["name bob"]);
  assert.equal(throttle.waitMs(["name bob"]), 0);
});

Deno.test("LoginThrottle holds a bounded number of names, the latest", () => {
  const throttle = new LoginThrottle(() => 0);
  for (let failures = 0; failures < 9; failures++) throttle.fail(["name ann"]);
  for (let name = 0; name < 10_000; name++) throttle.fail([`name ${name}`]);
  assert.equal(throttle.waitMs(["name ann"]), 0);
});
