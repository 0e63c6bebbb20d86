/**
 * What an action came to: in one line, and on each node and lookupd; with the button that undoes it.
 *
 * Tested in test/ui/actions_test.ts.
 */
import type { ActionRecord } from "../../model/action.ts";
import { formatNoun } from "../format.ts";
import { href, type View } from "../view.ts";
import { Icon } from "./icons.tsx";
import { Moment } from "./values.tsx";

const participles: Readonly<Record<string, string>> = {
  create: "Created",
  pause: "Paused",
  unpause: "Unpaused",
  empty: "Emptied",
  delete: "Deleted",
  tombstone: "Tombstoned",
  publish: "Published to",
  redrive: "Began the redrive of",
  "delete letters": "Began to delete dead letters of",
  "stop job": "Stopped the job of",
};

/** `Paused orders/billing`; for what did not work `Tried: pause orders/billing`. */
export function recordTitle({ kind, target, isOk }: ActionRecord): string {
  if (isOk && kind.startsWith("undo ")) return `Undid ${kind.slice("undo ".length)} of ${target}`;
  const done = participles[kind];
  return isOk && done !== undefined
    ? `${done} ${target}`
    : `${isOk ? "" : "Tried: "}${kind} ${target}`.trim();
}

export function RecordBanner({ view, record }: { view: View; record: ActionRecord }) {
  const failed = record.results.filter(({ isOk }) => !isOk);
  return (
    <section
      class={`done ${record.isOk ? "ok" : "critical"}`}
      role="status"
      id="done"
      aria-label="Result of the action"
    >
      <div class="row">
        <Icon name={record.isOk ? "check" : "alert"} />
        <b>{recordTitle(record)}</b>
        <span>{outcome(record.results.length, failed.length)}</span>
        <Moment ms={record.atMs} />
        <UndoButton view={view} record={record} />
        <a href={href(view, `/activity/${encodeURIComponent(record.id)}`)}>Details</a>
      </div>
      {failed.map(({ target, kind, error }) => (
        <p class="reason">
          {kind} {target}: {error}
        </p>
      ))}
    </section>
  );
}

function outcome(all: number, failed: number): string {
  if (all === 0) return "";
  return failed === 0
    ? `on ${formatNoun(all, "server")}`
    : `failed on ${failed} of ${formatNoun(all, "server")}`;
}

export function UndoButton({ view, record }: { view: View; record: ActionRecord }) {
  if (record.undoUntilMs === null || record.undoUntilMs <= view.nowMs) return null;
  return (
    <form method="post" action={href(view, "/undo")}>
      <input type="hidden" name="id" value={record.id} />
      <input type="hidden" name="back" value={view.path} />
      <button type="submit">
        <Icon name="undo" /> Undo
      </button>
    </form>
  );
}
