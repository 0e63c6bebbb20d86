/**
 * A console without a cluster: plain data behind the seam that pages are written against, for tests of what pages
 * make of it.
 */
import { HttpError } from "../../src/http/errors.ts";
import {
  type Console,
  type ConsoleSettings,
  historyMetrics,
  type HistorySeries,
  type TailView,
} from "../../src/admin/console.ts";
import type { Action, ActionRecord } from "../../src/admin/model/action.ts";
import {
  type AttentionLine,
  type Capabilities,
  capabilityNames,
  type ChannelView,
  type ClientView,
  type Diagnosis,
  type Figures,
  type NodeView,
  type Snapshot,
  type TopicView,
} from "../../src/admin/model/snapshot.ts";
import { NO_FIGURES } from "../../src/admin/poller/reading.ts";

export const noFigures: Figures = NO_FIGURES;

const noLatency = { count: 0, percentiles: [] };
const fine: Diagnosis = { severity: "ok", cause: "none", text: "Consumers keep up." };

export function sampleNode(id: string, changes: Partial<NodeView> = {}): NodeView {
  const [host, port] = id.split(":");
  const capabilities = Object.fromEntries(
    capabilityNames.map((name) => [name, "Not offered by this version."]),
  );
  return {
    id,
    hostname: host,
    broadcastAddress: host,
    tcpPort: Number(port) - 1,
    httpPort: Number(port),
    version: "1.0.0",
    region: "",
    zone: "",
    isOutOfDate: false,
    capabilities: capabilities as Capabilities,
    isUp: true,
    error: "",
    lastAnswerMs: 1_700_000_000_000,
    answerMs: 2,
    startMs: 1_700_000_000_000,
    health: "OK",
    remoteAddresses: [],
    topics: [],
    figures: noFigures,
    process: null,
    ...changes,
  };
}

export function sampleChannel(
  topic: string,
  name: string,
  changes: Omit<Partial<ChannelView>, "figures"> & { figures?: Partial<Figures> } = {},
): ChannelView {
  const figures = { ...noFigures, ...changes.figures };
  return {
    topic,
    name,
    isEphemeral: false,
    isPaused: false,
    latency: noLatency,
    perNode: [{ node: "n1:4151", isPaused: false, figures, latency: noLatency }],
    diagnosis: fine,
    clients: null,
    ...changes,
    figures,
  };
}

export function sampleTopic(
  name: string,
  channels: readonly ChannelView[],
  changes: Omit<Partial<TopicView>, "figures"> & { figures?: Partial<Figures> } = {},
): TopicView {
  const figures = { ...noFigures, ...changes.figures };
  return {
    name,
    isEphemeral: false,
    isPaused: false,
    latency: noLatency,
    perNode: [{ node: "n1:4151", isPaused: false, figures, latency: noLatency }],
    channels: new Map(channels.map((channel) => [channel.name, channel])),
    ...changes,
    figures,
  };
}

export function sampleClient(changes: Partial<ClientView> = {}): ClientView {
  return {
    node: "n1:4151",
    topic: "orders",
    channel: "billing",
    clientId: "worker-1",
    hostname: "worker-1",
    remoteAddress: "10.0.0.9:50000",
    version: "V2",
    userAgent: "nsqjs/0.13.0",
    connectedAtMs: 1_700_000_000_000,
    inFlight: 0,
    ready: 100,
    finishCount: 10,
    requeueCount: 0,
    messageCount: 10,
    finishedPerMinute: 60,
    requeuedPerMinute: 0,
    lastFinishMs: 1_700_000_000_000,
    sampleRate: 0,
    isTls: false,
    tlsVersion: "",
    tlsCipherSuite: "",
    isDeflate: false,
    isSnappy: false,
    isAuthed: false,
    authIdentity: "",
    authIdentityUrl: "",
    region: "",
    zone: "",
    nodeRegion: "",
    nodeZone: "",
    ...changes,
  };
}

/** @param changes what differs from one node that is up and nothing else */
export function sampleSnapshot(
  topics: readonly TopicView[],
  changes: Partial<Snapshot> & { attention?: readonly AttentionLine[] } = {},
): Snapshot {
  const nodes = changes.nodes ?? [sampleNode("n1:4151")];
  return {
    atMs: 1_700_000_000_000,
    discovery: "lookupd",
    lookupds: [{ address: "n1:4161", isUp: true, error: "", sinceMs: 1_700_000_000_000 }],
    topics: new Map(topics.map((topic) => [topic.name, topic])),
    totals: {
      ...noFigures,
      topicCount: topics.length,
      channelCount: topics.reduce((sum, { channels }) => sum + channels.size, 0),
      nodesUp: nodes.filter(({ isUp }) => isUp).length,
      nodesKnown: nodes.length,
      diskBytes: null,
    },
    attention: [],
    message: "",
    ...changes,
    nodes,
  };
}

const settings: ConsoleSettings = {
  basePath: "/",
  version: "1.0.0",
  environment: null,
  graphite: null,
  lookupdHttpAddresses: ["n1:4161"],
  nsqdHttpAddresses: [],
  hasUsers: false,
};

/** A console that shows what `look` returns, remembers what was done, and does nothing. */
export class SampleConsole implements Console {
  readonly settings: ConsoleSettings;
  readonly stopping = new AbortController().signal;
  readonly actions: Action[] = [];
  readonly records: ActionRecord[] = [];
  readonly #look: () => Snapshot;
  readonly #series: (key: string) => HistorySeries | undefined;

  constructor(
    look: () => Snapshot,
    changes: Partial<ConsoleSettings> = {},
    series: (key: string) => HistorySeries | undefined = () => undefined,
  ) {
    this.#look = look;
    this.#series = series;
    this.settings = { ...settings, ...changes };
  }

  look(): Promise<Snapshot> {
    return Promise.resolve(this.#look());
  }

  snapshot(): Snapshot {
    return this.#look();
  }

  onSnapshot(): () => void {
    return () => {};
  }

  history(key: string, fromMs: number, toMs: number): HistorySeries | undefined {
    const series = this.#series(key);
    if (series === undefined) return undefined;
    const kept = series.t.flatMap((t, index) => t * 1000 >= fromMs && t * 1000 <= toMs ? [index] : []);
    const values = historyMetrics.map((
      metric,
    ) => [metric, kept.map((index) => series.values[metric][index])]);
    return { t: kept.map((index) => series.t[index]), values: Object.fromEntries(values) };
  }

  marks() {
    return [];
  }

  preview() {
    return {
      text: "Does it to 1,204 messages on 1 node",
      messageCount: 1204,
      nodes: ["n1:4151"],
      nameToType: "",
      whyNoUndo: "",
      curl: "curl -X POST http://n1:4171/api/topics/orders",
      whyNot: "",
    };
  }

  act(_context: unknown, action: Action): Promise<ActionRecord> {
    this.actions.push(action);
    const record: ActionRecord = {
      id: String(this.records.length + 1),
      atMs: Date.now(),
      user: "",
      remoteAddress: "127.0.0.1",
      kind: action.kind,
      target: action.topic,
      isOk: true,
      message: "",
      results: [{ kind: "nsqd", target: "n1:4151", isOk: true, error: "" }],
      undoUntilMs: null,
    };
    this.records.unshift(record);
    return Promise.resolve(record);
  }

  undo(): Promise<ActionRecord> {
    throw new HttpError(404, "NOTHING_TO_UNDO");
  }

  tail(): TailView {
    return { messages: [], seenCount: 0, problem: "" };
  }

  messages(_user: unknown, node: string) {
    return Promise.resolve({ node, list: { messages: [], next: null, scanned: 0 }, problem: "" });
  }

  message(): Promise<never> {
    throw new HttpError(404, "MESSAGE_NOT_FOUND");
  }

  jobs() {
    return Promise.resolve([]);
  }

  audit(limit: number): ActionRecord[] {
    return this.records.slice(0, limit);
  }

  record(id: string): ActionRecord | undefined {
    return this.records.find((record) => record.id === id);
  }

  login() {
    return Promise.resolve({ isOk: false, reason: "wrong", retryAfterSeconds: 0 } as const);
  }

  logout(): void {}
}
