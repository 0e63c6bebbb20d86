/**
 * The page of something that is not there (any more).
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Page } from "../page.ts";
import { href, mayDo, type View } from "../view.ts";
import { ActAfterLook } from "../components/action_buttons.tsx";

export function missingPage(view: View, kind: "topic" | "channel" | "node" | "record", name: string): Page {
  const list = kind === "node" ? "/nodes" : kind === "record" ? "/activity" : "/topics";
  const isFirstPoll = view.snapshot.atMs === 0;
  return {
    title: name,
    status: 404,
    main: (
      <div class="empty">
        <h1>{isFirstPoll ? "No answer yet" : `No ${kind} ${name}`}</h1>
        <p>
          {isFirstPoll
            ? "The nodes are being asked for the first time."
            : `No server that answers knows it. It may have been deleted, or its nodes are away.`}
        </p>
        <p class="actions">
          <a class="button" href={href(view, list)}>See all</a>
          {kind === "topic" && mayDo(view, "create") &&
            (
              <ActAfterLook
                view={view}
                kind="create"
                parameters={{ topic: name }}
                label="Create it"
                icon="plus"
              />
            )}
        </p>
      </div>
    ),
  };
}
