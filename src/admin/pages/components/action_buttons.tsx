/**
 * Buttons of actions on a topic or channel. What can be undone acts at once; what cannot leads to a form first.
 * Those that the role does not allow are left out.
 *
 * Tested in test/ui/actions_test.ts.
 */
import { href, mayDo, type View } from "../view.ts";
import { Icon, type IconName } from "./icons.tsx";

/** What an action is on; `channel` null for the topic itself. */
export interface Target {
  readonly topic: string;
  readonly channel: string | null;
}

/** Acts at once: a form with one button. */
export function ActNow(
  { view, kind, target, label, icon, isQuiet = false }: {
    view: View;
    kind: "pause" | "unpause";
    target: Target;
    label: string;
    icon: IconName;
    isQuiet?: boolean;
  },
) {
  if (!mayDo(view, kind)) return null;
  return (
    <form method="post" action={href(view, "/act")}>
      <TargetFields kind={kind} target={target} />
      <input type="hidden" name="back" value={view.path} />
      <button
        type="submit"
        class={isQuiet ? "plain" : undefined}
        aria-label={isQuiet ? `${label} ${target.channel ?? target.topic}` : undefined}
      >
        <Icon name={icon} /> {!isQuiet && label}
      </button>
    </form>
  );
}

/** The action as hidden fields of a form. */
export function TargetFields({ kind, target }: { kind: string; target: Target }) {
  return (
    <>
      <input type="hidden" name="kind" value={kind} />
      <input type="hidden" name="topic" value={target.topic} />
      {target.channel !== null && <input type="hidden" name="channel" value={target.channel} />}
    </>
  );
}

/** Leads to a form that says what would happen. */
export function ActAfterLook(
  { view, kind, parameters, label, icon, isDanger = false, isQuiet = false }: {
    view: View;
    kind: "empty" | "delete" | "create" | "tombstone" | "pause" | "unpause";
    parameters: Readonly<Record<string, string | null>>;
    label: string;
    icon: IconName;
    isDanger?: boolean;
    isQuiet?: boolean;
  },
) {
  if (!mayDo(view, kind)) return null;
  return (
    <a
      class={isQuiet ? "button plain" : `button ${isDanger ? "danger" : ""}`}
      href={href(view, "/act", { kind, ...parameters, back: view.path })}
      data-sheet=""
      aria-label={isQuiet ? `${label} ${parameters.channel ?? parameters.topic ?? ""}`.trim() : undefined}
    >
      <Icon name={icon} /> {!isQuiet && label}
    </a>
  );
}

/** All that can be done to a topic or channel. */
export function TargetActions({ view, target, isPaused }: { view: View; target: Target; isPaused: boolean }) {
  const parameters = { topic: target.topic, channel: target.channel };
  return (
    <div class="actions">
      {mayDo(view, "publish") && (
        <a class="button primary" href={href(view, "/publish", { topic: target.topic })}>
          <Icon name="send" /> Publish
        </a>
      )}
      {isPaused
        ? <ActNow view={view} kind="unpause" target={target} label="Unpause" icon="play" />
        : <ActNow view={view} kind="pause" target={target} label="Pause" icon="pause" />}
      {target.channel === null && (
        <ActAfterLook
          view={view}
          kind="create"
          parameters={{ topic: target.topic }}
          label="Create channel"
          icon="plus"
        />
      )}
      <ActAfterLook view={view} kind="empty" parameters={parameters} label="Empty" icon="cross" />
      <ActAfterLook view={view} kind="delete" parameters={parameters} label="Delete" icon="trash" isDanger />
    </div>
  );
}
