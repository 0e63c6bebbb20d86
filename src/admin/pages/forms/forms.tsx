/**
 * What forms send: actions, undo, publishing, preferences, login and logout. Each answers with a redirect to a page
 * that shows what came of it, or with the form again and what was wrong.
 *
 * Tested in test/ui/actions_test.ts.
 */
import type { Hono } from "hono";
import { setCookie } from "hono/cookie";
import { HttpError } from "../../../http/errors.ts";
import { isValidName } from "../../../protocol/names.ts";
import type { Console, ConsoleContext, ConsoleEnv } from "../../console.ts";
import type { Action, ActionRecord } from "../../model/action.ts";
import { BareDocument } from "../layout.tsx";
import { formatPreferences, PREFERENCES_COOKIE, readPreferences } from "../preferences.ts";
import { problemPage } from "./problem.tsx";
import type { Page } from "../page.ts";
import { href, topicPath, type View } from "../view.ts";
import { actPage, createPage } from "./act.tsx";
import { LoginForm } from "./login.tsx";
import { emptyForm, publishPage } from "./publish.tsx";
import { mountLetterForms } from "./letter_forms.tsx";
import { limited, type Rendering } from "./rendering.ts";
import { readPublishForm } from "./publish_form.ts";

const MAX_FORM_BYTES = 64 << 10;
/** Above what nsqd takes in one request unless told otherwise, so that its own answer is shown. */
const MAX_PUBLISH_BYTES = 8 << 20;

export function mountForms(app: Hono<ConsoleEnv>, console: Console, { viewOf, answer }: Rendering): void {
  /** The form of an action; `problem` is what was wrong with it. */
  function formPage(view: View, fields: Fields, problem: string): Page {
    const back = safePath(fields("back"), "/topics");
    const kind = fields("kind");
    const topic = fields("topic");
    if (kind === "create") return createPage(view, topic, back, problem);
    return actPage(view, readAction(fields), back, problem);
  }

  /** Answers with `work`, or with a page that says why not. */
  async function attempt(
    context: ConsoleContext,
    view: View,
    back: string,
    work: () => Response | Promise<Response>,
  ): Promise<Response> {
    try {
      return await work();
    } catch (cause) {
      if (!(cause instanceof HttpError) || cause.status >= 500) throw cause;
      return answer(context, console, problemPage(view, cause, safePath(back, "/")));
    }
  }

  app.get("/act", async (context) => {
    const view = viewOf(context, console, await console.look());
    const fields: Fields = (name) => view.query.get(name) ?? "";
    return await attempt(
      context,
      view,
      fields("back"),
      () => answer(context, console, formPage(view, fields, "")),
    );
  });

  app.post("/act", limited(MAX_FORM_BYTES), async (context) => {
    const fields = await readFields(context);
    const view = viewOf(context, console, await console.look());
    return await attempt(context, view, fields("back"), () => act(context, view, fields));
  });

  async function act(context: ConsoleContext, view: View, fields: Fields): Promise<Response> {
    const problem = nameProblem(fields);
    if (problem !== "") return answer(context, console, formPage(view, fields, problem));
    const action = readAction(fields);
    const { nameToType } = console.preview(view.user, action);
    if (nameToType !== "" && fields("confirm") !== nameToType) {
      const typed = fields("confirm");
      return answer(
        context,
        console,
        formPage(view, fields, `"${typed}" is not the name: type "${nameToType}"`),
      );
    }
    const record = await console.act(context, action);
    return context.redirect(href(view, pathAfter(action, record, fields("back")), { done: record.id }), 303);
  }

  app.post("/undo", limited(MAX_FORM_BYTES), async (context) => {
    const fields = await readFields(context);
    const view = viewOf(context, console, console.snapshot());
    return await attempt(context, view, "/activity", async () => {
      const record = await console.undo(context, fields("id"));
      return context.redirect(href(view, safePath(fields("back"), "/activity"), { done: record.id }), 303);
    });
  });

  app.get("/publish", async (context) => {
    const view = viewOf(context, console, await console.look());
    return answer(
      context,
      console,
      publishPage(view, { ...emptyForm, topic: view.query.get("topic") ?? "" }),
    );
  });

  app.post("/publish", limited(MAX_PUBLISH_BYTES), async (context) => {
    const body = await context.req.parseBody();
    const view = viewOf(context, console, await console.look());
    const form = await readPublishForm(body);
    if (form.problem !== "" || form.action === null || body.do === "look") {
      return answer(context, console, publishPage(view, form));
    }
    const { action } = form;
    return await attempt(context, view, "/publish", async () => {
      const record = await console.act(context, action);
      return context.redirect(href(view, "/publish", { topic: form.topic, done: record.id }), 303);
    });
  });

  app.post("/preferences", limited(MAX_FORM_BYTES), async (context) => {
    const fields = await readFields(context);
    const view = viewOf(context, console, console.snapshot());
    const changes = new URLSearchParams(
      ["theme", "time", "refresh"].flatMap((name) => fields(name) === "" ? [] : [[name, fields(name)]]),
    );
    const preferences = readPreferences(formatPreferences(view.preferences), changes);
    setCookie(context, PREFERENCES_COOKIE, formatPreferences(preferences), {
      path: console.settings.basePath,
      maxAge: 400 * 86_400,
      sameSite: "Lax",
    });
    return context.redirect(href(view, safePath(fields("back"), "/")), 303);
  });

  mountLetterForms(app, console, { viewOf, answer, attempt });

  app.get("/login", (context) => {
    const view = viewOf(context, console, console.snapshot());
    return login(context, view, { next: view.query.get("next") ?? "", name: "", problem: "" });
  });

  app.post("/login", limited(MAX_FORM_BYTES), async (context) => {
    const fields = await readFields(context);
    const view = viewOf(context, console, console.snapshot());
    const result = await console.login(context, fields("name"), fields("password"));
    const next = safePath(fields("next"), href(view, "/"));
    if (result.isOk) return context.redirect(next, 303);
    context.status(result.reason === "throttled" ? 429 : 401);
    const problem = result.reason === "throttled"
      ? `Too many attempts: try again in ${result.retryAfterSeconds} s.`
      : "User or password is wrong.";
    return login(context, view, { next, name: fields("name"), problem });
  });

  app.post("/logout", limited(MAX_FORM_BYTES), (context) => {
    const view = viewOf(context, console, console.snapshot());
    console.logout(context);
    return context.redirect(href(view, "/login"), 303);
  });
}

function login(
  context: ConsoleContext,
  view: View,
  form: { next: string; name: string; problem: string },
): Response {
  context.header("Cache-Control", "no-store");
  return context.html(String(
    <BareDocument view={view} title="Log in" nonce={context.get("secureHeadersNonce") ?? ""}>
      <LoginForm view={view} {...form} />
    </BareDocument>,
  )) as Response;
}

/** A field of the form that was sent; "" when it is not there. */
type Fields = (name: string) => string;

async function readFields(context: ConsoleContext): Promise<Fields> {
  const body = await context.req.parseBody();
  return (name) => {
    const value = body[name];
    return typeof value === "string" ? value : "";
  };
}

/** What is wrong with the names of a form that creates; the others are of things that exist. */
function nameProblem(fields: Fields): string {
  if (fields("kind") !== "create") return "";
  for (const name of ["topic", "channel"]) {
    const value = fields(name);
    if (name === "channel" && value === "") continue;
    if (!isValidName(value)) {
      return `"${value}" cannot name a ${name}: 1 to 64 of letters, digits, ".", "_" and "-", and "#ephemeral" at the end if wanted`;
    }
  }
  return "";
}

/** @throws {HttpError} 400 when the form names no action */
function readAction(fields: Fields): Action {
  const kind = fields("kind");
  const topic = fields("topic");
  const channel = fields("channel") === "" ? null : fields("channel");
  switch (kind) {
    case "create":
    case "pause":
    case "unpause":
    case "empty":
    case "delete":
      return { kind, topic, channel };
    case "tombstone":
      return { kind, topic, node: fields("node") };
    default:
      throw new HttpError(400, "INVALID_ACTION");
  }
}

/** Where to after `action`: what was deleted has no page any more. */
function pathAfter(action: Action, { isOk }: ActionRecord, back: string): string {
  if (action.kind === "delete" && isOk) return action.channel === null ? "/topics" : topicPath(action.topic);
  return safePath(back, "/topics").replace(/\?.*$/, "");
}

/** `path` if it leads to this console, else `instead`: an address in a form must not lead away. */
function safePath(path: string, instead: string): string {
  return /^\/(?![/\\])[^\s\\]*$/.test(path) ? path : instead;
}
