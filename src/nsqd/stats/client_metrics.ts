/** The metrics of single clients, which a scrape has to ask for. */
import { labelsText, type MetricsWriter } from "../../metrics/text_format.ts";
import type { StatsClient } from "./stats.ts";

/** What these metrics read of a connection. */
export type MetricsClient = Pick<
  StatsClient,
  "publishCounts" | "remoteAddress" | "settings" | "subscription"
>;

/** A consumer and its labels. */
interface ConsumerRow {
  readonly client: MetricsClient;
  readonly labels: string;
}

interface ConsumerFamily {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  read(subscription: NonNullable<MetricsClient["subscription"]>): number;
}

const CONSUMER_FAMILIES: readonly ConsumerFamily[] = [
  {
    name: "client_ready",
    type: "gauge",
    help: "RDY count of a consumer",
    read: (subscription) => subscription.rdy,
  },
  {
    name: "client_in_flight",
    type: "gauge",
    help: "Messages that a consumer works on",
    read: (subscription) => subscription.inFlight,
  },
  {
    name: "client_messages_total",
    type: "counter",
    help: "Messages sent to a consumer",
    read: (subscription) => subscription.messageCount,
  },
  {
    name: "client_finished_total",
    type: "counter",
    help: "Messages that a consumer finished",
    read: (subscription) => subscription.finishCount,
  },
  {
    name: "client_requeued_total",
    type: "counter",
    help: "Messages that a consumer requeued",
    read: (subscription) => subscription.requeueCount,
  },
];

/** Numbers of clients without an address of their own: all who come through a Unix socket have the same. */
const NUMBERS = new WeakMap<MetricsClient, number>();
let nextNumber = 1;

/** Writes the families of `connections`, pausing after each sample. */
export function* writeClients(
  to: MetricsWriter,
  connections: Iterable<MetricsClient>,
): Generator<void, void> {
  const clients = [...connections], consumers = clients.flatMap(consumerRow);
  for (const { name, type, help, read } of CONSUMER_FAMILIES) {
    to.head(name, type, help);
    for (const { client, labels } of consumers) {
      if (client.subscription === null) continue;
      to.sample(read(client.subscription), labels);
      yield;
    }
  }
  to.head("client_published_total", "counter", "Messages that a client published");
  for (const client of clients) {
    for (const [topic, count] of client.publishCounts ?? []) {
      to.sample(count, labelsText({ topic, ...nameOf(client) }));
      yield;
    }
  }
}

function consumerRow(client: MetricsClient): ConsumerRow[] {
  if (client.subscription === null) return [];
  const { channel } = client.subscription;
  const labels = labelsText({ topic: channel.topic.name, channel: channel.name, ...nameOf(client) });
  return [{ client, labels }];
}

function nameOf(client: MetricsClient): Record<string, string> {
  const { clientId, hostname } = client.settings;
  return { client_id: clientId, hostname, remote_address: addressOf(client) };
}

function addressOf(client: MetricsClient): string {
  const { remoteAddress } = client;
  if (remoteAddress !== "@") return remoteAddress;
  let number = NUMBERS.get(client);
  if (number === undefined) NUMBERS.set(client, number = nextNumber++);
  return `@${number}`;
}
