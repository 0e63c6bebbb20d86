/** One message, whole: what is known of it, and its body as text, JSON and bytes. Tested in test/admin/messages/message_desk_test.ts. */
import type { Child } from "hono/jsx";
import { Moment } from "../../components/values.tsx";
import { formatBytes } from "../../format.ts";
import type { Page } from "../../page.ts";
import { channelPath, messagesPath, topicPath, type View } from "../../view.ts";
import { hexDump, indentJson, textOf } from "./body.ts";

/** Of a body that is shown, bytes; of its bytes in hexadecimal fewer, since each takes more room. */
const MAX_SHOWN_BYTES = 256 << 10;
const MAX_HEX_BYTES = 16 << 10;

export async function messagePage(view: View, topic: string, channel: string, id: string): Promise<Page> {
  const node = view.query.get("node") ?? "";
  const message = await view.console.message(view.user, node, topic, channel, id);
  const { body } = message, shown = body.subarray(0, MAX_SHOWN_BYTES);
  const isCut = shown.length < body.length;
  const json = isCut ? null : indentJson(body), text = textOf(shown, isCut);
  const facts: [string, Child][] = [
    ["State", message.state.replace("_", " ")],
    ["Published", <Moment ms={message.publishedAtMs} />],
    ["Attempts", String(message.attempts)],
    ["Size", formatBytes(message.byteCount)],
    ["Node", node],
    ...optional("Due", message.dueMs),
    ...optional("Times out", message.timeoutAtMs),
    ...optional("Died", message.diedMs),
    ...(message.reason === "" ? [] : [["Died of", message.reason] as [string, Child]]),
    ...(message.consumer === "" ? [] : [["Consumer", message.consumer] as [string, Child]]),
  ];
  return {
    title: `Message ${id}`,
    trail: [
      { label: "Topics", path: "/topics" },
      { label: topic, path: topicPath(topic) },
      { label: channel, path: channelPath(topic, channel) },
      { label: "Messages", path: messagesPath(topic, channel) },
    ],
    isStill: true,
    main: (
      <>
        <header class="page-head">
          <h1>Message {id}</h1>
        </header>
        <dl class="facts">
          {facts.map(([name, value]) => (
            <div>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {isCut && <p class="caution">Only the first {formatBytes(shown.length)} are shown.</p>}
        {json !== null && <Body title="JSON" text={json} />}
        {text !== null && <Body title="Text" text={text} />}
        <Body
          title={body.length > MAX_HEX_BYTES ? `Bytes, the first ${formatBytes(MAX_HEX_BYTES)}` : "Bytes"}
          text={hexDump(body.subarray(0, MAX_HEX_BYTES))}
          isPlain
        />
      </>
    ),
  };
}

function optional(name: string, ms: number | null): [string, Child][] {
  return ms === null ? [] : [[name, <Moment ms={ms} />]];
}

function Body({ title, text, isPlain = false }: { title: string; text: string; isPlain?: boolean }) {
  return (
    <section class="block body">
      <header class="block-head">
        <h2>{title}</h2>
      </header>
      <pre class={isPlain ? "hex" : undefined} tabindex={0} role="group" aria-label={title}>{text}</pre>
    </section>
  );
}
