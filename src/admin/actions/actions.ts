/**
 * Does actions on the cluster: checks who may, asks all whom it takes, remembers what came of it on each, and how
 * it can be undone. Pages, HTTP API and undo all come through here.
 */
import { type Change, type Mutations, type Outcome } from "../../cluster/mutations.ts";
import type { Producer } from "../../cluster/node_answers.ts";
import { NobodyAnsweredError, warningOf } from "../../cluster/partial.ts";
import type { Upstream } from "../../cluster/upstream.ts";
import { HttpError } from "../../http/errors.ts";
import { isValidName } from "../../protocol/names.ts";
import { type Action, type ActionRecord, roleFor, roles, type User } from "../model/action.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { AuditLog } from "./audit_log.ts";
import type { Notifier } from "./notifier.ts";
import { actOnLetters } from "./letters.ts";
import { publish } from "./publish.ts";
import type { Requester } from "./requester.ts";
import { type Undo, UNDO_MS, Undos } from "./undo.ts";

/** What actions work with. */
export interface ActionSurroundings {
  readonly mutations: Mutations;
  readonly upstream: Upstream;
  readonly audit: AuditLog;
  readonly notifier: Notifier;
  /** Unix ms. */
  readonly nowMs: () => number;
  /** What is known of the cluster, for undo and for where to publish. */
  readonly snapshot: () => Snapshot;
  /** How a node is asked that is in the snapshot. */
  readonly producer: (id: string) => Producer | undefined;
}

export class Actions {
  readonly #around: ActionSurroundings;
  readonly #undos = new Undos();

  constructor(around: ActionSurroundings) {
    this.#around = around;
  }

  /** @throws {HttpError} 403 FORBIDDEN */
  authorize(user: User, kind: Action["kind"]): void {
    if (!isAllowed(user, kind)) throw new HttpError(403, "FORBIDDEN");
  }

  /**
   * Does `action` for whom `authorize()` let pass, and records it.
   *
   * @throws {NobodyAnsweredError} when nobody could be asked; that is recorded too
   */
  async run(action: Action, by: Requester): Promise<ActionRecord> {
    const { audit, notifier, nowMs } = this.#around;
    const atMs = nowMs();
    const pausedBefore = this.#pausedOn(action);
    try {
      const change = await this.#do(action);
      notifier.notify(action, by, atMs);
      const undo = this.#undoOf(action, change.outcomes, pausedBefore, nowMs());
      const record = recordOf(audit.nextId(atMs), atMs, action.kind, targetOf(action), by, change, undo);
      if (undo !== null) this.#undos.add(record.id, undo);
      audit.add(record);
      return record;
    } catch (cause) {
      if (!(cause instanceof NobodyAnsweredError)) throw cause;
      if (action.kind === "pause" || action.kind === "unpause" || action.kind === "empty") {
        notifier.notify(action, by, atMs);
      }
      const failed = { outcomes: [], errors: [cause.message] };
      audit.add(recordOf(audit.nextId(atMs), atMs, action.kind, targetOf(action), by, failed, null));
      throw cause;
    }
  }

  /** Takes back what `id` did. @throws {HttpError} 404 NOTHING_TO_UNDO, 403 FORBIDDEN */
  async undo(id: string, by: Requester): Promise<ActionRecord> {
    const { audit, mutations, nowMs } = this.#around;
    const before = audit.find(id);
    if (before === undefined) throw new HttpError(404, "NOTHING_TO_UNDO");
    this.authorize(by.user, before.kind as Action["kind"]);
    const undo = this.#undos.take(id, nowMs());
    if (undo === undefined) throw new HttpError(404, "NOTHING_TO_UNDO");
    audit.replace({ ...before, undoUntilMs: null });
    const { action, topic, channel, producers } = undo;
    const atMs = nowMs();
    const outcomes = await mutations.actOn(producers, action, topic, channel);
    this.#around.notifier.notify(
      { kind: action, topic, channel: channel === "" ? null : channel },
      by,
      atMs,
    );
    const errors = outcomes.map(({ error }) => error).filter((error) => error !== "");
    const record = recordOf(
      audit.nextId(atMs),
      atMs,
      `undo ${before.kind}`,
      before.target,
      by,
      { outcomes, errors },
      null,
    );
    audit.add(record);
    return record;
  }

  async #do(action: Action): Promise<Change> {
    const { mutations, upstream } = this.#around;
    switch (action.kind) {
      case "create":
        return await mutations.create(action.topic, action.channel ?? "");
      case "delete":
        return await mutations.delete(action.topic, action.channel ?? "");
      case "tombstone":
        return await mutations.tombstone(action.topic, action.node);
      case "publish": {
        const outcomes = await publish(upstream, this.#nodesToPublishOn(action.topic, action.node), action);
        const last = outcomes.at(-1);
        if (last === undefined) throw new NobodyAnsweredError("nsqd", []);
        return { outcomes, errors: last.error === "" ? [] : outcomes.map(({ error }) => error) };
      }
      case "redrive":
      case "delete letters":
      case "stop job":
        return await actOnLetters(upstream, this.#around.snapshot(), action);
      default:
        return await mutations.act(action.kind, action.topic, action.channel ?? "");
    }
  }

  /** Those that answer come first, and among them those that have the topic. */
  #nodesToPublishOn(topic: string, node: string | null): string[] {
    if (node !== null) return [node];
    const { nodes } = this.#around.snapshot();
    const rank = (id: string) => {
      const { isUp, health, topics } = nodes.find((each) => each.id === id)!;
      const hasTopic = topics.some(({ name, isTombstoned }) => name === topic && !isTombstoned);
      return (isUp ? 4 : 0) + (health.startsWith("NOK") ? 0 : 2) + (hasTopic ? 1 : 0);
    };
    return nodes.map(({ id }) => id).sort((a, b) => rank(b) - rank(a));
  }

  /** The ids of the nodes on which the subject of `action` is paused already. */
  #pausedOn(action: Action): ReadonlySet<string> {
    const topic = this.#around.snapshot().topics.get(action.topic);
    const channel = "channel" in action ? action.channel : null;
    const subject = channel === null ? topic : topic?.channels.get(channel);
    return new Set(subject?.perNode.filter(({ isPaused }) => isPaused).map(({ node }) => node));
  }

  #undoOf(
    action: Action,
    outcomes: readonly Outcome[],
    pausedBefore: ReadonlySet<string>,
    nowMs: number,
  ): Undo | null {
    if (action.kind !== "pause" && action.kind !== "unpause") return null;
    const isPause = action.kind === "pause";
    const changed = outcomes.filter(({ error, target }) =>
      error === "" && pausedBefore.has(target) !== isPause
    );
    const producers = changed.map(({ target }) => this.#around.producer(target))
      .filter((producer) => producer !== undefined);
    if (producers.length === 0) return null;
    return {
      action: isPause ? "unpause" : "pause",
      topic: action.topic,
      channel: action.channel ?? "",
      producers,
      untilMs: nowMs + UNDO_MS,
    };
  }
}

/** Whether the role of `user` is enough. */
export function isAllowed(user: User, kind: Action["kind"]): boolean {
  return roles.indexOf(user.role) >= roles.indexOf(roleFor[kind]);
}

/** Names of what is new are checked; those of what is there may be older than the rules. */
export function checkNames(action: Action): void {
  const isNew = action.kind === "create" || action.kind === "publish";
  const { topic } = action, channel = "channel" in action ? action.channel : null;
  if (topic === "" || isNew && !isValidName(topic)) throw new HttpError(400, "INVALID_TOPIC");
  if (channel !== null && (channel === "" || isNew && !isValidName(channel))) {
    throw new HttpError(400, "INVALID_CHANNEL");
  }
  if (action.kind === "redrive" && action.toTopic !== null && !isValidName(action.toTopic)) {
    throw new HttpError(400, "INVALID_TOPIC");
  }
  if ("letters" in action && action.letters.ticked?.length === 0) {
    throw new HttpError(400, "NOTHING_SELECTED");
  }
  if (action.kind !== "publish") return;
  if (action.bodies.length === 0 || action.bodies.some((body) => body.length === 0)) {
    throw new HttpError(400, "MSG_EMPTY");
  }
  if (!(action.deferMs >= 0)) throw new HttpError(400, "INVALID_DEFER");
}

function targetOf(action: Action): string {
  if (action.kind === "tombstone") return `${action.topic} on ${action.node}`;
  if (action.kind === "publish") {
    const { topic, bodies } = action;
    return bodies.length === 1 ? topic : `${topic} (${bodies.length} messages)`;
  }
  if (action.kind === "stop job") return `${action.topic}/${action.channel} on ${action.node}`;
  return action.channel === null ? action.topic : `${action.topic}/${action.channel}`;
}

function recordOf(
  id: string,
  atMs: number,
  kind: string,
  target: string,
  by: Requester,
  change: Change,
  undo: Undo | null,
): ActionRecord {
  return {
    id,
    atMs,
    user: by.user.name,
    remoteAddress: by.remoteAddress,
    kind,
    target,
    isOk: change.errors.length === 0,
    message: warningOf(change.errors),
    results: change.outcomes.map(({ kind, target, error }) => ({
      kind: kind === "nsqd" ? "nsqd" : "lookupd",
      target,
      isOk: error === "",
      error,
    })),
    undoUntilMs: undo?.untilMs ?? null,
  };
}
