/**
 * Ties the broker to its lookupds: registers what exists, and has a new topic wait for its channels.
 *
 * A topic that is new here may have channels elsewhere. Until the lookupds were asked for them the topic releases
 * nothing, so the first message already reaches them all; publishing to it goes on meanwhile.
 *
 * Tested in test/cluster/cluster_test.ts.
 */
import type { Broker } from "../../broker/broker.ts";
import type { Topic } from "../../broker/topic.ts";
import type { Logger } from "../../log/logger.ts";
import type { LiveOptions } from "../../options/live_options.ts";
import type { nsqdOptions } from "../../options/tables/nsqd_options.ts";
import { version } from "../../version.ts";
import { LookupLoop } from "./lookup_loop.ts";

/** The ports that are listened on; 0 for none. */
export interface ListeningPorts {
  tcp: number;
  http: number;
}

/** Registers with the lookupds of the options, also when these change. The broker has its restored topics already. */
export function joinLookupds(
  broker: Broker,
  live: LiveOptions<typeof nsqdOptions>,
  ports: ListeningPorts,
  logger: Logger,
): LookupLoop {
  const options = live.values;
  const loop = new LookupLoop(
    {
      announcement: {
        broadcastAddresses: options.broadcastAddress,
        hostname: Deno.hostname(),
        tcpPort: options.broadcastTcpPort || Math.max(0, ports.tcp),
        httpPort: options.broadcastHttpPort || Math.max(0, ports.http),
        topologyRegion: options.topologyRegion,
        topologyZone: options.topologyZone,
        version,
      },
      maxBodySize: () => options.maxBodySize,
      httpClientConnectTimeoutMs: options.httpClientConnectTimeout,
      httpClientRequestTimeoutMs: options.httpClientRequestTimeout,
    },
    { registrations: () => registrations(broker) },
    logger,
  );
  broker.observers.push({
    topicCreated(topic) {
      loop.topicCreated(topic.name);
      if (loop.addresses.length > 0) createKnownChannels(loop, topic, logger);
    },
    topicDeleted: (topic) => loop.topicDeleted(topic.name),
    channelCreated: (channel) => loop.channelCreated(channel.topic.name, channel.name),
    channelDeleted: (channel) => {
      if (!channel.topic.exiting) loop.channelDeleted(channel.topic.name, channel.name);
    },
  });
  loop.setPeers(options.lookupdTcpAddress);
  live.on("lookupdTcpAddress", (addresses) => loop.setPeers(addresses));
  return loop;
}

function* registrations(broker: Broker) {
  for (const topic of broker.topics.values()) yield { topic: topic.name, channels: topic.channels.keys() };
}

function createKnownChannels(loop: LookupLoop, topic: Topic, logger: Logger): void {
  topic.settingUp = true;
  loop.lookupTopicChannels(topic.name).then((names) => {
    if (topic.exiting) return;
    for (const name of names) {
      logger.info(`TOPIC(${topic.name}): creating channel ${name}, which a lookupd knows`);
      topic.channel(name, false);
    }
  }).finally(() => {
    topic.settingUp = false;
    topic.release();
  });
}
