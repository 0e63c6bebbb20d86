/**
 * Says what an action would do before it is done: to how many messages, on which nodes, whether it can be undone,
 * and which command does the same. Tested in test/admin/actions/preview_test.ts.
 */
import {
  type Action,
  type ActionPreview,
  isOnLetters,
  type LetterAction,
  roleFor,
  type User,
} from "../model/action.ts";
import type { Snapshot, TopicOnNode } from "../model/snapshot.ts";
import { counted } from "../poller/words.ts";
import { isAllowed } from "./actions.ts";
import { nodesOfLetters } from "./letters.ts";

/** @param address where the console is reached, such as `http://host:4171/adm` */
export function previewOf(action: Action, user: User, snapshot: Snapshot, address: string): ActionPreview {
  const perNode = subjectOf(action, snapshot);
  const nodes = isOnLetters(action) ? nodesOfLetters(snapshot, action) : perNode.map(({ node }) => node);
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
  if (isOnLetters(action)) return lettersOf(action, perNode);
  const own = perNode.reduce(
    (total, { figures: { depth, inFlight, deferred, dead } }) =>
      total + depth + (takesInFlight(action) ? inFlight + deferred + (dead ?? 0) : 0),
    0,
  );
  const takesChannels = action.kind === "tombstone" || action.kind === "delete" && action.channel === null;
  if (!takesChannels) return own;
  const on = new Set(perNode.map(({ node }) => node));
  let total = perNode.reduce((sum, { figures }) => sum + figures.depth, 0);
  for (const channel of topics.get(action.topic)?.channels.values() ?? []) {
    for (const { node, figures: { depth, inFlight, deferred, dead } } of channel.perNode) {
      if (on.has(node)) total += depth + inFlight + deferred + (dead ?? 0);
    }
  }
  return total;
}

/** As far as nodes tell. */
function lettersOf(action: LetterAction, perNode: readonly TopicOnNode[]): number {
  if (action.kind === "stop job") return 0;
  if (action.letters.ticked !== null) return action.letters.ticked.length;
  const { reason } = action.letters;
  return perNode.reduce(
    (sum, { figures: { dead, deadOf } }) => sum + ((reason === null ? dead : deadOf?.[reason]) ?? 0),
    0,
  );
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
    case "redrive": {
      const where = action.toTopic === null ? "back into the channel" : `to ${action.toTopic}`;
      return `Brings ${lettersText(action, messageCount)} of ${subject} ${where} ${on}.`;
    }
    case "delete letters":
      return `Throws ${lettersText(action, messageCount)} of ${subject} away ${on}.`;
    case "stop job":
      return `Stops job ${action.job} of ${subject} ${on}; what it did stays done.`;
    case "tombstone":
      return `Hides ${action.node} from those who look for ${action.topic}, and deletes the topic there: throws ${messages} away.`;
  }
}

function lettersText({ letters }: Exclude<LetterAction, { kind: "stop job" }>, count: number): string {
  return letters.ticked === null && letters.reason !== null
    ? `all dead letters that died of ${letters.reason} (${count})`
    : counted(count, "dead letter");
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
    case "redrive":
      return "What is brought back is with consumers at once; a job can be stopped on the way.";
    case "delete letters":
      return "What is deleted is gone; a job can be stopped on the way.";
    case "stop job":
      return "A job that was stopped does not go on; begin another one.";
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
  if (isOnLetters(action)) return curlOfLetters(action);
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

/** Asked of each node itself: the console has no such API. */
function curlOfLetters(action: LetterAction): string {
  if (action.kind === "stop job") {
    return `curl -X DELETE ${quoted(`http://${action.node}/jobs/${encodeURIComponent(action.job)}`)}`;
  }
  const { topic, channel, letters } = action;
  const common = { topic, channel };
  const how = action.kind === "redrive"
    ? {
      ...(action.toTopic === null ? {} : { to_topic: action.toTopic }),
      attempts: action.keepsAttempts ? "keep" : "reset",
      ...(action.ratePerSecond > 0 ? { rate: String(action.ratePerSecond) } : {}),
    }
    : {};
  const path = action.kind === "redrive" ? "channel/redrive" : "channel/dead/delete";
  const line = (node: string, what: Record<string, string>) =>
    `curl -X POST ${quoted(`http://${node}/${path}?${new URLSearchParams({ ...common, ...what, ...how })}`)}`;
  if (letters.ticked === null) {
    return line("<node>:4151", {
      all: "true",
      ...(letters.reason === null ? {} : { reason: letters.reason }),
    });
  }
  return [...Map.groupBy(letters.ticked, ({ node }) => node)]
    .map(([node, list]) => line(node, { ids: list.map(({ id }) => id).join(",") })).join("\n");
}

/** For a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
