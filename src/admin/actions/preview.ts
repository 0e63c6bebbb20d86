/**
 * Says what an action would do before it is done: to how many messages, on which nodes, whether it can be undone,
 * and which command does the same. Tested in test/admin/actions/preview_test.ts.
 */
import { type Action, type ActionPreview, roleFor, type User } from "../model/action.ts";
import type { Snapshot, TopicOnNode } from "../model/snapshot.ts";
import { counted } from "../poller/words.ts";
import { isAllowed } from "./actions.ts";

/** @param address where the console is reached, such as `http://host:4171/adm` */
export function previewOf(action: Action, user: User, snapshot: Snapshot, address: string): ActionPreview {
  const perNode = subjectOf(action, snapshot);
  const nodes = perNode.map(({ node }) => node);
  const messageCount = messagesOf(action, snapshot, perNode);
  return {
    text: textOf(action, messageCount, nodes),
    messageCount,
    nodes,
    nameToType: action.kind === "delete" ? action.channel ?? action.topic : "",
    whyNoUndo: whyNoUndo(action, snapshot, nodes),
    curl: curlOf(action, address),
    whyNot: isAllowed(user, action.kind)
      ? ""
      : `This needs the role ${roleFor[action.kind]}; ${
        user.name === "" ? "you have" : `${user.name} has`
      } the role ${user.role}.`,
  };
}

function subjectOf(action: Action, { topics, nodes }: Snapshot): readonly TopicOnNode[] {
  const topic = topics.get(action.topic);
  if (action.kind === "publish") return [];
  if (action.kind === "tombstone") return (topic?.perNode ?? []).filter(({ node }) => node === action.node);
  if (action.kind === "create") {
    return action.channel === null || nodes.length === 0 ? [] : topic?.perNode ?? [];
  }
  return (action.channel === null ? topic?.perNode : topic?.channels.get(action.channel)?.perNode) ?? [];
}

/** A topic that goes takes its channels with it; one that is emptied loses only what no channel has yet. */
function messagesOf(action: Action, { topics }: Snapshot, perNode: readonly TopicOnNode[]): number {
  if (action.kind === "publish") return action.bodies.length;
  if (action.kind === "create") return 0;
  const own = perNode.reduce(
    (total, { figures: { depth, inFlight, deferred } }) =>
      total + depth + (takesInFlight(action) ? inFlight + deferred : 0),
    0,
  );
  const takesChannels = action.kind === "tombstone" || action.kind === "delete" && action.channel === null;
  if (!takesChannels) return own;
  const on = new Set(perNode.map(({ node }) => node));
  let total = perNode.reduce((sum, { figures }) => sum + figures.depth, 0);
  for (const channel of topics.get(action.topic)?.channels.values() ?? []) {
    for (const { node, figures: { depth, inFlight, deferred } } of channel.perNode) {
      if (on.has(node)) total += depth + inFlight + deferred;
    }
  }
  return total;
}

/** Figures of a topic count there what is in flight in its channels, which emptying it does not touch. */
function takesInFlight(action: Action): boolean {
  const isOfChannel = "channel" in action && action.channel !== null;
  return isOfChannel && (action.kind === "empty" || action.kind === "delete");
}

function textOf(action: Action, messageCount: number, nodes: readonly string[]): string {
  const messages = counted(messageCount, "message"), on = `on ${counted(nodes.length, "node")}`;
  const subject = "channel" in action && action.channel !== null
    ? `channel ${action.channel} of ${action.topic}`
    : `topic ${action.topic}`;
  switch (action.kind) {
    case "create":
      return `Creates ${subject}.`;
    case "publish":
      return `Publishes ${messages} to ${action.topic}${action.node === null ? "" : ` on ${action.node}`}.`;
    case "pause":
      return `Pauses ${subject} ${on}: ${messages} and all that come will wait.`;
    case "unpause":
      return `Lets ${subject} go on ${on}: ${messages} waiting.`;
    case "empty":
      return `Empties ${subject}: throws ${messages} away ${on}.`;
    case "delete":
      return action.channel === null
        ? `Deletes ${subject} with all its channels: throws ${messages} away ${on}.`
        : `Deletes ${subject}: throws ${messages} away ${on}, and disconnects its consumers.`;
    case "tombstone":
      return `Hides ${action.node} from those who look for ${action.topic}, and deletes the topic there: throws ${messages} away.`;
  }
}

function whyNoUndo(action: Action, { nodes }: Snapshot, asked: readonly string[]): string {
  switch (action.kind) {
    case "pause":
    case "unpause":
      return "";
    case "empty": {
      const reasons = nodes.filter(({ id }) => asked.includes(id)).map((node) => node.capabilities.undoEmpty);
      return reasons.find((reason) => reason !== "") ?? "";
    }
    case "publish":
      return "What is published is with consumers at once.";
    default:
      return "The nodes keep nothing of what is deleted or created.";
  }
}

function curlOf(action: Action, address: string): string {
  const segment = encodeURIComponent;
  const json = (value: unknown) => quoted(JSON.stringify(value));
  if (action.kind === "tombstone") {
    return `curl -X DELETE ${quoted(`${address}/api/nodes/${segment(action.node)}`)} -d ${
      json({ topic: action.topic })
    }`;
  }
  if (action.kind === "publish") {
    const defer = action.deferMs > 0 ? `&defer=${Math.round(action.deferMs)}` : "";
    const node = action.node ?? "<node>:4151";
    return action.bodies.map((body) => {
      const url = `http://${node}/pub?topic=${segment(action.topic)}${defer}`;
      return `curl --data-binary ${quoted(new TextDecoder().decode(body))} ${quoted(url)}`;
    }).join("\n");
  }
  const { topic, channel } = action;
  if (action.kind === "create") {
    return `curl ${quoted(`${address}/api/topics`)} -d ${
      json(channel === null ? { topic } : { topic, channel })
    }`;
  }
  const path = channel === null ? segment(topic) : `${segment(topic)}/${segment(channel)}`;
  const url = quoted(`${address}/api/topics/${path}`);
  return action.kind === "delete"
    ? `curl -X DELETE ${url}`
    : `curl ${url} -d ${json({ action: action.kind })}`;
}

/** For a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
