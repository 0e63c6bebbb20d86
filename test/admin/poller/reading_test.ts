import assert from "node:assert/strict";
import { readNodeStats, readProducer } from "../../../src/cluster/node_answers.ts";
import { clientView, readingOf, sumOfFigures, worstLatency } from "../../../src/admin/poller/reading.ts";
import { goChannel, goStats, goTopic } from "../fixtures.ts";

function answer(messages: number, channel: object, startTime = 1) {
  const stats = goStats(goTopic("t", [goChannel("c", channel)], { message_count: messages, depth: 2 }));
  return readNodeStats({ ...stats, start_time: startTime });
}

Deno.test("readingOf() works rates out against the answer before; what is finished follows from what is left", () => {
  const first = readingOf(answer(100, { message_count: 100, depth: 50 }), 0, 0, null, false);
  assert.deepEqual([first.figures.inPerSecond, first.topics.get("t")!.figures.outPerSecond], [0, 0]);
  const second = readingOf(
    answer(120, {
      message_count: 120,
      depth: 30,
      in_flight_count: 5,
      deferred_count: 5,
      requeue_count: 4,
      timeout_count: 1,
    }),
    2_000,
    2_000,
    first,
    false,
  );
  const { figures, channels } = second.topics.get("t")!;
  assert.deepEqual([figures.inPerSecond, figures.outPerSecond, figures.depth, figures.inFlight], [
    10,
    15,
    2,
    5,
  ]);
  const channel = channels.get("c")!.figures;
  assert.deepEqual([channel.inPerSecond, channel.outPerSecond], [10, 15]);
  assert.deepEqual([channel.requeuesPerMinute, channel.timeoutsPerMinute], [120, 30]);
  assert.deepEqual([second.figures.depth, second.figures.outPerSecond], [32, 15]);
});

Deno.test("readingOf() has no rates across a restart, nor for a counter that fell", () => {
  const before = readingOf(answer(100, { message_count: 100 }), 0, 0, null, false);
  const restarted = readingOf(answer(500, { message_count: 500 }, 2), 1_000, 1_000, before, false);
  assert.equal(restarted.figures.inPerSecond, 0);
  const fallen = readingOf(answer(40, { message_count: 40 }), 1_000, 1_000, before, false);
  assert.equal(fallen.figures.inPerSecond, 0);
});

Deno.test("readingOf() takes dead letters for not finished, and does not know of them where a node does not say", () => {
  const before = readingOf(answer(0, { message_count: 10 }), 0, 0, null, false);
  assert.deepEqual([before.figures.dead, before.figures.deadOf], [null, null]);
  const policed = { message_count: 30, dead_count: 15, dead_reasons: { attempts: 15 }, overflow_count: 2 };
  const { figures } = readingOf(answer(0, policed), 1_000, 1_000, before, false);
  assert.deepEqual([figures.dead, figures.deadOf, figures.overflowCount], [15, { attempts: 15 }, 2]);
  assert.equal(figures.outPerSecond, 5);
  const sum = sumOfFigures([before.figures, figures, figures]);
  assert.deepEqual([sum.dead, sum.deadOf], [30, { attempts: 30 }]);
});

Deno.test("clientView() tells from two looks how much a consumer finishes, and when it last did", () => {
  const look = (finish_count: number, atMs: number, before?: ReturnType<typeof clientView>) => {
    const { topics } = readNodeStats(
      goStats(goTopic("t", [goChannel("c", { clients: [{ finish_count }] })])),
    );
    const client = topics[0].channels[0].clients![0];
    return clientView(client, "t", "c", readProducer({}), "n:1", atMs, atMs, before?.trace);
  };
  const first = look(10, 0);
  assert.deepEqual([first.view.finishedPerMinute, first.view.lastFinishMs], [null, null]);
  const second = look(15, 1_000, first);
  assert.deepEqual([second.view.finishedPerMinute, second.view.lastFinishMs], [300, 1_000]);
  const third = look(15, 2_000, second);
  assert.deepEqual([third.view.finishedPerMinute, third.view.lastFinishMs], [0, 1_000]);
});

Deno.test("sumOfFigures() and worstLatency() put nodes together", () => {
  const [{ figures }] = [readingOf(answer(1, { depth: 4 }), 0, 0, null, false)];
  const sum = sumOfFigures([figures, { ...figures, oldestAgeMs: 5 }, { ...figures, oldestAgeMs: 9 }]);
  assert.deepEqual([sum.depth, sum.oldestAgeMs], [18, 9]);
  const a = { count: 1, percentiles: [{ quantile: 0.99, ms: 5 }] };
  const b = { count: 2, percentiles: [{ quantile: 0.99, ms: 3 }, { quantile: 0.5, ms: 1 }] };
  assert.deepEqual(worstLatency([a, b]), {
    count: 3,
    percentiles: [{ quantile: 0.99, ms: 5 }, { quantile: 0.5, ms: 1 }],
  });
});
