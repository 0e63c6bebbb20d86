/**
 * The form before an action: what it would touch, whether it can be undone, the name to type, the command that does
 * the same.
 *
 * Tested in test/ui/actions_test.ts.
 */
import type { Action, ActionPreview } from "../../model/action.ts";
import { formatNoun } from "../format.ts";
import type { Page } from "../page.ts";
import { href, type View } from "../view.ts";
import { Command } from "../components/first_steps.tsx";

const titles: Readonly<Record<Action["kind"], string>> = {
  create: "Create",
  pause: "Pause",
  unpause: "Unpause",
  empty: "Empty",
  delete: "Delete",
  tombstone: "Tombstone",
  publish: "Publish",
  redrive: "Redrive dead letters of",
  "delete letters": "Delete dead letters of",
  "stop job": "Stop the job of",
};

/** @param problem what was wrong with the form as it was sent; "" when it was not sent yet */
export function actPage(view: View, action: Action, back: string, problem: string): Page {
  const preview = view.console.preview(view.user, action);
  const title = `${titles[action.kind]} ${targetName(action)}`;
  return {
    title,
    isStill: true,
    main: (
      <section class="act" id="act">
        <h1>{title}</h1>
        <p>{preview.text.replace(/\.?$/, ".")}</p>
        <p class="nodes">
          {preview.nodes.length === 0
            ? "No nsqd has it."
            : `Asks ${formatNoun(preview.nodes.length, "node")}: ${preview.nodes.join(", ")}`}
        </p>
        <p class={preview.whyNoUndo === "" ? "fine" : "caution"}>
          {preview.whyNoUndo === "" ? "It can be undone for ten minutes." : preview.whyNoUndo}
        </p>
        {problem !== "" && <p class="problem" role="alert">{problem}</p>}
        {preview.whyNot === ""
          ? <ConfirmForm view={view} action={action} preview={preview} back={back} />
          : <p class="problem">{preview.whyNot}</p>}
        <details>
          <summary>The same from a terminal</summary>
          <Command text={preview.curl} />
        </details>
      </section>
    ),
  };
}

export function targetName(action: Action): string {
  if (action.kind === "tombstone") return `${action.topic} of ${action.node}`;
  if (action.kind === "publish" || action.channel === null) return action.topic;
  return `${action.topic}/${action.channel}`;
}

function ConfirmForm(
  { view, action, preview, back }: { view: View; action: Action; preview: ActionPreview; back: string },
) {
  const isDanger = action.kind === "delete" || action.kind === "empty" || action.kind === "tombstone";
  return (
    <form method="post" action={href(view, "/act")}>
      <input type="hidden" name="kind" value={action.kind} />
      <input type="hidden" name="topic" value={action.topic} />
      {"channel" in action && action.channel !== null && (
        <input type="hidden" name="channel" value={action.channel} />
      )}
      {action.kind === "tombstone" && <input type="hidden" name="node" value={action.node} />}
      <input type="hidden" name="back" value={back} />
      {preview.nameToType !== "" && (
        <label>
          <span>
            Type <b>{preview.nameToType}</b> to go on
          </span>
          <input
            type="text"
            name="confirm"
            autocomplete="off"
            required
            data-confirm={preview.nameToType}
            autofocus
          />
        </label>
      )}
      <p class="actions">
        <button type="submit" class={isDanger ? "danger solid" : "primary"}>
          {`${titles[action.kind]} ${targetName(action)}`}
        </button>
        <a class="button" href={href(view, back)} data-close="">Cancel</a>
      </p>
    </form>
  );
}

/** The page of creating something: names are asked for. */
export function createPage(view: View, topic: string, back: string, problem: string): Page {
  return {
    title: topic === "" ? "Create a topic" : `Create a channel of ${topic}`,
    isStill: true,
    main: (
      <section class="act" id="act">
        <h1>{topic === "" ? "Create a topic" : `Create a channel of ${topic}`}</h1>
        {view.snapshot.discovery === "nsqd" && (
          <p class="caution">
            This console asks nsqds directly: without lookupd nothing is created ahead. Publish to the topic
            instead.
          </p>
        )}
        {problem !== "" && <p class="problem" role="alert">{problem}</p>}
        <CreateForm view={view} topic={topic} back={back} />
      </section>
    ),
  };
}

const NAME_PATTERN = "[.a-zA-Z0-9_\\-]{1,64}(#ephemeral)?";
const NAME_HELP = "1 to 64 of letters, digits, . _ and -, and #ephemeral if it is to live in memory only";

export function CreateForm(
  { view, topic, back, canCancel = true }: { view: View; topic: string; back: string; canCancel?: boolean },
) {
  return (
    <form method="post" action={href(view, "/act")} class="fields">
      <input type="hidden" name="kind" value="create" />
      <input type="hidden" name="back" value={back} />
      <label>
        Topic
        <input
          type="text"
          name="topic"
          value={topic}
          required
          pattern={NAME_PATTERN}
          title={NAME_HELP}
          autocomplete="off"
        />
      </label>
      <label>
        Channel
        <input
          type="text"
          name="channel"
          placeholder={topic === "" ? "may be left empty" : undefined}
          required={topic !== ""}
          pattern={NAME_PATTERN}
          title={NAME_HELP}
          autocomplete="off"
        />
      </label>
      <p class="actions">
        <button type="submit" class="primary">Create</button>
        {canCancel && <a class="button" href={href(view, back)} data-close="">Cancel</a>}
      </p>
    </form>
  );
}
