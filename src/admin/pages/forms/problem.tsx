/**
 * The page of what was refused.
 *
 * Tested in test/admin/pages/forms/forms_test.ts.
 */
import type { HttpError } from "../../../http/errors.ts";
import type { Page } from "../page.ts";
import { href, type View } from "../view.ts";

/** What people are told; other codes stand for themselves. */
const sentences: Readonly<Record<string, string>> = {
  FORBIDDEN: "Your role does not allow this.",
  NOTHING_TO_UNDO: "There is nothing to undo any more: it was undone already, or ten minutes have passed.",
  NOTHING_SELECTED: "Nothing is ticked.",
  INVALID_ACTION: "The form names no action.",
  INVALID_TOPIC: "This cannot name a topic.",
  INVALID_CHANNEL: "This cannot name a channel.",
};

export function problemPage(view: View, { status, code }: HttpError, back: string): Page {
  return {
    title: "Refused",
    isStill: true,
    status: status === 403 || status === 404 ? status : 400,
    main: (
      <section class="act" id="act">
        <h1>That did not work</h1>
        <p class="problem" role="alert">{sentences[code] ?? code}</p>
        <p class="actions">
          <a class="button" href={href(view, back)}>Back</a>
        </p>
      </section>
    ),
  };
}
