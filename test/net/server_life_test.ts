import assert from "node:assert/strict";
import { Logger } from "../../src/log/logger.ts";
import { ServerLife } from "../../src/net/server_life.ts";

/** A life whose stop in order waits for `finish`. */
function newLife(): {
  life: ServerLife;
  finish: PromiseWithResolvers<boolean>;
  stops: () => number;
  lines: string[];
} {
  const finish = Promise.withResolvers<boolean>(), lines: string[] = [];
  let stopCount = 0;
  const stopInOrder = () => {
    stopCount++;
    return finish.promise;
  };
  const life = new ServerLife(stopInOrder, new Logger("info", "", (line) => lines.push(line)));
  return { life, finish, stops: () => stopCount, lines };
}

Deno.test("ServerLife stops once, however often it is told, with exit code 0", async () => {
  const { life, finish, stops } = newLife();
  const stopped = [life.stop(), life.stop()];
  finish.resolve(true);
  await Promise.all(stopped);
  assert.deepEqual([stops(), await life.done], [1, 0]);
});

Deno.test("ServerLife has exit code 1 when not everything could be saved, or the stop itself fails", async () => {
  const unsaved = newLife();
  unsaved.finish.resolve(false);
  await unsaved.life.stop();
  assert.equal(await unsaved.life.done, 1);
  const failed = newLife();
  failed.finish.reject(new Error("a defect"));
  await failed.life.stop();
  assert.equal(await failed.life.done, 1);
  assert.match(failed.lines.join(""), /FATAL: failed to stop in order - a defect/);
});

Deno.test("ServerLife.stop(true) does not wait for an orderly stop that is under way", async () => {
  const { life } = newLife();
  life.stop();
  await life.stop(true);
  assert.equal(await life.done, 1);
});

Deno.test("ServerLife stops with exit code 1 when a listener fails, and not when it was closed", async () => {
  const { life, finish, stops, lines } = newLife();
  life.watch("TCP", Promise.resolve(null));
  await Promise.resolve();
  assert.equal(stops(), 0);
  life.watch("TCP", Promise.resolve(new Error("bad resource")));
  finish.resolve(true);
  assert.equal(await life.done, 1);
  assert.match(lines.join(""), /FATAL: TCP: accepting ended - bad resource/);
});
