/**
 * Looks into messages and jobs of nodes for the pages: asks only nodes that offer it, and says of the others why not.
 *
 * Whoever may not view bodies sees no byte of them, and cannot look for words in them.
 * Tested in test/admin/messages/message_desk_test.ts.
 */
import {
  type DeathReason,
  listJobs,
  listMessages,
  type MessageList,
  type MessageState,
  type NodeJob,
  readMessage,
  type SeenMessage,
} from "../../cluster/message_calls.ts";
import { type Upstream, UpstreamError } from "../../cluster/upstream.ts";
import { HttpError } from "../../http/errors.ts";
import type { User } from "../model/action.ts";
import type { CapabilityName, Snapshot } from "../model/snapshot.ts";

/** A part of a list, as a page asks for it. */
export interface MessageQuery {
  readonly topic: string;
  readonly channel: string;
  readonly state: MessageState;
  readonly reason: DeathReason | null;
  readonly from: string;
  readonly limit: number;
  readonly match: string;
}

/** What a node said; `problem` is a sentence when it said nothing. */
export interface NodeMessages {
  readonly node: string;
  readonly list: MessageList;
  readonly problem: string;
}

export interface NodeJobs {
  readonly node: string;
  readonly jobs: readonly NodeJob[];
  readonly problem: string;
}

/** Of each body in a list, bytes. */
const MAX_LISTED_BYTES = 512;
/** However many look, a node is asked for its jobs once in this time. */
const JOBS_MS = 900;
const NOTHING: MessageList = { messages: [], next: null, scanned: 0 };

export class MessageDesk {
  readonly #upstream: Upstream;
  readonly #snapshot: () => Snapshot;
  readonly #monotonicMs: () => number;
  #jobs: { atMs: number; answer: Promise<NodeJobs[]> } | null = null;

  constructor(upstream: Upstream, snapshot: () => Snapshot, monotonicMs: () => number) {
    this.#upstream = upstream;
    this.#snapshot = snapshot;
    this.#monotonicMs = monotonicMs;
  }

  /** @throws {HttpError} 403 for a `match` of one who may not view bodies */
  async list(user: User, node: string, query: MessageQuery): Promise<NodeMessages> {
    if (query.match !== "" && !user.canViewBodies) throw new HttpError(403, "FORBIDDEN");
    const why = this.whyNot(node, query.state === "dead" ? "deadLetters" : "messages");
    if (why !== "") return { node, list: NOTHING, problem: why };
    try {
      const maxBodyBytes = user.canViewBodies ? MAX_LISTED_BYTES : 0;
      return {
        node,
        list: await listMessages(this.#upstream, node, { ...query, maxBodyBytes }),
        problem: "",
      };
    } catch (cause) {
      return { node, list: NOTHING, problem: problemOf(cause) };
    }
  }

  /**
   * One message with its whole body.
   *
   * @throws {HttpError} 403 for who may not view bodies, 404 when no such message is there any more, 400 with what
   * the node says
   */
  async read(user: User, node: string, topic: string, channel: string, id: string): Promise<SeenMessage> {
    if (!user.canViewBodies) throw new HttpError(403, "FORBIDDEN");
    const why = this.whyNot(node, "messages");
    if (why !== "") throw new HttpError(400, why);
    try {
      return await readMessage(this.#upstream, node, topic, channel, id);
    } catch (cause) {
      const problem = problemOf(cause);
      throw new HttpError((cause as UpstreamError).status === 404 ? 404 : 400, problem);
    }
  }

  /** Of all nodes that have jobs. */
  jobs(): Promise<NodeJobs[]> {
    const atMs = this.#monotonicMs();
    if (this.#jobs === null || atMs - this.#jobs.atMs > JOBS_MS) {
      this.#jobs = { atMs, answer: this.#askJobs() };
    }
    return this.#jobs.answer;
  }

  /** So that what was just begun or stopped is seen. */
  forgetJobs(): void {
    this.#jobs = null;
  }

  /** "" when `node` offers it and answers, else why not. */
  whyNot(node: string, capability: CapabilityName): string {
    const view = this.#snapshot().nodes.find(({ id }) => id === node);
    if (view === undefined) return `No node ${node} is known.`;
    return view.capabilities[capability];
  }

  async #askJobs(): Promise<NodeJobs[]> {
    const nodes = this.#snapshot().nodes.filter(({ isUp, capabilities }) =>
      isUp && capabilities.redrive === ""
    );
    return await Promise.all(nodes.map(async ({ id: node }) => {
      try {
        return { node, jobs: await listJobs(this.#upstream, node), problem: "" };
      } catch (cause) {
        return { node, jobs: [], problem: problemOf(cause) };
      }
    }));
  }
}

/** What a node said in its own words, or why there was no answer. @throws what is no error of a node */
export function problemOf(cause: unknown): string {
  if (!(cause instanceof UpstreamError)) throw cause;
  try {
    const { message } = JSON.parse(cause.answer);
    if (typeof message === "string" && message !== "") return message;
  } catch {
    // No JSON: the whole of it is told.
  }
  return cause.message;
}
