/** The few calls of nsqd's HTTP API that the crash tests need. */

const DEADLINE_MS = 20_000;

/** What a topic holds, by name of the topic. */
export type Holdings = Map<string, TopicHolding>;

export interface TopicHolding {
  depth: number;
  isPaused: boolean;
  channels: Map<string, ChannelHolding>;
}

export interface ChannelHolding {
  depth: number;
  isPaused: boolean;
  inFlight: number;
  deferred: number;
}

interface StatsAnswer {
  topics: {
    topic_name: string;
    depth: number;
    paused: boolean;
    channels: {
      channel_name: string;
      depth: number;
      in_flight_count: number;
      deferred_count: number;
      paused: boolean;
    }[];
  }[];
}

/** @throws when it is not answered with 200 in time */
export async function post(port: number, path: string, body?: Uint8Array<ArrayBuffer>): Promise<void> {
  await call(port, "POST", path, body);
}

export async function holdings(port: number): Promise<Holdings> {
  const stats = JSON.parse(
    await call(port, "GET", "/stats?format=json&include_clients=false"),
  ) as StatsAnswer;
  return new Map(stats.topics.map((topic) => [topic.topic_name, {
    depth: topic.depth,
    isPaused: topic.paused,
    channels: new Map(topic.channels.map((channel) => [channel.channel_name, {
      depth: channel.depth,
      isPaused: channel.paused,
      inFlight: channel.in_flight_count,
      deferred: channel.deferred_count,
    }])),
  }]));
}

export function isEmpty(holdings: Holdings): boolean {
  for (const { depth, channels } of holdings.values()) {
    if (depth > 0) return false;
    for (const channel of channels.values()) {
      if (channel.depth + channel.inFlight + channel.deferred > 0) return false;
    }
  }
  return true;
}

async function call(
  port: number,
  method: string,
  path: string,
  body?: Uint8Array<ArrayBuffer>,
): Promise<string> {
  // A connection of its own: one that is kept would outlive the broker.
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    body,
    headers: { connection: "close" },
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
  return text;
}
