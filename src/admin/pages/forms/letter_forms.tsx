/**
 * The forms on dead letters and jobs: redrive begins at once, deleting asks first.
 *
 * Tested in test/admin/messages/message_desk_test.ts.
 */
import type { Hono } from "hono";
import { HttpError } from "../../../http/errors.ts";
import { isValidName } from "../../../protocol/names.ts";
import { deathReasons } from "../../../cluster/message_calls.ts";
import type { Console, ConsoleEnv } from "../../console.ts";
import type { LetterAction, LetterChoice } from "../../model/action.ts";
import { formatCount } from "../format.ts";
import type { Page } from "../page.ts";
import { deadPath, href, type View } from "../view.ts";
import { targetName } from "./act.tsx";
import { type FormSurroundings, limited } from "./rendering.ts";

/** A tick for each of some thousand letters. */
const MAX_LETTER_FORM_BYTES = 1 << 20;
const MAX_FORM_BYTES = 64 << 10;
const MAX_RATE = 1_000_000;

type Body = Readonly<Record<string, unknown>>;

export function mountLetterForms(
  app: Hono<ConsoleEnv>,
  console: Console,
  { viewOf, answer, attempt }: FormSurroundings,
): void {
  app.post("/dead/:topic/:channel", limited(MAX_LETTER_FORM_BYTES), async (context) => {
    const { topic, channel } = context.req.param();
    const body = await context.req.parseBody({ all: true });
    const view = viewOf(context, console, await console.look());
    const back = deadPath(topic, channel);
    return await attempt(context, view, back, async () => {
      const action = readLetterAction(topic, channel, body);
      if (action.kind === "delete letters" && text(body, "sure") !== "yes") {
        return answer(context, console, surePage(view, action, body));
      }
      const record = await console.act(context, action);
      return context.redirect(href(view, "/activity", { done: record.id }), 303);
    });
  });

  app.post("/jobs/stop", limited(MAX_FORM_BYTES), async (context) => {
    const body = await context.req.parseBody();
    const view = viewOf(context, console, await console.look());
    return await attempt(context, view, "/activity", async () => {
      const [topic = "", channel = ""] = text(body, "subject").split("/");
      const node = text(body, "node"), job = text(body, "job");
      if (!view.snapshot.nodes.some(({ id }) => id === node)) {
        throw new HttpError(400, `No node ${node} is known.`);
      }
      const record = await console.act(context, { kind: "stop job", topic, channel, node, job });
      return context.redirect(href(view, "/activity", { done: record.id }), 303);
    });
  });
}

/** @throws {HttpError} 400 with what is wrong with the form */
function readLetterAction(topic: string, channel: string, body: Body): LetterAction {
  const letters = readChoice(body);
  if (text(body, "do") === "delete") return { kind: "delete letters", topic, channel, letters };
  if (text(body, "do") !== "redrive") throw new HttpError(400, "INVALID_ACTION");
  const toTopic = text(body, "to_topic").trim(), rate = text(body, "rate").trim();
  if (toTopic !== "" && !isValidName(toTopic)) {
    throw new HttpError(400, `"${toTopic}" cannot name a topic.`);
  }
  if (!/^\d*$/.test(rate) || Number(rate) > MAX_RATE) {
    throw new HttpError(400, `"${rate}" is no rate: a whole number of messages a second, 0 to ${MAX_RATE}.`);
  }
  return {
    kind: "redrive",
    topic,
    channel,
    letters,
    toTopic: toTopic === "" ? null : toTopic,
    keepsAttempts: text(body, "attempts") === "keep",
    ratePerSecond: Number(rate),
  };
}

function readChoice(body: Body): LetterChoice {
  if (text(body, "which") === "all") {
    const reason = text(body, "reason");
    const found = deathReasons.find((name) => name === reason) ?? null;
    if (reason !== "" && found === null) throw new HttpError(400, `"${reason}" is no reason to die of.`);
    return { ticked: null, reason: found };
  }
  const ticked = ticksOf(body).map((tick) => {
    const [id, node = ""] = tick.split(" ");
    return { id, node };
  });
  if (ticked.length === 0) throw new HttpError(400, "NOTHING_SELECTED");
  return { ticked };
}

function ticksOf({ letter }: Body): string[] {
  return [letter].flat().filter((tick) => typeof tick === "string");
}

function text(body: Body, name: string): string {
  const value = body[name];
  return typeof value === "string" ? value : "";
}

function surePage(view: View, action: LetterAction, body: Body): Page {
  const preview = view.console.preview(view.user, action);
  const path = deadPath(action.topic, action.channel ?? "");
  const title = `Delete dead letters of ${targetName(action)}`;
  return {
    title,
    isStill: true,
    main: (
      <section class="act" id="act">
        <h1>{title}</h1>
        <p>{preview.text}</p>
        <p class="caution">{preview.whyNoUndo}</p>
        {preview.whyNot !== ""
          ? <p class="problem">{preview.whyNot}</p>
          : (
            <form method="post" action={href(view, path)}>
              {["do", "which", "reason"].map((name) => (
                <input type="hidden" name={name} value={text(body, name)} />
              ))}
              {ticksOf(body).map((tick) => <input type="hidden" name="letter" value={tick} />)}
              <input type="hidden" name="sure" value="yes" />
              <p class="actions">
                <button type="submit" class="danger solid">
                  Delete {preview.messageCount > 0 ? formatCount(preview.messageCount) : "them"}
                </button>
                <a class="button" href={href(view, path)}>Cancel</a>
              </p>
            </form>
          )}
      </section>
    ),
  };
}
