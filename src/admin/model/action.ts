/**
 * What can be done to a cluster from the console: actions, who may, what they would touch, and what came of them.
 *
 * Tested in test/admin/actions/actions_test.ts.
 */

import type { DeathReason } from "../../cluster/message_calls.ts";

/** Each includes those before it. */
export const roles = ["viewer", "operator", "admin"] as const;

export type Role = typeof roles[number];

/** Who asks. */
export interface User {
  /** "" when nobody is logged in and nobody has to be. */
  readonly name: string;
  readonly role: Role;
  /** Looking into messages is a right of its own. */
  readonly canViewBodies: boolean;
  /** How it is known who it is: nobody asks; the header of a proxy; a session or a password. */
  readonly source: "open" | "header" | "login";
}

/** Names are valid names of the protocol; `channel` null stands for the topic itself. */
export type Action =
  | { readonly kind: "create"; readonly topic: string; readonly channel: string | null }
  | { readonly kind: ChangeKind; readonly topic: string; readonly channel: string | null }
  | { readonly kind: "tombstone"; readonly topic: string; readonly node: string }
  | PublishAction
  | LetterAction;

/** On dead letters; the nodes do it as jobs. */
export type LetterAction =
  | {
    readonly kind: "redrive";
    readonly topic: string;
    readonly channel: string;
    readonly letters: LetterChoice;
    /** Null for back into the channel. */
    readonly toTopic: string | null;
    /** Whether their attempts go on counting where they were. */
    readonly keepsAttempts: boolean;
    /** Messages a second on each node; 0 for as fast as it goes. */
    readonly ratePerSecond: number;
  }
  | {
    readonly kind: "delete letters";
    readonly topic: string;
    readonly channel: string;
    readonly letters: LetterChoice;
  }
  | {
    readonly kind: "stop job";
    /** What the job works on. */
    readonly topic: string;
    readonly channel: string;
    readonly node: string;
    readonly job: string;
  };

/** Some dead letters of a channel, or all that died of `reason`; null for any. */
export type LetterChoice =
  | { readonly ticked: readonly { readonly node: string; readonly id: string }[] }
  | { readonly ticked: null; readonly reason: DeathReason | null };

export function isOnLetters(action: Action): action is LetterAction {
  return action.kind === "redrive" || action.kind === "delete letters" || action.kind === "stop job";
}

export type ChangeKind = "pause" | "unpause" | "empty" | "delete";

export interface PublishAction {
  readonly kind: "publish";
  readonly topic: string;
  /** One or more, none of them empty. */
  readonly bodies: readonly Uint8Array[];
  /** How long to hold them back; 0 for not at all. */
  readonly deferMs: number;
  /** Id of the node to publish on; null for the first that takes it, those that have the topic before others. */
  readonly node: string | null;
}

/** The least role that may do it. */
export const roleFor: Readonly<Record<Action["kind"], Role>> = {
  create: "operator",
  pause: "operator",
  unpause: "operator",
  empty: "operator",
  publish: "operator",
  redrive: "operator",
  "delete letters": "operator",
  "stop job": "operator",
  delete: "admin",
  tombstone: "admin",
};

/** What an action would do, before it is done. */
export interface ActionPreview {
  /** Such as `Empties channel billing of orders: 1,204 messages on 3 nodes`. */
  readonly text: string;
  /** Messages that it would remove or stop, as far as is known. */
  readonly messageCount: number;
  /** Ids of the nodes that it would ask. */
  readonly nodes: readonly string[];
  /** The name that has to be typed before; "" when none. */
  readonly nameToType: string;
  /** "" when it can be undone, else why not. */
  readonly whyNoUndo: string;
  /** A command that does the same through this console's HTTP API; several lines when it takes several. */
  readonly curl: string;
  /** "" when `user` may do it, else why not. */
  readonly whyNot: string;
}

/** What one node or lookupd answered. */
export interface TargetResult {
  /** `nsqd` or `lookupd`. */
  readonly kind: "nsqd" | "lookupd";
  /** `host:port` of its HTTP API; of an nsqd its id. */
  readonly target: string;
  readonly isOk: boolean;
  /** Why not, as the node put it; "" when it worked. */
  readonly error: string;
}

/** An action that was done, or tried. */
export interface ActionRecord {
  /** Unique in this process and across its restarts with a data path. */
  readonly id: string;
  readonly atMs: number;
  /** "" when nobody had to log in. */
  readonly user: string;
  readonly remoteAddress: string;
  /** What was done, such as `pause`, `login`, `undo pause`. */
  readonly kind: string;
  /** To what, such as `orders/billing`; "" for what has no target. */
  readonly target: string;
  /** Whether all of it worked. */
  readonly isOk: boolean;
  /** What the HTTP API answers as `message`; "" when all went well. */
  readonly message: string;
  readonly results: readonly TargetResult[];
  /** Until when it can be undone, Unix ms; null when it cannot, or was. */
  readonly undoUntilMs: number | null;
}
