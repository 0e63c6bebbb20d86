/**
 * What can be taken back, and until when. Kept here, not in the browser: whoever has a page about the action can
 * undo it, once. Tested in test/admin/actions/actions_test.ts.
 */
import type { Producer } from "../../cluster/node_answers.ts";
import type { NodeAction } from "../../cluster/mutations.ts";

export const UNDO_MS = 10 * 60_000;

/** How an action is undone: another one, on the nodes that the first one changed. */
export interface Undo {
  readonly action: NodeAction;
  readonly topic: string;
  readonly channel: string;
  readonly producers: readonly Producer[];
  readonly untilMs: number;
}

const MAX_KEPT = 200;

export class Undos {
  readonly #byId = new Map<string, Undo>();

  add(id: string, undo: Undo): void {
    this.#byId.set(id, undo);
    for (const oldest of this.#byId.keys()) {
      if (this.#byId.size <= MAX_KEPT) return;
      this.#byId.delete(oldest);
    }
  }

  /** Takes it out, so that it happens once; undefined when there is none, or it is too late. */
  take(id: string, nowMs: number): Undo | undefined {
    const undo = this.#byId.get(id);
    this.#byId.delete(id);
    return undo !== undefined && nowMs <= undo.untilMs ? undo : undefined;
  }
}
