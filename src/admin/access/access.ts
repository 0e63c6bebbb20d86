/**
 * Says who asks. There are three ways, and a console goes one of them: nobody has to say who they are; a proxy in
 * front says it in a header; or users log in, by a form that starts a session or, in scripts, with each request.
 *
 * Tested in test/admin/http/app_test.ts.
 */
import { createHash } from "node:crypto";
import { basicCredentials } from "../actions/requester.ts";
import type { User } from "../model/action.ts";
import { LoginThrottle } from "./login_throttle.ts";
import { hashPassword, isPassword } from "./password.ts";
import { Sessions } from "./sessions.ts";
import type { UserEntry, Users } from "./users_file.ts";

/** How it is known who somebody is. */
export type AccessMode =
  | { readonly kind: "open" }
  /** Everybody may look, and `adminUsers` may change things. */
  | { readonly kind: "header"; readonly header: string; readonly adminUsers: readonly string[] }
  | { readonly kind: "login"; readonly users: Users; readonly sessionLifetimeMs: number };

export interface AccessClocks {
  /** Unix ms. */
  nowMs(): number;
  /** Never goes back. */
  monotonicMs(): number;
}

export type LoginOutcome =
  | { readonly isOk: true; readonly user: User; readonly token: string }
  | { readonly isOk: false; readonly waitMs: number };

const OPEN_USER: User = { name: "", role: "admin", canViewBodies: true, source: "open" };
/** For how long a password in a request need not be checked again. */
const REMEMBER_MS = 60_000;
const MAX_REMEMBERED = 1000;

export class Access {
  readonly mode: AccessMode;
  readonly #sessions: Sessions;
  readonly #throttle: LoginThrottle;
  readonly #clocks: AccessClocks;
  /** Requests with a password that was right, by their digest. */
  readonly #remembered = new Map<string, { name: string; password: string; untilMs: number }>();
  readonly #checking = new Map<string, Promise<UserEntry | undefined>>();
  #decoy: Promise<string> | null = null;

  constructor(mode: AccessMode, clocks: AccessClocks) {
    this.mode = mode;
    this.#clocks = clocks;
    const lifetimeMs = mode.kind === "login" ? mode.sessionLifetimeMs : 0;
    this.#sessions = new Sessions(lifetimeMs, () => clocks.monotonicMs());
    this.#throttle = new LoginThrottle(() => clocks.monotonicMs());
  }

  /**
   * Who sent a request; null when nobody who may.
   *
   * @param token of the cookie, if there is one
   * @param ip of the other end
   */
  async identify(headers: Headers, token: string | undefined, ip: string): Promise<User | null> {
    const { mode } = this;
    if (mode.kind === "open") return OPEN_USER;
    if (mode.kind === "header") {
      const name = headers.get(mode.header) ?? "";
      const isAdmin = mode.adminUsers.includes(name);
      return { name, role: isAdmin ? "admin" : "viewer", canViewBodies: isAdmin, source: "header" };
    }
    const session = token === undefined ? undefined : this.#sessions.find(token);
    const entry = session === undefined ? undefined : mode.users.find(session.name);
    if (entry !== undefined && entry.password === session?.password) return userOf(entry);
    const given = basicCredentials(headers.get("authorization"));
    return given === undefined ? null : await this.#identifyByPassword(given.name, given.password, ip);
  }

  /** Checks a password, and begins a session. */
  async login(name: string, password: string, ip: string): Promise<LoginOutcome> {
    const waitMs = this.#throttle.waitMs(throttleKeys(name, ip));
    if (waitMs > 0) return { isOk: false, waitMs };
    const entry = await this.#check(name, password, ip);
    if (entry === undefined) return { isOk: false, waitMs: 0 };
    return { isOk: true, user: userOf(entry), token: this.#sessions.begin(entry.name, entry.password) };
  }

  logout(token: string): void {
    this.#sessions.end(token);
  }

  async #identifyByPassword(name: string, password: string, ip: string): Promise<User | null> {
    if (this.mode.kind !== "login") return null;
    const key = createHash("sha256").update(`${name}\0${password}`).digest("base64");
    const known = this.#remembered.get(key);
    const entry = this.mode.users.find(name);
    if (
      known !== undefined && known.untilMs > this.#clocks.monotonicMs() && known.password === entry?.password
    ) {
      return userOf(entry);
    }
    let checking = this.#checking.get(key);
    if (checking === undefined) {
      if (this.#throttle.waitMs(throttleKeys(name, ip)) > 0) return null;
      // Requests that a script sends at the same time are one attempt.
      checking = this.#check(name, password, ip).finally(() => this.#checking.delete(key));
      this.#checking.set(key, checking);
    }
    const checked = await checking;
    if (checked === undefined) return null;
    const untilMs = this.#clocks.monotonicMs() + REMEMBER_MS;
    this.#remembered.delete(key);
    this.#remembered.set(key, { name, password: checked.password, untilMs });
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= MAX_REMEMBERED) break;
      this.#remembered.delete(oldest);
    }
    return userOf(checked);
  }

  async #check(name: string, password: string, ip: string): Promise<UserEntry | undefined> {
    if (this.mode.kind !== "login") return undefined;
    const keys = throttleKeys(name, ip);
    const entry = this.mode.users.find(name);
    // Counted before it is known, so that many guesses at the same time are many.
    this.#throttle.fail(keys);
    // A name that is not there takes as long as one that is.
    this.#decoy ??= hashPassword("");
    const isRight = await isPassword(password, entry?.password ?? await this.#decoy) && entry !== undefined;
    if (!isRight) return undefined;
    this.#throttle.succeed(keys);
    return entry;
  }
}

function throttleKeys(name: string, ip: string): string[] {
  return [`name ${name}`, `ip ${ip}`];
}

function userOf({ name, role, canViewBodies }: UserEntry): User {
  return { name, role, canViewBodies, source: "login" };
}
