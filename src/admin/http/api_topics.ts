/**
 * `/api/topics...`: lists topics, adds up what nodes say of one, and changes them.
 *
 * Tested in test/admin/http/api_test.ts.
 */
import { aggregateChannel, aggregateTopic } from "../../cluster/aggregate.ts";
import { type NodeAction, nodeActions } from "../../cluster/mutations.ts";
import { NobodyAnsweredError, warningOf } from "../../cluster/partial.ts";
import { HttpError, internalError } from "../../http/errors.ts";
import type { RequestContext, Route } from "../../http/router.ts";
import { isValidName } from "../../protocol/names.ts";
import type { Action } from "../model/action.ts";
import type { Api } from "./api.ts";
import { readMembers } from "./request_body.ts";
import { asking } from "./upstream_answer.ts";

export function topicRoutes(api: Api): Route[] {
  const topics = "/api/topics", topic = `${topics}/:topic`, channel = `${topic}/:channel`;
  return [
    { method: "GET", path: topics, handle: (context) => listTopics(api, context) },
    { method: "POST", path: topics, handle: (context) => create(api, context) },
    { method: "GET", path: topic, handle: (context) => showTopic(api, context) },
    { method: "POST", path: topic, handle: (context) => act(api, context) },
    { method: "DELETE", path: topic, handle: (context) => remove(api, context) },
    { method: "GET", path: channel, handle: (context) => showChannel(api, context) },
    { method: "POST", path: channel, handle: (context) => act(api, context) },
    { method: "DELETE", path: channel, handle: (context) => remove(api, context) },
  ];
}

function listTopics({ cluster }: Api, context: RequestContext) {
  const isInactive = queryParameter(context, "inactive") === "true";
  return asking(async () => {
    const { values, errors } = await cluster.topics();
    if (!isInactive) return { topics: values.length === 0 ? null : values, message: warningOf(errors) };
    return { topics: await inactiveTopics(cluster, values), message: warningOf(errors) };
  });
}

/** The topics that lookupds know but no node has, with their channels. */
async function inactiveTopics(
  cluster: Api["cluster"],
  names: readonly string[],
): Promise<Record<string, string[] | null>> {
  const inactive: Record<string, string[] | null> = {};
  if (!cluster.hasLookupds) return inactive;
  // Whoever cannot be asked about a topic shows in the list of topics already.
  const without = await Promise.all(names.map(async (topic) => {
    const { values } = await cluster.lookupdProducersOf(topic).catch(ignoreNobody);
    if (values.length > 0) return null;
    return { topic, channels: (await cluster.lookupdChannels(topic).catch(ignoreNobody)).values as string[] };
  }));
  for (const each of without) {
    if (each !== null) inactive[each.topic] = each.channels.length === 0 ? null : each.channels;
  }
  return inactive;
}

function ignoreNobody(cause: unknown): { values: never[] } {
  if (cause instanceof NobodyAnsweredError) return { values: [] };
  throw cause;
}

function showTopic({ cluster, nowMs }: Api, context: RequestContext) {
  const topic = context.parameter("topic");
  return asking(async () => {
    const producers = await cluster.producersOf(topic);
    const stats = await cluster.stats(producers.values, { topic, includeClients: false });
    const answer = aggregateTopic(topic, stats.values, nowMs());
    if (answer === undefined) throw new NobodyAnsweredError("nsqd", []);
    return { ...answer, message: warningOf(producers.errors, stats.errors) };
  });
}

function showChannel({ cluster, nowMs }: Api, context: RequestContext) {
  const topic = context.parameter("topic"), channel = context.parameter("channel");
  return asking(async () => {
    const producers = await cluster.producersOf(topic);
    const stats = await cluster.stats(producers.values, { topic, channel, includeClients: true });
    const answer = aggregateChannel(topic, channel, stats.values, nowMs());
    // Scripts know a missing channel by this.
    if (answer === undefined) throw internalError();
    return { ...answer, message: warningOf(producers.errors, stats.errors) };
  });
}

async function create(api: Api, context: RequestContext) {
  api.authorize(context, "create");
  const { topic, channel } = await readMembers(context.request, ["topic", "channel"]);
  if (!isValidName(topic)) throw new HttpError(400, "INVALID_TOPIC");
  if (channel !== "" && !isValidName(channel)) throw new HttpError(400, "INVALID_CHANNEL");
  return await run(api, context, { kind: "create", topic, channel: channel === "" ? null : channel });
}

async function act(api: Api, context: RequestContext) {
  api.authorize(context, "pause");
  const { action } = await readMembers(context.request, ["action"]);
  if (!(nodeActions as readonly string[]).includes(action)) throw new HttpError(400, "INVALID_ACTION");
  return await run(api, context, { kind: action as NodeAction, ...targetOf(context) });
}

async function remove(api: Api, context: RequestContext) {
  api.authorize(context, "delete");
  return await run(api, context, { kind: "delete", ...targetOf(context) });
}

function targetOf(context: RequestContext): { topic: string; channel: string | null } {
  const channel = context.parameter("channel");
  return { topic: context.parameter("topic"), channel: channel === "" ? null : channel };
}

async function run(api: Api, context: RequestContext, action: Action) {
  return { message: (await asking(() => api.run(context, action))).message };
}

/** @throws {HttpError} 400 with what is wrong with the query string */
function queryParameter(context: RequestContext, name: string): string | undefined {
  try {
    return context.query.get(name);
  } catch (cause) {
    if (!(cause instanceof HttpError)) throw cause;
    const escape = /%(?![0-9a-f]{2}).{0,2}/i.exec(context.target);
    throw new HttpError(
      cause.status,
      escape === null ? "invalid semicolon separator in query" : `invalid URL escape "${escape[0]}"`,
    );
  }
}
