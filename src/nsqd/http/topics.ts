/**
 * The endpoints under `/topic` and `/channel`: create, delete, empty, pause and unpause.
 *
 * Tested in test/nsqd/http/routes_test.ts.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import type { Topic } from "../../broker/topic.ts";
import { HttpError } from "../../http/errors.ts";
import type { Query } from "../../http/query.ts";
import type { Route } from "../../http/router.ts";
import { isEphemeral, isValidName } from "../../protocol/names.ts";

/** What an endpoint does; a promise is for what must be in the log before the answer. */
type Action = (broker: Broker, query: Query) => void | Promise<void>;

/** The endpoints for the topics and channels of `broker`. */
export function topicRoutes(broker: Broker): Route[] {
  const actions: Record<string, Action> = {
    "/topic/create": createTopic,
    "/topic/delete": deleteTopic,
    "/topic/empty": emptyTopic,
    "/topic/pause": (broker, query) => existingTopic(broker, requiredTopic(query)).setPaused(true),
    "/topic/unpause": (broker, query) => existingTopic(broker, requiredTopic(query)).setPaused(false),
    "/channel/create": createChannel,
    "/channel/delete": deleteChannel,
    "/channel/empty": emptyChannel,
    "/channel/pause": (broker, query) => existingChannel(broker, query).setPaused(true),
    "/channel/unpause": (broker, query) => existingChannel(broker, query).setPaused(false),
  };
  return Object.entries(actions).map(([path, action]) => ({
    method: "POST",
    path,
    handle({ query }) {
      // Delays and records take the time of the turn.
      broker.beginTurn();
      return action(broker, query);
    },
  }));
}

// ---- topics -----------------------------------------------------------------------------------

/** The topic named in the query. @throws {HttpError} MISSING_ARG_TOPIC */
function requiredTopic(query: Query): string {
  const name = query.get("topic");
  if (name === undefined) throw new HttpError(400, "MISSING_ARG_TOPIC");
  return name;
}

/** The same, when the name is valid. @throws {HttpError} INVALID_TOPIC besides */
export function requiredValidTopic(query: Query): string {
  const name = requiredTopic(query);
  if (!isValidName(name)) throw new HttpError(400, "INVALID_TOPIC");
  return name;
}

/** The existing topic of the query. @throws {HttpError} */
export function existingTopicOf(broker: Broker, query: Query): Topic {
  return existingTopic(broker, requiredValidTopic(query));
}

function existingTopic(broker: Broker, name: string): Topic {
  const topic = broker.topics.get(name);
  if (topic === undefined) throw new HttpError(404, "TOPIC_NOT_FOUND");
  return topic;
}

async function createTopic(broker: Broker, query: Query): Promise<void> {
  const name = requiredValidTopic(query);
  if (broker.topics.has(name)) return;
  await recorded(broker, !broker.topic(name, isEphemeral(name)).ephemeral);
}

async function deleteTopic(broker: Broker, query: Query): Promise<void> {
  const topic = existingTopic(broker, requiredTopic(query));
  broker.deleteTopic(topic.name);
  await recorded(broker, !topic.ephemeral);
}

async function emptyTopic(broker: Broker, query: Query): Promise<void> {
  const topic = existingTopic(broker, requiredValidTopic(query));
  topic.empty();
  await recorded(broker, !topic.ephemeral);
}

// ---- channels ---------------------------------------------------------------------------------

/** The existing topic and the valid channel name of the query. */
function topicAndChannelName(broker: Broker, query: Query): { topic: Topic; channelName: string } {
  const topicName = query.get("topic");
  if (topicName === undefined) throw new HttpError(400, "MISSING_ARG_TOPIC");
  if (!isValidName(topicName)) throw new HttpError(400, "INVALID_ARG_TOPIC");
  const channelName = query.get("channel");
  if (channelName === undefined) throw new HttpError(400, "MISSING_ARG_CHANNEL");
  if (!isValidName(channelName)) throw new HttpError(400, "INVALID_ARG_CHANNEL");
  return { topic: existingTopic(broker, topicName), channelName };
}

export function existingChannel(broker: Broker, query: Query): Channel {
  const { topic, channelName } = topicAndChannelName(broker, query);
  const channel = topic.channels.get(channelName);
  if (channel === undefined) throw new HttpError(404, "CHANNEL_NOT_FOUND");
  return channel;
}

async function createChannel(broker: Broker, query: Query): Promise<void> {
  const { topic, channelName } = topicAndChannelName(broker, query);
  if (topic.channels.has(channelName)) return;
  await recorded(broker, topic.channel(channelName, isEphemeral(channelName)).durable);
}

async function deleteChannel(broker: Broker, query: Query): Promise<void> {
  const channel = existingChannel(broker, query);
  channel.topic.deleteChannel(channel.name);
  await recorded(broker, channel.durable);
}

async function emptyChannel(broker: Broker, query: Query): Promise<void> {
  const channel = existingChannel(broker, query);
  channel.empty();
  await recorded(broker, channel.durable);
}

// ---- recording --------------------------------------------------------------------------------

/**
 * Resolves when the log holds what was done in this turn; at once when it is not `durable`. An answer must not
 * promise what a crash could undo.
 *
 * @throws {HttpError} 503 EXITING when the disk refuses
 */
export async function recorded(broker: Broker, durable: boolean): Promise<void> {
  if (!durable) return;
  try {
    await broker.committer.wait();
  } catch (cause) {
    throw new HttpError(503, "EXITING", { cause });
  }
}
