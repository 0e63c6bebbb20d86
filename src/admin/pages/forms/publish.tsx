/**
 * Publishing: one message, one for each line, or a file; at once or held back.
 *
 * Tested in test/ui/actions_test.ts.
 */
import type { PublishAction } from "../../model/action.ts";
import type { Page } from "../page.ts";
import { href, mayDo, type View } from "../view.ts";
import { Command } from "../components/first_steps.tsx";

/** The form as it was filled in. */
export interface PublishForm {
  topic: string;
  text: string;
  isLines: boolean;
  /** As typed. */
  deferSeconds: string;
  /** Id, or "" for any. */
  node: string;
  /** What was wrong with it; "" when nothing, or when it was not sent. */
  problem: string;
  /** What it would do; null before somebody asks. */
  action: PublishAction | null;
}

export const emptyForm: PublishForm = {
  topic: "",
  text: "",
  isLines: false,
  deferSeconds: "",
  node: "",
  problem: "",
  action: null,
};

export function publishPage(view: View, form: PublishForm): Page {
  const topics = [...view.snapshot.topics.keys()].sort();
  return {
    title: "Publish",
    isStill: true,
    main: (
      <section class="act wide" id="act">
        <h1>Publish</h1>
        {!mayDo(view, "publish") && <p class="problem">The role {view.user.role} may not publish.</p>}
        {form.problem !== "" && <p class="problem" role="alert">{form.problem}</p>}
        <form
          method="post"
          action={href(view, "/publish")}
          enctype="multipart/form-data"
          class="fields"
          id="publish"
          data-drafts=""
        >
          <label>
            Topic
            <input
              type="text"
              name="topic"
              value={form.topic}
              required
              list="topics"
              autocomplete="off"
              autofocus={form.topic === ""}
            />
            <datalist id="topics">{topics.slice(0, 500).map((topic) => <option value={topic} />)}</datalist>
          </label>
          <div class="tall">
            <label for="text">Message</label>
            <textarea id="text" name="text" rows={8} autofocus={form.topic !== ""}>{form.text}</textarea>
          </div>
          <label>
            or a file
            <input type="file" name="file" />
          </label>
          <label class="check">
            <input type="checkbox" name="lines" value="1" checked={form.isLines} /> A message for each line
          </label>
          <label>
            Hold back, seconds
            <input type="number" name="defer" min="0" step="any" value={form.deferSeconds} placeholder="0" />
          </label>
          <label>
            On node
            <select name="node">
              <option value="">any that takes it</option>
              {view.snapshot.nodes.filter(({ isUp }) => isUp).map(({ id }) => (
                <option value={id} selected={id === form.node}>{id}</option>
              ))}
            </select>
          </label>
          <p class="actions">
            <button
              type="submit"
              class="primary"
              name="do"
              value="publish"
              disabled={!mayDo(view, "publish")}
            >
              Publish
            </button>
            <button type="submit" name="do" value="look">Show the command</button>
          </p>
        </form>
        {form.action !== null && <Look view={view} action={form.action} />}
        <section id="drafts" hidden aria-labelledby="drafts-title">
          <h2 id="drafts-title">Sent from this browser</h2>
          <ul></ul>
        </section>
      </section>
    ),
  };
}

function Look({ view, action }: { view: View; action: PublishAction }) {
  const preview = view.console.preview(view.user, action);
  return (
    <section id="look" aria-labelledby="look-title">
      <h2 id="look-title">{preview.text}</h2>
      <Command text={preview.curl} />
    </section>
  );
}
