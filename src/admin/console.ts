/**
 * The seam between the console's server side and its pages: what a page may ask and do.
 *
 * Tested in test/admin/actions/actions_test.ts and test/admin/http/app_test.ts.
 */
import type { Context } from "hono";
import type { SeenMessage } from "../cluster/message_calls.ts";
import type { WebInfo } from "../http/web_handler.ts";
import type { MessageQuery, NodeJobs, NodeMessages } from "./messages/message_desk.ts";
import type { Action, ActionPreview, ActionRecord, User } from "./model/action.ts";
import type { Snapshot } from "./model/snapshot.ts";

/** What every request of the console carries. */
export interface ConsoleEnv {
  Bindings: WebInfo;
  Variables: {
    /** Who asks; set for every page but the login. */
    user: User;
    /** For `script` and `style` elements; the header with the policy is set already. */
    secureHeadersNonce?: string;
  };
}

export type ConsoleContext = Context<ConsoleEnv>;

/** Which consumers a page shows: their figures are asked of the nodes only while somebody looks. */
export type Scope =
  | { readonly clients: "none" }
  | { readonly clients: "all" }
  | { readonly clients: "channel"; readonly topic: string; readonly channel: string };

/** Facts about this console that do not change, but for `lookupdHttpAddresses`. */
export interface ConsoleSettings {
  /** `/`, or such as `/adm`, without a slash at the end. */
  readonly basePath: string;
  readonly version: string;
  /** Null without `--admin-environment`. */
  readonly environment: { readonly name: string; readonly color: string } | null;
  /** Null without `--graphite-url`. */
  readonly graphite: GraphiteSettings | null;
  readonly lookupdHttpAddresses: readonly string[];
  readonly nsqdHttpAddresses: readonly string[];
  /** Whether there is a login page. */
  readonly hasUsers: boolean;
}

export interface GraphiteSettings {
  /** "" when this console passes `/render` on. */
  readonly url: string;
  readonly statsdPrefix: string;
  readonly statsdCounterFormat: string;
  readonly statsdGaugeFormat: string;
  readonly statsdIntervalSeconds: number;
}

export const historyMetrics = [
  "depth",
  "inFlight",
  "deferred",
  "inPerSecond",
  "outPerSecond",
  "requeuesPerMinute",
  "timeoutsPerMinute",
  "oldestAgeMs",
  "latencyMs",
] as const;

export type HistoryMetric = typeof historyMetrics[number];

/** Figures over time, one point for each poll or step; null where nothing is known. */
export interface HistorySeries {
  /** Unix seconds of each point, rising. Where nothing was asked for long there is one point of nulls. */
  readonly t: readonly number[];
  readonly values: Readonly<Record<HistoryMetric, readonly (number | null)[]>>;
}

/** Something that happened, as a mark in charts. */
export interface HistoryMark {
  readonly atMs: number;
  readonly kind: "restart" | "pause" | "unpause" | "empty" | "delete" | "create" | "node down" | "node up";
  readonly text: string;
}

/** What `login()` came to. */
export type LoginResult =
  | { readonly isOk: true; readonly user: User }
  | {
    readonly isOk: false;
    readonly reason: "wrong" | "throttled";
    /** How long to wait; 0 when not throttled. */
    readonly retryAfterSeconds: number;
  };

/** What is published to a topic while somebody looks. */
export interface TailView {
  /** The newest first, at most a hundred. */
  readonly messages: readonly TailedMessage[];
  /** Since somebody began to look. */
  readonly seenCount: number;
  /** Why nothing comes; "" while there is no reason. */
  readonly problem: string;
}

export interface TailedMessage {
  readonly id: string;
  readonly publishedAtMs: number;
  /** `host:port` of the TCP address of the node. */
  readonly node: string;
  readonly attempts: number;
  readonly byteCount: number;
  /** The beginning of the body: as text, or in hexadecimal when it is none. */
  readonly text: string;
}

export interface Console {
  readonly settings: ConsoleSettings;
  /** Fires when the console stops: streams end then. */
  readonly stopping: AbortSignal;

  /**
   * The cluster, at most a bit over a second old; polling goes on every second for some seconds after each call, so
   * a stream calls it at each tick. Resolves at once unless nobody looked before.
   */
  look(scope?: Scope): Promise<Snapshot>;
  /** The last snapshot, as it is; does not keep the poll going. */
  snapshot(): Snapshot;
  /** Calls `listener` after each poll, until the returned function is called. */
  onSnapshot(listener: (snapshot: Snapshot) => void): () => void;

  /** @param key `` for all, `t:topic`, `c:topic/channel`, `n:node`. Undefined when nothing is known of it. */
  history(key: string, fromMs: number, toMs: number): HistorySeries | undefined;
  /** Marks for charts of `key`, the oldest first. */
  marks(key: string, fromMs: number, toMs: number): HistoryMark[];

  /** What `action` would do; for a form, before it is sent. */
  preview(user: User, action: Action): ActionPreview;
  /**
   * Does it on all nodes, records who did, and says what came of it on each.
   *
   * @throws {HttpError} 403 FORBIDDEN when the role is too low, 400 for names that are not valid
   */
  act(context: ConsoleContext, action: Action): Promise<ActionRecord>;
  /** Undoes what `id` names. @throws {HttpError} 404 when there is nothing to undo (any more), 403 FORBIDDEN */
  undo(context: ConsoleContext, id: string): Promise<ActionRecord>;
  /**
   * What comes to `topic`; called again every few seconds it goes on.
   *
   * @throws {HttpError} 403 FORBIDDEN for who may not look into messages
   */
  tail(user: User, topic: string): TailView;
  /**
   * Messages of a channel on `node`; nothing is changed by looking.
   *
   * @throws {HttpError} 403 FORBIDDEN for who looks for words in bodies, and may not look into them
   */
  messages(user: User, node: string, query: MessageQuery): Promise<NodeMessages>;
  /**
   * One message, whole.
   *
   * @throws {HttpError} 403 FORBIDDEN for who may not look into messages, 404 when it is gone, 400 and what the node
   * says
   */
  message(user: User, node: string, topic: string, channel: string, id: string): Promise<SeenMessage>;
  /** Of the nodes that have any notion of jobs. */
  jobs(): Promise<NodeJobs[]>;
  /** The newest first; `before` is the id of the last one that was shown. */
  audit(limit: number, before?: string): ActionRecord[];
  record(id: string): ActionRecord | undefined;

  /** Checks the password, and sets the cookie of a session on the answer. */
  login(context: ConsoleContext, name: string, password: string): Promise<LoginResult>;
  /** Ends the session and takes the cookie back. */
  logout(context: ConsoleContext): void;
}
