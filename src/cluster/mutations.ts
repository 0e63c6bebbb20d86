/**
 * Changes topics and channels on all nodes that have them, and in all lookupds.
 *
 * Nobody is asked before it is known whom to ask; then each is asked in turn, lookupds first, and one that fails
 * keeps none of the others from being asked. Tested in test/admin/http/api_test.ts.
 */
import type { Cluster } from "./cluster.ts";
import { nodeIdOf, type Producer } from "./node_answers.ts";
import { askAll } from "./partial.ts";
import { type Upstream, UpstreamError, type UpstreamKind } from "./upstream.ts";

/** What one that was asked answered. */
export interface Outcome {
  readonly kind: UpstreamKind;
  /** `host:port` of a lookupd; the id of an nsqd. */
  readonly target: string;
  /** "" when it worked. */
  readonly error: string;
}

/** What came of a change. */
export interface Change {
  /** In the order in which they were asked. */
  readonly outcomes: readonly Outcome[];
  /** Everything that went wrong, also before anything was changed. */
  readonly errors: readonly string[];
}

/** Changes that are made on the nodes alone. */
export const nodeActions = ["pause", "unpause", "empty"] as const;

export type NodeAction = typeof nodeActions[number];

interface Step {
  readonly kind: UpstreamKind;
  readonly target: string;
  readonly path: string;
}

export class Mutations {
  readonly #cluster: Cluster;
  readonly #upstream: Upstream;

  constructor(cluster: Cluster, upstream: Upstream) {
    this.#cluster = cluster;
    this.#upstream = upstream;
  }

  /**
   * Makes `topic` known to all lookupds, and `channel`, if it is not "", also on the nodes that have the topic.
   *
   * @throws {NobodyAnsweredError} for a channel, when no lookupd knows which nodes that are
   */
  async create(topic: string, channel: string): Promise<Change> {
    const created = await this.#do(this.#lookupdSteps(`topic/create?${queryOf(topic, "")}`));
    if (channel === "") return changeOf([], created);
    const query = queryOf(topic, channel);
    const inLookupds = await this.#do(this.#lookupdSteps(`channel/create?${query}`));
    const { values, errors } = await this.#cluster.lookupdProducersOf(topic);
    const onNodes = await this.#do(nodeSteps(values, `channel/create?${query}`));
    return changeOf(errors, [...created, ...inLookupds, ...onNodes]);
  }

  /** @param channel "" for the topic itself. @throws {NobodyAnsweredError} when nobody knows which nodes have it */
  async delete(topic: string, channel: string): Promise<Change> {
    const { values, errors } = await this.#cluster.producersOf(topic);
    const path = `${nounOf(channel)}/delete?${queryOf(topic, channel)}`;
    const outcomes = await this.#do([...this.#lookupdSteps(path), ...nodeSteps(values, path)]);
    return changeOf(errors, outcomes);
  }

  /** @param channel "" for the topic itself. @throws {NobodyAnsweredError} when nobody knows which nodes have it */
  async act(action: NodeAction, topic: string, channel: string): Promise<Change> {
    const { values, errors } = await this.#cluster.producersOf(topic);
    return changeOf(errors, await this.actOn(values, action, topic, channel));
  }

  /** The same on these nodes, whether they have the topic or not. */
  async actOn(
    producers: readonly Producer[],
    action: NodeAction,
    topic: string,
    channel: string,
  ): Promise<Outcome[]> {
    return await this.#do(nodeSteps(producers, `${nounOf(channel)}/${action}?${queryOf(topic, channel)}`));
  }

  /**
   * Has lookupds leave `node` out of the answers about `topic` for a while, and deletes the topic there.
   *
   * @param node its id. @throws {NobodyAnsweredError} when the node does not say what it is; lookupds know by then
   */
  async tombstone(topic: string, node: string): Promise<Change> {
    const query = `${queryOf(topic, "")}&node=${encodeURIComponent(node)}`;
    const inLookupds = await this.#do(this.#lookupdSteps(`topic/tombstone?${query}`));
    const { values } = await askAll("nsqd", [node], (address) => this.#cluster.describe(address));
    const outcomes = await this.#do(nodeSteps(values, `topic/delete?${queryOf(topic, "")}`));
    return changeOf([], [...inLookupds, ...outcomes]);
  }

  #lookupdSteps(path: string): Step[] {
    return this.#cluster.lookupds.map((target) => ({ kind: "nsqlookupd", target, path: `/${path}` }));
  }

  async #do(steps: readonly Step[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const { kind, target, path } of steps) {
      let error = "";
      try {
        await this.#upstream.post(kind, target, path);
      } catch (cause) {
        if (!(cause instanceof UpstreamError)) throw cause;
        error = cause.message;
      }
      outcomes.push({ kind, target, error });
    }
    return outcomes;
  }
}

function nodeSteps(producers: readonly Producer[], path: string): Step[] {
  return producers.map((producer) => ({ kind: "nsqd", target: nodeIdOf(producer), path: `/${path}` }));
}

function nounOf(channel: string): "topic" | "channel" {
  return channel === "" ? "topic" : "channel";
}

function queryOf(topic: string, channel: string): string {
  const ofTopic = `topic=${encodeURIComponent(topic)}`;
  return channel === "" ? ofTopic : `${ofTopic}&channel=${encodeURIComponent(channel)}`;
}

function changeOf(errors: readonly string[], outcomes: readonly Outcome[]): Change {
  const failed = outcomes.map(({ error }) => error).filter((error) => error !== "");
  return { outcomes, errors: [...errors, ...failed] };
}
