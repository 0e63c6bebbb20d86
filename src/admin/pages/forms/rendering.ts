/** What forms share: how an answer is rendered, how a body is bounded. Tested in test/admin/pages/forms/forms_test.ts. */
import { bodyLimit } from "hono/body-limit";
import { HttpError } from "../../../http/errors.ts";
import type { Console, ConsoleContext } from "../../console.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { Page } from "../page.ts";
import type { View } from "../view.ts";

export interface Rendering {
  viewOf(context: ConsoleContext, console: Console, snapshot: Snapshot): View;
  answer(context: ConsoleContext, console: Console, page: Page): Response;
}

/** What forms of their own file need besides. */
export interface FormSurroundings extends Rendering {
  /** Answers with `work`, or with a page that says why not. */
  attempt(
    context: ConsoleContext,
    view: View,
    back: string,
    work: () => Response | Promise<Response>,
  ): Promise<Response>;
}

/** Refuses a body of more than `maxBytes`. */
export function limited(maxBytes: number) {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new HttpError(413, `A form may have ${maxBytes} bytes`);
    },
  });
}
