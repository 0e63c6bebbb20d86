import assert from "node:assert/strict";
import { Attention } from "../../../src/admin/poller/attention.ts";
import { NO_FIGURES } from "../../../src/admin/poller/reading.ts";
import type { ChannelView, NodeView, TopicView } from "../../../src/admin/model/snapshot.ts";

const LOOKUPD = { address: "l:1", isUp: true, error: "", sinceMs: 0 };

function node(id: string, extra: Partial<NodeView> = {}): NodeView {
  return {
    id,
    hostname: id,
    version: "1.3.0",
    isUp: true,
    error: "",
    health: "OK",
    isOutOfDate: false,
    remoteAddresses: ["l:1/x"],
    process: null,
    ...extra,
  } as NodeView;
}

function topic(
  name: string,
  depth: number,
  channels: [string, Partial<ChannelView["diagnosis"]>, number][] = [],
): TopicView {
  return {
    name,
    isPaused: false,
    figures: { ...NO_FIGURES, depth },
    channels: new Map(channels.map(([channel, diagnosis, depth]) => [channel, {
      topic: name,
      name: channel,
      figures: { ...NO_FIGURES, depth },
      diagnosis: { severity: "critical", cause: "no consumer", text: "Nobody.", ...diagnosis },
    } as ChannelView])),
  } as unknown as TopicView;
}

Deno.test("Attention.lines() begins with the worst and the largest, each with a cause and one action", () => {
  const process = { diskFreeBytes: 5.5 * 2 ** 20, eventLoopDelayMs: 300 } as NodeView["process"];
  const lines = new Attention().lines({
    lookupds: [LOOKUPD, { ...LOOKUPD, address: "l:2", isUp: false, error: "refused" }],
    nodes: [
      node("down", { isUp: false, error: "refused" }),
      node("sick", { health: "NOK - disk full" }),
      node("busy", { process }),
      node("old", { isOutOfDate: true, version: "1.2.0" }),
    ],
    topics: new Map([
      topic("a/b", 0, [["small", {}, 5], ["large", {}, 500], ["fine", { severity: "ok", cause: "none" }, 0]]),
      topic("unread", 9),
      topic("held", 0, [["c", { severity: "warning", cause: "paused", text: "Paused." }, 3]]),
    ].map((each) => [each.name, each])),
  }, 77);
  assert.deepEqual(lines.map(({ severity, cause }) => `${severity}: ${cause}`), [
    "critical: lookupd l:2 does not answer: refused",
    "critical: down (down) does not answer: refused",
    "critical: sick (sick): NOK - disk full",
    "critical: a/b/large: Nobody.",
    "critical: a/b/small: Nobody.",
    "warning: busy (busy): its disk has 5 MiB left",
    "warning: busy (busy): its event loop is 300 ms late",
    "warning: unread has no channel: 9 messages waiting for one",
    "notice: old (old) runs 1.2.0, others are newer",
    "notice: held/c: Paused.",
  ]);
  assert.deepEqual(lines[3].action, { label: "Channel", path: "/topics/a%2Fb/large" });
  assert.deepEqual(lines[1].action, { label: "Node", path: "/nodes/down" });
});

Deno.test("Attention.lines() knows since when there is the same trouble, and begins anew when it was gone", () => {
  const attention = new Attention();
  const look = (nowMs: number, isUp: boolean) =>
    attention.lines({
      lookupds: [LOOKUPD],
      nodes: [node("n", { isUp, error: `${nowMs}` })],
      topics: new Map(),
    }, nowMs)
      .map(({ sinceMs }) => sinceMs);
  assert.deepEqual([look(1, false), look(5, false), look(6, true), look(9, false)], [[1], [1], [], [9]]);
});

Deno.test("Attention.lines() says of a node that some lookupd lacks it, unless lookupds fail", () => {
  const causes = (remoteAddresses: string[], isUp: boolean) =>
    new Attention().lines({
      lookupds: [LOOKUPD, { ...LOOKUPD, address: "l:2", isUp }],
      nodes: [node("n", { remoteAddresses })],
      topics: new Map(),
    }, 0).filter(({ key }) => key.startsWith("node")).map(({ cause }) => cause);
  assert.deepEqual(causes(["l:1/x"], true), ["n (n) is in 1 of 2 lookupds"]);
  assert.deepEqual(causes([], true), ["n (n) is in no lookupd: consumers do not find it"]);
  assert.deepEqual(causes(["l:1/x"], false), []);
});
