/** The live tail of a topic: what is published while somebody looks. Tested in test/admin/tail/tails_test.ts. */
import { HttpError } from "../../../../http/errors.ts";
import type { TailedMessage } from "../../../console.ts";
import { Moment } from "../../components/values.tsx";
import type { Page } from "../../page.ts";
import { topicPath, type View } from "../../view.ts";
import { missingPage } from "../missing.tsx";

const counts = new Intl.NumberFormat("en-US");

export function tailPage(view: View, topic: string): Page {
  if (!view.snapshot.topics.has(topic)) return missingPage(view, "topic", topic);
  if (!view.user.canViewBodies) throw new HttpError(403, "FORBIDDEN");
  const { messages, seenCount, problem } = view.console.tail(view.user, topic);
  const wanted = view.query.get("contains") ?? "";
  const shown = messages.filter(({ text }) => text.includes(wanted));
  return {
    title: `Live tail of ${topic}`,
    trail: [{ label: "Topics", path: "/topics" }, { label: topic, path: topicPath(topic) }],
    main: (
      <>
        <header class="page-head">
          <h1>Live tail of {topic}</h1>
        </header>
        <form method="get" class="tail-filter">
          <label>
            Contains <input type="search" name="contains" value={wanted} />
          </label>
        </form>
        <p>
          {problem === ""
            ? `${counts.format(seenCount)} messages seen, ${
              counts.format(shown.length)
            } of the latest shown. ` +
              "They come by a channel of the console's own, at most 50 a second; no other channel misses any."
            : problem}
        </p>
        <ol class="tail" id="tail">
          {shown.map((message) => <Tailed message={message} />)}
        </ol>
      </>
    ),
  };
}

function Tailed({ message }: { message: TailedMessage }) {
  const { id, publishedAtMs, node, attempts, byteCount, text } = message;
  return (
    <li id={`m-${id}`}>
      <small>
        <Moment ms={publishedAtMs} /> {node} <code>{id}</code> {counts.format(byteCount)} bytes
        {attempts > 1 && ` attempt ${attempts}`}
      </small>
      <pre>{text}</pre>
    </li>
  );
}
