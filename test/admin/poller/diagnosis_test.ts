import assert from "node:assert/strict";
import { type ChannelState, diagnose } from "../../../src/admin/poller/diagnosis.ts";
import { NO_FIGURES } from "../../../src/admin/poller/reading.ts";
import type { ClientView, Figures } from "../../../src/admin/model/snapshot.ts";

function client(hostname: string, extra: Partial<ClientView> = {}): ClientView {
  return {
    hostname,
    remoteAddress: `${hostname}:9`,
    inFlight: 0,
    ready: 1,
    lastFinishMs: null,
    ...extra,
  } as ClientView;
}

function state(figures: Partial<Figures>, extra: Partial<ChannelState> = {}): ChannelState {
  return {
    figures: { ...NO_FIGURES, ...figures },
    isPaused: false,
    isTopicPaused: false,
    topicDepth: 0,
    nodesDown: [],
    nodeCount: 2,
    sick: null,
    clients: null,
    risingSeconds: 0,
    ...extra,
  };
}

Deno.test("diagnose() says how a channel is, and why if it is stuck", () => {
  const busy = { clientCount: 2, inFlight: 4, outPerSecond: 10, inPerSecond: 10 };
  const table: [state: ChannelState, cause: string, severity: string, text: string][] = [
    [state({}), "none", "ok", "Idle: nothing waits and nothing comes."],
    [state(busy), "none", "ok", "Keeps up: nothing waits."],
    [state({ ...busy, depth: 1204 }), "none", "ok", "Works: 1,204 messages waiting."],
    [
      state({ depth: 1 }),
      "no consumer",
      "critical",
      "No consumer is connected, 1 message waiting.",
    ],
    [
      state({ depth: 5, clientCount: 2 }),
      "not ready",
      "critical",
      "2 consumers connected but none takes messages (RDY 0?), 5 messages waiting.",
    ],
    [
      state({ depth: 5, clientCount: 1 }, { clients: [client("a", { ready: 0 })] }),
      "not ready",
      "critical",
      "1 consumer connected, all at RDY 0: they ask for nothing, 5 messages waiting.",
    ],
    [
      state({ depth: 5, clientCount: 2 }, { isPaused: true }),
      "paused",
      "warning",
      "Paused: consumers get nothing, 5 messages waiting.",
    ],
    [state({}, { isPaused: true }), "paused", "notice", "Paused: consumers get nothing, 0 messages waiting."],
    [
      state({}, { isTopicPaused: true, topicDepth: 7 }),
      "topic paused",
      "warning",
      "The topic is paused: nothing new comes here, 7 messages waiting in the topic.",
    ],
    [
      state({ ...busy, outPerSecond: 0, timeoutsPerMinute: 12 }, {
        clients: [
          client("fast", { inFlight: 2, lastFinishMs: 900 }),
          client("slow", { inFlight: 2, lastFinishMs: 100 }),
          client("idle", { lastFinishMs: 1 }),
        ],
      }),
      "timing out",
      "critical",
      "12 messages a minute time out; slowest is slow (slow:9).",
    ],
    [
      state({ ...busy, requeuesPerMinute: 600 }),
      "requeueing",
      "warning",
      "Consumers give back 600 messages a minute and finish 600 messages.",
    ],
    [
      state({ ...busy, outPerSecond: 0, depth: 3 }),
      "stuck in flight",
      "warning",
      "4 messages in flight and none finished just now.",
    ],
    [
      state({ ...busy, inPerSecond: 1200.44, depth: 900 }, { risingSeconds: 31 }),
      "falling behind",
      "warning",
      "Falls behind: 1,200.4/s in, 10/s out, 900 messages waiting.",
    ],
    [
      state(busy, { nodesDown: ["n1:1"] }),
      "node down",
      "warning",
      "n1:1 does not answer; what it had is counted as it was.",
    ],
    [
      state(busy, { nodesDown: ["n1:1", "n2:1"], isPaused: true }),
      "node down",
      "critical",
      "No node that has it answers: n1:1, n2:1. The figures are old.",
    ],
    [
      state(busy, { sick: { node: "n1:1", health: "NOK - disk full" } }),
      "node sick",
      "critical",
      "n1:1 takes no messages: disk full.",
    ],
  ];
  for (const [given, cause, severity, text] of table) {
    assert.deepEqual({ ...diagnose(given) }, { cause, severity, text });
  }
});

Deno.test("diagnose() takes a backlog that has not risen for long for a burst", () => {
  const burst = state({ depth: 900, inPerSecond: 50, outPerSecond: 10, inFlight: 1, clientCount: 1 }, {
    risingSeconds: 29,
  });
  assert.equal(diagnose(burst).cause, "none");
});
