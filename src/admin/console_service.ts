/** What pages ask and do, on top of poller, history, actions and access. Tested in test/admin/actions/actions_test.ts and test/admin/http/app_test.ts. */
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Clock } from "../clock/clock.ts";
import { targetOf } from "../http/request_target.ts";
import { remoteAddressOf } from "../net/address.ts";
import type { Access } from "./access/access.ts";
import { type Actions, checkNames } from "./actions/actions.ts";
import type { AuditLog } from "./actions/audit_log.ts";
import { previewOf } from "./actions/preview.ts";
import { type Requester, requesterOf } from "./actions/requester.ts";
import type { Console, ConsoleContext, ConsoleSettings, LoginResult } from "./console.ts";
import type { History } from "./history/history.ts";
import { type Action, type ActionRecord, isOnLetters } from "./model/action.ts";
import { HttpError } from "../http/errors.ts";
import type { MessageDesk } from "./messages/message_desk.ts";
import type { Tails } from "./tail/tails.ts";
import type { Poller } from "./poller/poller.ts";
import { NobodyAnsweredError } from "../cluster/partial.ts";

export interface ConsoleParts {
  /** Asked each time, since addresses may change. */
  readonly settings: () => ConsoleSettings;
  /** Where it is reached from this machine, such as `http://127.0.0.1:4171`. */
  readonly address: () => string;
  readonly poller: Poller;
  readonly history: History;
  readonly actions: Actions;
  readonly audit: AuditLog;
  readonly tails: Tails;
  readonly desk: MessageDesk;
  readonly access: Access;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  readonly sessionLifetimeMs: number;
}

/** The cookie of a session; behind TLS it has a name that only the host itself can set. */
const COOKIE = "nsqadmin";

export function createConsole(parts: ConsoleParts): Console {
  const { poller, history, actions, audit, access, clock } = parts;
  return {
    get settings() {
      return parts.settings();
    },
    stopping: parts.stopping,
    look: (scope = { clients: "none" }) => poller.look(scope),
    snapshot: () => poller.snapshot,
    onSnapshot: (listener) => poller.listen(listener),
    history: (key, fromMs, toMs) => history.read(key, fromMs, toMs, clock.nowMs()),
    marks: (key, fromMs, toMs) => history.marks(key, fromMs, toMs),
    preview: (user, action) => previewOf(action, user, poller.snapshot, parts.address()),
    async act(context, action) {
      const by = requesterOfContext(context);
      actions.authorize(by.user, action.kind);
      checkNames(action);
      try {
        return finish(parts, action, await actions.run(action, by));
      } catch (cause) {
        // It is recorded, and a page shows it like any other failure.
        if (cause instanceof NobodyAnsweredError) return audit.list(1)[0];
        throw cause;
      }
    },
    async undo(context, id) {
      const record = await actions.undo(id, requesterOfContext(context));
      poller.pollNow();
      return record;
    },
    tail(user, topic) {
      if (!user.canViewBodies) throw new HttpError(403, "FORBIDDEN");
      return parts.tails.look(topic);
    },
    messages: (user, node, query) => parts.desk.list(user, node, query),
    message: (user, node, topic, channel, id) => parts.desk.read(user, node, topic, channel, id),
    jobs: () => parts.desk.jobs(),
    audit: (limit, before) => audit.list(limit, before),
    record: (id) => audit.find(id),
    login: (context, name, password) => login(parts, context, name, password),
    logout(context) {
      for (const cookie of [COOKIE, `__Host-${COOKIE}`]) {
        const token = getCookie(context, cookie);
        if (token === undefined) continue;
        access.logout(token);
        deleteCookie(context, cookie, { path: "/", secure: cookie !== COOKIE });
      }
      recordLogin(parts, context, "logout", context.get("user")?.name ?? "", "");
    },
  };
}

/** Charts get a mark, and who looks sees the effect at once. */
function finish({ history, poller, desk }: ConsoleParts, action: Action, record: ActionRecord): ActionRecord {
  markAction(history, action, record);
  desk.forgetJobs();
  poller.pollNow();
  return record;
}

/** Leaves a mark in the charts of what was changed. */
export function markAction(history: History, action: Action, record: ActionRecord): void {
  if (action.kind === "publish" || action.kind === "tombstone" || isOnLetters(action)) return;
  const { topic, channel } = action;
  const who = record.user === "" ? "" : ` by ${record.user}`;
  history.mark(channel === null ? `t:${topic}` : `c:${topic}/${channel}`, {
    atMs: record.atMs,
    kind: action.kind,
    text: `${action.kind} ${record.target}${who}`,
  });
}

/** The token of the session that a request names. */
export function sessionTokenOf(context: ConsoleContext): string | undefined {
  return getCookie(context, `__Host-${COOKIE}`) ?? getCookie(context, COOKIE);
}

/** The address of who sent a request, without the port. */
export function ipOf(context: ConsoleContext): string {
  return remoteAddressOf(context.env.remoteAddr).replace(/:\d+$/, "");
}

function requesterOfContext(context: ConsoleContext): Requester {
  const { raw } = context.req;
  return requesterOf(raw, targetOf(raw.url), remoteAddressOf(context.env.remoteAddr), context.get("user"));
}

async function login(
  parts: ConsoleParts,
  context: ConsoleContext,
  name: string,
  password: string,
): Promise<LoginResult> {
  const outcome = await parts.access.login(name, password, ipOf(context));
  if (!outcome.isOk) {
    const retryAfterSeconds = Math.ceil(outcome.waitMs / 1000);
    recordLogin(parts, context, "login", name, retryAfterSeconds > 0 ? "tried too often" : "wrong password");
    return { isOk: false, reason: retryAfterSeconds > 0 ? "throttled" : "wrong", retryAfterSeconds };
  }
  const isSecure = isBehindTls(context);
  setCookie(context, isSecure ? `__Host-${COOKIE}` : COOKIE, outcome.token, {
    path: "/",
    httpOnly: true,
    sameSite: "Lax",
    secure: isSecure,
    maxAge: Math.floor(parts.sessionLifetimeMs / 1000),
  });
  recordLogin(parts, context, "login", outcome.user.name, "");
  return { isOk: true, user: outcome.user };
}

function isBehindTls(context: ConsoleContext): boolean {
  return context.req.header("x-forwarded-proto") === "https" || context.req.header("x-scheme") === "https";
}

/** @param failure "" when there was none */
function recordLogin(
  { audit, clock }: ConsoleParts,
  context: ConsoleContext,
  kind: "login" | "logout",
  user: string,
  failure: string,
): void {
  const atMs = clock.nowMs();
  audit.add({
    id: audit.nextId(atMs),
    atMs,
    user: user.slice(0, 64),
    remoteAddress: remoteAddressOf(context.env.remoteAddr),
    kind,
    target: "",
    isOk: failure === "",
    message: failure,
    results: [],
    undoUntilMs: null,
  });
}
