/**
 * What a page sees of the cluster: plain data of one moment, never changed once it is made.
 *
 * All figures are numbers of what the nodes said at their last answer; a node that fails keeps its figures and says
 * since when they are old. Rates come from the last two answers. `null` stands for what a node does not tell.
 * Tested in test/admin/poller/poller_test.ts.
 */

/** The cluster at one moment. */
export interface Snapshot {
  /** When the last poll ended, Unix ms; 0 before the first. */
  readonly atMs: number;
  /** Where nodes are learned from. */
  readonly discovery: "lookupd" | "nsqd";
  readonly lookupds: readonly LookupdView[];
  /** By hostname, then id. */
  readonly nodes: readonly NodeView[];
  /** By name. Topics that only lookupds know are in it too, with no node. */
  readonly topics: ReadonlyMap<string, TopicView>;
  readonly totals: Totals;
  /** The worst first; pages show the first ten. */
  readonly attention: readonly AttentionLine[];
  /** What failed in the last poll, as the HTTP API would put it; "" when nothing did. */
  readonly message: string;
}

export interface LookupdView {
  /** `host:port` of its HTTP API. */
  readonly address: string;
  readonly isUp: boolean;
  /** Why it does not answer; "" while it does. */
  readonly error: string;
  /** When it became what it is, Unix ms. */
  readonly sinceMs: number;
}

/** What a node may be able to do beyond the HTTP API that all nsqds share. */
export const capabilityNames = [
  "messages",
  "deadLetters",
  "redrive",
  "seek",
  "policies",
  "undoEmpty",
  "oldestAge",
  "process",
] as const;

export type CapabilityName = typeof capabilityNames[number];

/** For each: "" when the node offers it, else why not, as a sentence for people. */
export type Capabilities = Readonly<Record<CapabilityName, string>>;

export interface NodeView {
  /** `broadcast_address:http_port`, as in every address and answer. */
  readonly id: string;
  readonly hostname: string;
  readonly broadcastAddress: string;
  readonly tcpPort: number;
  readonly httpPort: number;
  readonly version: string;
  /** "" when it has none, as `zone`. */
  readonly region: string;
  readonly zone: string;
  /** Whether the version is below the highest of the cluster. */
  readonly isOutOfDate: boolean;
  readonly capabilities: Capabilities;
  /** Whether it answered the last poll; true also before the first. */
  readonly isUp: boolean;
  /** Why not; "" while it is up. */
  readonly error: string;
  /** The last answer, Unix ms; null when there was none: all figures are 0 then. */
  readonly lastAnswerMs: number | null;
  /** How long the last answer took. */
  readonly answerMs: number | null;
  /** When its process started, Unix ms; null when it does not say. */
  readonly startMs: number | null;
  /** `OK`, or `NOK - ` and the error. */
  readonly health: string;
  /** `lookupd address/remote address` of each lookupd that lists it; empty without lookupds. */
  readonly remoteAddresses: readonly string[];
  readonly topics: readonly { readonly name: string; readonly isTombstoned: boolean }[];
  /** Of all its topics and channels together. */
  readonly figures: Figures;
  readonly process: ProcessView | null;
}

/** What a node says of its process. */
export interface ProcessView {
  readonly residentBytes: number | null;
  readonly heapBytes: number | null;
  /** Of the data path. */
  readonly diskBytes: number | null;
  readonly diskFreeBytes: number | null;
  readonly eventLoopDelayMs: number | null;
  /** Mean time of a commit and of a sync since the start. */
  readonly commitMs: number | null;
  readonly syncMs: number | null;
  readonly connections: number | null;
}

/** Figures of a topic, a channel, a node or everything; sums over nodes where there are several. */
export interface Figures {
  /** Messages that wait: of a topic what no channel has yet, of a channel what waits in it; sums hold both. */
  readonly depth: number;
  /** Of those, on disk only. */
  readonly backendDepth: number;
  readonly inFlight: number;
  readonly deferred: number;
  /** Since the start of each node, as the next three. */
  readonly messageCount: number;
  readonly messageBytes: number;
  readonly requeueCount: number;
  readonly timeoutCount: number;
  readonly clientCount: number;
  /** Published (a topic), or entered (a channel). */
  readonly inPerSecond: number;
  /** Finished by consumers; of a topic by those of all its channels. */
  readonly outPerSecond: number;
  readonly requeuesPerMinute: number;
  readonly timeoutsPerMinute: number;
  /** Age of the oldest waiting message; null when no node says. */
  readonly oldestAgeMs: number | null;
  /** Dead letters; null when no node says, as the next three. */
  readonly dead: number | null;
  /** Of those, how many died of which reason. */
  readonly deadOf: Readonly<Record<string, number>> | null;
  /** Since the start of each node: what policies took off for its age, and for the bounds. */
  readonly expiredCount: number | null;
  readonly overflowCount: number | null;
}

export interface Totals extends Figures {
  readonly topicCount: number;
  readonly channelCount: number;
  readonly nodesUp: number;
  readonly nodesKnown: number;
  /** Null when no node says. */
  readonly diskBytes: number | null;
}

/** Time from publishing to FIN, milliseconds; the worst node's where there are several. */
export interface LatencyView {
  readonly count: number;
  readonly percentiles: readonly { readonly quantile: number; readonly ms: number }[];
}

export interface TopicView {
  readonly name: string;
  readonly isEphemeral: boolean;
  /** On at least one node. */
  readonly isPaused: boolean;
  readonly figures: Figures;
  readonly latency: LatencyView;
  readonly perNode: readonly TopicOnNode[];
  /** By name. */
  readonly channels: ReadonlyMap<string, ChannelView>;
}

export interface TopicOnNode {
  /** Id of the node. */
  readonly node: string;
  readonly isPaused: boolean;
  readonly figures: Figures;
  readonly latency: LatencyView;
}

export interface ChannelView {
  readonly topic: string;
  readonly name: string;
  readonly isEphemeral: boolean;
  readonly isPaused: boolean;
  readonly figures: Figures;
  readonly latency: LatencyView;
  readonly perNode: readonly TopicOnNode[];
  /** How it is, in one line. */
  readonly diagnosis: Diagnosis;
  /** Null unless somebody looks at the consumers of this channel, or of all. */
  readonly clients: readonly ClientView[] | null;
}

export type Severity = "ok" | "notice" | "warning" | "critical";

/** One line that says how a channel is, and why if it is stuck. */
export interface Diagnosis {
  readonly severity: Severity;
  /** `none` is fine; else what is the matter, for icons and tests. */
  readonly cause:
    | "none"
    | "no data"
    | "node down"
    | "node sick"
    | "paused"
    | "topic paused"
    | "no consumer"
    | "not ready"
    | "stuck in flight"
    | "timing out"
    | "requeueing"
    | "falling behind";
  /** A sentence for people. */
  readonly text: string;
}

export interface ClientView {
  /** Id of the node that it is connected to. */
  readonly node: string;
  readonly topic: string;
  readonly channel: string;
  readonly clientId: string;
  readonly hostname: string;
  readonly remoteAddress: string;
  /** Protocol, such as `V2`. */
  readonly version: string;
  readonly userAgent: string;
  readonly connectedAtMs: number;
  readonly inFlight: number;
  readonly ready: number;
  /** Since it connected, as the next two. */
  readonly finishCount: number;
  readonly requeueCount: number;
  readonly messageCount: number;
  /** Null until seen twice. */
  readonly finishedPerMinute: number | null;
  readonly requeuedPerMinute: number | null;
  /** When its finish count was last seen to grow, Unix ms; null when never. */
  readonly lastFinishMs: number | null;
  /** Percent; 0 for all messages. */
  readonly sampleRate: number;
  readonly isTls: boolean;
  readonly tlsVersion: string;
  readonly tlsCipherSuite: string;
  readonly isDeflate: boolean;
  readonly isSnappy: boolean;
  readonly isAuthed: boolean;
  readonly authIdentity: string;
  readonly authIdentityUrl: string;
  /** Of the client; "" when it said none. */
  readonly region: string;
  readonly zone: string;
  readonly nodeRegion: string;
  readonly nodeZone: string;
}

/** One line of "Needs attention": a cause and what to do about it. */
export interface AttentionLine {
  readonly severity: "notice" | "warning" | "critical";
  /** The same for as long as it is the same trouble. */
  readonly key: string;
  /** A sentence for people. */
  readonly cause: string;
  /** When it was first seen, Unix ms. */
  readonly sinceMs: number;
  readonly action: {
    /** What the button says. */
    readonly label: string;
    /** Where it leads, below the base path, such as `/topics/orders/billing`. */
    readonly path: string;
  };
}
