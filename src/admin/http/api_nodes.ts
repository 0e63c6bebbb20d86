/** `/api/nodes...` and `/api/counter`. Tested in test/admin/http/api_test.ts. */
import { topicOfNode } from "../../cluster/aggregate.ts";
import { nodeIdOf, type Producer } from "../../cluster/node_answers.ts";
import { warningOf } from "../../cluster/partial.ts";
import { HttpError } from "../../http/errors.ts";
import type { RequestContext, Route } from "../../http/router.ts";
import { isValidName } from "../../protocol/names.ts";
import type { Api } from "./api.ts";
import { readMembers } from "./request_body.ts";
import { asking } from "./upstream_answer.ts";

export function nodeRoutes(api: Api): Route[] {
  const node = "/api/nodes/:node";
  return [
    { method: "GET", path: "/api/nodes", handle: () => listNodes(api) },
    { method: "GET", path: node, handle: (context) => showNode(api, context) },
    { method: "DELETE", path: node, handle: (context) => tombstone(api, context) },
    { method: "GET", path: "/api/counter", handle: () => counter(api) },
  ];
}

function listNodes({ cluster }: Api) {
  return asking(async () => {
    const { values, errors } = await cluster.nodes();
    return { nodes: values.length === 0 ? null : values.map(nodeAnswer), message: warningOf(errors) };
  });
}

function nodeAnswer(producer: Producer) {
  const { region, zone } = producer;
  return {
    remote_addresses: producer.remoteAddresses,
    remote_address: producer.remoteAddress,
    hostname: producer.hostname,
    broadcast_address: producer.broadcastAddress,
    tcp_port: producer.tcpPort,
    http_port: producer.httpPort,
    version: producer.version,
    ...(zone === "" ? {} : { topology_zone: zone }),
    ...(region === "" ? {} : { topology_region: region }),
    topics: producer.topics.map(({ topic, isTombstoned }) => ({ topic, tombstoned: isTombstoned })),
    out_of_date: producer.isOutOfDate,
  };
}

function showNode({ cluster, nowMs }: Api, context: RequestContext) {
  const id = context.parameter("node");
  return asking(async () => {
    const { values, errors } = await cluster.nodes();
    const producer = values.find((each) => nodeIdOf(each) === id);
    if (producer === undefined) throw new HttpError(404, "NODE_NOT_FOUND");
    const { values: [{ stats }] } = await cluster.stats([producer], { includeClients: true });
    const topics = stats.topics.map((topic) => topicOfNode(topic, producer, nowMs()));
    const clientCounts = topics.flatMap(({ channels }) =>
      channels.map(({ clients }) => clients?.length ?? 0)
    );
    return {
      node: id,
      topics,
      total_messages: topics.reduce((total, { message_count }) => total + message_count, 0),
      total_clients: clientCounts.reduce((total, count) => total + count, 0),
      message: warningOf(errors),
    };
  });
}

async function tombstone(api: Api, context: RequestContext) {
  api.authorize(context, "tombstone");
  let topic;
  try {
    ({ topic } = await readMembers(context.request, ["topic"]));
  } catch (cause) {
    if (!(cause instanceof HttpError) || cause.status !== 400) throw cause;
    throw new HttpError(400, "INVALID_BODY");
  }
  if (!isValidName(topic)) throw new HttpError(400, "INVALID_TOPIC");
  const node = context.parameter("node");
  return { message: (await asking(() => api.run(context, { kind: "tombstone", topic, node }))).message };
}

function counter({ cluster }: Api) {
  return asking(async () => {
    const nodes = await cluster.nodes();
    const { values, errors } = await cluster.stats(nodes.values, { includeClients: false });
    const stats: Record<string, unknown> = {};
    for (const { producer, stats: { topics } } of values) {
      const node = nodeIdOf(producer);
      for (const { topic_name, channels } of topics) {
        for (const { channel_name, message_count } of channels) {
          stats[`${topic_name}:${channel_name}:${node}`] = { node, topic_name, channel_name, message_count };
        }
      }
    }
    return { stats, message: warningOf(nodes.errors, errors) };
  });
}
