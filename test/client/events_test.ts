import assert from "node:assert/strict";
import { Events } from "../../src/client/events.ts";

interface Map {
  error: [error: Error];
  count: [count: number];
}

Deno.test("Events.emit() of an error without a listener does nothing", () => {
  new Events<Map>().emit("error", new Error("nobody listens"));
});

Deno.test("Events.emit() calls all listeners, also when one throws", () => {
  const faults: unknown[] = [], counts: number[] = [];
  const events = new Events<Map>((fault) => faults.push(fault));
  const fault = new Error("of a listener");
  events.on("count", () => {
    throw fault;
  });
  events.on("count", (count) => counts.push(count));
  events.emit("count", 3);
  assert.deepEqual(counts, [3]);
  assert.deepEqual(faults, [fault]);
});

Deno.test("Events.on() returns the function that removes the listener", () => {
  const counts: number[] = [], events = new Events<Map>();
  const off = events.on("count", (count) => counts.push(count));
  events.emit("count", 1);
  off();
  events.emit("count", 2);
  assert.deepEqual(counts, [1]);
  assert.equal(events.has("count"), false);
});
