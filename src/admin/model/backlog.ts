/**
 * What waits in a topic for whomever: the messages that no channel has yet, and those of all its channels. The
 * figures of a topic itself hold the first alone.
 */
import type { TopicView } from "./snapshot.ts";

/** Messages that wait in `topic` and in its channels, on all nodes. */
export function backlogOf({ figures, channels }: TopicView): number {
  let messages = figures.depth;
  for (const channel of channels.values()) messages += channel.figures.depth;
  return messages;
}

/** The same, on one node. */
export function backlogOn({ perNode, channels }: TopicView, node: string): number {
  let messages = 0;
  for (const parts of [perNode, ...[...channels.values()].map((channel) => channel.perNode)]) {
    messages += parts.find((part) => part.node === node)?.figures.depth ?? 0;
  }
  return messages;
}
