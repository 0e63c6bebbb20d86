/**
 * Actions on dead letters and on jobs: on each node that has some of what is selected a job is begun, or one stopped.
 *
 * Tested in test/admin/messages/message_desk_test.ts.
 */
import {
  type LetterSelection,
  type NodeJob,
  startDelete,
  startRedrive,
  stopJob,
} from "../../cluster/message_calls.ts";
import type { Change, Outcome } from "../../cluster/mutations.ts";
import { NobodyAnsweredError } from "../../cluster/partial.ts";
import type { Upstream } from "../../cluster/upstream.ts";
import { problemOf } from "../messages/message_desk.ts";
import type { LetterAction, LetterChoice } from "../model/action.ts";
import type { Snapshot } from "../model/snapshot.ts";

/** @throws {NobodyAnsweredError} when no node has what is selected, or can do it */
export async function actOnLetters(
  upstream: Upstream,
  snapshot: Snapshot,
  action: LetterAction,
): Promise<Change> {
  const outcomes = await Promise.all(
    partsOf(snapshot, action).map(({ node, begin }) => outcomeOf(node, () => begin(upstream))),
  );
  if (outcomes.length === 0) throw new NobodyAnsweredError("nsqd", ["no node that can has such letters"]);
  return { outcomes, errors: outcomes.map(({ error }) => error).filter((error) => error !== "") };
}

/** Ids of the nodes that `action` would ask. */
export function nodesOfLetters(snapshot: Snapshot, action: LetterAction): string[] {
  return partsOf(snapshot, action).map(({ node }) => node);
}

interface Part {
  readonly node: string;
  begin(upstream: Upstream): Promise<NodeJob | void>;
}

function partsOf(snapshot: Snapshot, action: LetterAction): Part[] {
  const { topic, channel } = action;
  if (action.kind === "stop job") {
    // Nobody else is asked: an address in a form may be any.
    if (!ableNodes(snapshot).has(action.node)) return [];
    return [{ node: action.node, begin: (upstream) => stopJob(upstream, action.node, action.job) }];
  }
  return [...selections(snapshot, topic, channel, action.letters)].map(([node, selection]) => ({
    node,
    begin: (upstream) =>
      action.kind === "redrive"
        ? startRedrive(upstream, node, topic, channel, selection, action)
        : startDelete(upstream, node, topic, channel, selection),
  }));
}

/** What is selected on each node that can. */
function selections(
  snapshot: Snapshot,
  topic: string,
  channel: string,
  letters: LetterChoice,
): Map<string, LetterSelection> {
  const able = ableNodes(snapshot);
  const byNode = new Map<string, LetterSelection>();
  if (letters.ticked !== null) {
    for (const [node, list] of Map.groupBy(letters.ticked, ({ node }) => node)) {
      if (!able.has(node)) continue;
      byNode.set(node, { ids: list.map(({ id }) => id) });
    }
    return byNode;
  }
  for (const { node } of snapshot.topics.get(topic)?.channels.get(channel)?.perNode ?? []) {
    if (able.has(node)) byNode.set(node, { ids: null, reason: letters.reason });
  }
  return byNode;
}

function ableNodes({ nodes }: Snapshot): ReadonlySet<string> {
  return new Set(nodes.filter(({ capabilities }) => capabilities.redrive === "").map(({ id }) => id));
}

async function outcomeOf(target: string, begin: () => Promise<unknown>): Promise<Outcome> {
  try {
    await begin();
    return { kind: "nsqd", target, error: "" };
  } catch (cause) {
    return { kind: "nsqd", target, error: problemOf(cause) };
  }
}
