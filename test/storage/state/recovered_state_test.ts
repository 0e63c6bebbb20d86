/** What state records add up to, and what that costs. */
import assert from "node:assert/strict";
import { RecoveredState } from "../../../src/storage/state/recovered_state.ts";

const HOUR_OF_SEQS = 3_600_000_000;

function withChannel(): RecoveredState {
  const state = new RecoveredState();
  state.apply({ type: "topic", topic: 1, name: "orders", endSeq: 10, releasedSeq: 10 });
  state.apply({ type: "channel", channel: 1, topic: 1, name: "archive", startSeq: 10 });
  return state;
}

Deno.test("RecoveredState.apply() of a range of a hundred hours costs what is tracked in it", () => {
  const state = withChannel(), channel = state.channels.get(1)!.channel;
  for (const seq of [5, 12, HOUR_OF_SEQS]) {
    state.apply({ type: "tracked", channel: 1, seq, attempts: 1, dueMs: 0 });
  }
  // Counted one by one this would take hours.
  state.apply({ type: "done ahead", channel: 1, from: 11, to: 100 * HOUR_OF_SEQS });
  assert.deepEqual([...channel.tracked.keys()], [5]);
  assert.deepEqual(channel.doneAhead, [{ from: 11, to: 100 * HOUR_OF_SEQS }]);
});

Deno.test("RecoveredState.apply() takes what ended out of the runs of the last position", () => {
  const state = withChannel(), channel = state.channels.get(1)!.channel;
  const runs = [{ from: 100, count: 5 }, { from: 200, count: 1 }, { from: 300, count: 3 }];
  state.apply({ type: "position", channel: 1, cursorSeq: 400, runs });
  for (const seq of [302, 100, 102, 200, 104, 50, 103]) {
    state.apply({ type: "tracked finished", channel: 1, seq });
  }
  assert.deepEqual(channel.runs, [{ from: 101, count: 1 }, { from: 300, count: 2 }]);
  assert.deepEqual(channel.doneAhead, []);
  state.apply({ type: "position", channel: 1, cursorSeq: 500, runs });
  assert.deepEqual(channel.runs, runs, "a later position knows better");
});

Deno.test("RecoveredState.apply() of a tracked base keeps what is not released, and what is told behind it", () => {
  const state = withChannel(), channel = state.channels.get(1)!.channel;
  for (const seq of [5, 9, 10, 11]) {
    state.apply({ type: "tracked", channel: 1, seq, attempts: 1, dueMs: 0 });
  }
  const places = [{ fileNumber: 1, dataAt: 40, dataBytes: 8, dataCrc: 1, count: 2 }];
  state.apply({ type: "tracked base", channel: 1, places });
  state.apply({ type: "tracked finished", channel: 1, seq: 5 });
  state.apply({ type: "tracked", channel: 1, seq: 9, attempts: 2, dueMs: 0 });
  assert.deepEqual([...channel.tracked.keys()].sort((a, b) => a - b), [9, 10, 11]);
  assert.deepEqual([...channel.finishedOfBase], [5]);
  state.apply({ type: "channel emptied", channel: 1, cursorSeq: 10 });
  assert.deepEqual([channel.base.length, channel.finishedOfBase.size, [...channel.tracked.keys()]], [0, 0, [
    10,
    11,
  ]]);
});
