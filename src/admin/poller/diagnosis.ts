/**
 * Says of a channel how it is, in one line, and why if it is stuck.
 *
 * The first rule that holds wins: what makes figures untrustworthy comes first, then what somebody did on purpose,
 * then who is missing, then what goes wrong.
 */
import type { ClientView, Diagnosis, Figures } from "../model/snapshot.ts";
import { counted, perSecond } from "./words.ts";

/** What a diagnosis goes by. */
export interface ChannelState {
  readonly figures: Figures;
  readonly isPaused: boolean;
  readonly isTopicPaused: boolean;
  /** Messages that wait in the topic, for a channel to take them. */
  readonly topicDepth: number;
  /** Ids of the nodes that have it and do not answer, and how many have it. */
  readonly nodesDown: readonly string[];
  readonly nodeCount: number;
  /** Of a node that cannot keep messages, its id and why; null when there is none. */
  readonly sick: { readonly node: string; readonly health: string } | null;
  /** Null when nobody looked at them. */
  readonly clients: readonly ClientView[] | null;
  /** For how long its depth has been rising, seconds; 0 when it is not. */
  readonly risingSeconds: number;
}

/** A backlog that rises for less is a burst. */
const RISING_SECONDS = 30;
/** Of what is finished: so many requeues, or timeouts, are a fault. */
const FAULTY_SHARE = 0.5;

const FINE: Diagnosis = { severity: "ok", cause: "none", text: "Keeps up: nothing waits." };
const IDLE: Diagnosis = { severity: "ok", cause: "none", text: "Idle: nothing waits and nothing comes." };

export function diagnose(state: ChannelState): Diagnosis {
  return troubleOfNodes(state) ?? pauses(state) ?? missingConsumers(state) ?? faults(state) ?? works(state);
}

function troubleOfNodes({ nodesDown, nodeCount, sick }: ChannelState): Diagnosis | null {
  if (nodesDown.length > 0) {
    const isAll = nodesDown.length === nodeCount;
    const text = isAll
      ? `No node that has it answers: ${nodesDown.join(", ")}. The figures are old.`
      : `${nodesDown.join(", ")} ${
        nodesDown.length === 1 ? "does" : "do"
      } not answer; what it had is counted as it was.`;
    return { severity: isAll ? "critical" : "warning", cause: "node down", text };
  }
  if (sick === null) return null;
  const reason = sick.health.replace(/^NOK - /, "");
  return { severity: "critical", cause: "node sick", text: `${sick.node} takes no messages: ${reason}.` };
}

function pauses({ figures, isPaused, isTopicPaused, topicDepth }: ChannelState): Diagnosis | null {
  if (isPaused) {
    return {
      severity: figures.depth > 0 ? "warning" : "notice",
      cause: "paused",
      text: `Paused: consumers get nothing, ${counted(figures.depth, "message")} waiting.`,
    };
  }
  if (!isTopicPaused) return null;
  return {
    severity: topicDepth > 0 ? "warning" : "notice",
    cause: "topic paused",
    text: `The topic is paused: nothing new comes here, ${
      counted(topicDepth, "message")
    } waiting in the topic.`,
  };
}

function missingConsumers({ figures, clients }: ChannelState): Diagnosis | null {
  const { depth, inFlight, clientCount, outPerSecond } = figures;
  if (depth === 0) return null;
  if (clientCount === 0) {
    return {
      severity: "critical",
      cause: "no consumer",
      text: `No consumer is connected, ${counted(depth, "message")} waiting.`,
    };
  }
  if (inFlight > 0 || outPerSecond > 0) return null;
  const consumers = counted(clientCount, "consumer");
  const isSureOfReady = clients !== null && clients.every(({ ready }) => ready === 0);
  return {
    severity: "critical",
    cause: "not ready",
    text: isSureOfReady
      ? `${consumers} connected, all at RDY 0: they ask for nothing, ${counted(depth, "message")} waiting.`
      : `${consumers} connected but none takes messages (RDY 0?), ${counted(depth, "message")} waiting.`,
  };
}

function faults({ figures, clients }: ChannelState): Diagnosis | null {
  const { inFlight, outPerSecond, timeoutsPerMinute, requeuesPerMinute, depth } = figures;
  const finishesPerMinute = outPerSecond * 60;
  if (timeoutsPerMinute > FAULTY_SHARE * finishesPerMinute && timeoutsPerMinute > 0) {
    const slowest = slowestOf(clients);
    return {
      severity: "critical",
      cause: "timing out",
      text: `${counted(Math.round(timeoutsPerMinute), "message")} a minute time out` +
        (slowest === null ? "." : `; slowest is ${slowest}.`),
    };
  }
  if (requeuesPerMinute > FAULTY_SHARE * finishesPerMinute && requeuesPerMinute > 0) {
    return {
      severity: "warning",
      cause: "requeueing",
      text: `Consumers give back ${counted(Math.round(requeuesPerMinute), "message")} a minute and finish ${
        counted(Math.round(finishesPerMinute), "message")
      }.`,
    };
  }
  if (depth > 0 && inFlight > 0 && outPerSecond === 0) {
    const slowest = slowestOf(clients);
    return {
      severity: "warning",
      cause: "stuck in flight",
      text: `${counted(inFlight, "message")} in flight and none finished just now` +
        (slowest === null ? "." : `; ${slowest} has not finished one for the longest time.`),
    };
  }
  return null;
}

function works({ figures, risingSeconds }: ChannelState): Diagnosis {
  const { depth, inPerSecond, outPerSecond } = figures;
  if (risingSeconds >= RISING_SECONDS && inPerSecond > outPerSecond) {
    return {
      severity: "warning",
      cause: "falling behind",
      text: `Falls behind: ${perSecond(inPerSecond)} in, ${perSecond(outPerSecond)} out, ${
        counted(depth, "message")
      } waiting.`,
    };
  }
  if (depth > 0) {
    return { severity: "ok", cause: "none", text: `Works: ${counted(depth, "message")} waiting.` };
  }
  return inPerSecond > 0 || outPerSecond > 0 ? FINE : IDLE;
}

/** Whose messages in flight have been there longest, as far as its finished ones tell. */
function slowestOf(clients: readonly ClientView[] | null): string | null {
  const busy = (clients ?? []).filter(({ inFlight }) => inFlight > 0);
  if (busy.length === 0) return null;
  const slowest = busy.reduce((a, b) => (a.lastFinishMs ?? 0) <= (b.lastFinishMs ?? 0) ? a : b);
  return slowest.hostname === "" ? slowest.remoteAddress : `${slowest.hostname} (${slowest.remoteAddress})`;
}
