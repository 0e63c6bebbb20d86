import assert from "node:assert/strict";
import { Fifo } from "../../src/client/fifo.ts";

Deno.test("Fifo gives entries in their order, through many pushes and shifts", () => {
  const fifo = new Fifo<number>();
  let pushed = 0, shifted = 0;
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < 37; i++) fifo.push(pushed++);
    for (let i = 0; i < 31; i++) assert.equal(fifo.shift(), shifted++);
    assert.equal(fifo.size, pushed - shifted);
    assert.equal(fifo.peek(), shifted);
  }
  assert.deepEqual(fifo.takeAll(), Array.from({ length: pushed - shifted }, (_, i) => shifted + i));
  assert.equal(fifo.size, 0);
  assert.equal(fifo.shift(), undefined);
});

Deno.test("Fifo.unshift() puts entries in front in their order", () => {
  const fifo = new Fifo<string>();
  for (const entry of ["gone", "c", "d"]) fifo.push(entry);
  fifo.shift();
  fifo.unshift(["a", "b"]);
  assert.deepEqual([...fifo], ["a", "b", "c", "d"]);
});
