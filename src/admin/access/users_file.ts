/**
 * The file of those who may log in: JSON with a list `users`, readable by its owner alone.
 *
 * It is looked at again when it changes, so that who is added can log in, and who is removed is out, without a
 * restart; while what it holds cannot be understood, nobody is let in. Tested in test/admin/access/users_file_test.ts.
 */
import type { Logger } from "../../log/logger.ts";
import { type Role, roles } from "../model/action.ts";
import { parsePhc } from "./password.ts";

export interface UserEntry {
  readonly name: string;
  readonly role: Role;
  readonly canViewBodies: boolean;
  /** A PHC string. */
  readonly password: string;
}

/** How often the file is looked at, at most. */
const LOOK_AGAIN_MS = 1000;

const NAME = /^[\w.@+-]{1,64}$/;

/** Says what is wrong with the name of a user; "" when nothing is. */
export function faultOfUserName(name: string): string {
  return NAME.test(name)
    ? ""
    : `cannot use the name ${JSON.stringify(name)}: it must be 1 to 64 letters, digits or any of . @ + - _`;
}

/** The users of a running console. */
export class Users {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #nowMs: () => number;
  #lookedAtMs = -Infinity;
  #modifiedMs = -1;
  #byName: ReadonlyMap<string, UserEntry> = new Map();

  constructor(path: string, logger: Logger, nowMs: () => number) {
    this.#path = path;
    this.#logger = logger;
    this.#nowMs = nowMs;
  }

  find(name: string): UserEntry | undefined {
    this.#lookAgain();
    return this.#byName.get(name);
  }

  #lookAgain(): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#lookedAtMs < LOOK_AGAIN_MS) return;
    this.#lookedAtMs = nowMs;
    try {
      const modifiedMs = Deno.statSync(this.#path).mtime?.getTime() ?? 0;
      if (modifiedMs === this.#modifiedMs) return;
      this.#byName = new Map(readUsersFile(this.#path).map((user) => [user.name, user]));
      this.#modifiedMs = modifiedMs;
    } catch (cause) {
      if (this.#byName.size > 0 || this.#modifiedMs !== -2) {
        this.#logger.error(`nobody can log in: failed to read users - ${(cause as Error).message}`);
      }
      this.#byName = new Map();
      this.#modifiedMs = -2;
    }
  }
}

/** @throws {Error} that names the file and what is wrong with it */
export function readUsersFile(path: string): UserEntry[] {
  try {
    const json = JSON.parse(Deno.readTextFileSync(path)) as { users?: unknown };
    if (!Array.isArray(json?.users)) throw new Error(`it has no list "users"`);
    return json.users.map(readEntry);
  } catch (cause) {
    throw new Error(`${path}: ${(cause as Error).message}`, { cause });
  }
}

function readEntry(json: unknown, index: number): UserEntry {
  const { name, role, can_view_bodies, password } = (json ?? {}) as Record<string, unknown>;
  const where = `entry ${index + 1}`;
  if (typeof name !== "string" || faultOfUserName(name) !== "") {
    throw new Error(`${where} has no usable name`);
  }
  if (!roles.includes(role as Role)) {
    throw new Error(`the role of ${name} must be one of ${roles.join(", ")}`);
  }
  if (typeof password !== "string") throw new Error(`${name} has no password`);
  try {
    parsePhc(password);
  } catch (cause) {
    throw new Error(`the password of ${name} cannot be used: ${(cause as Error).message}`, { cause });
  }
  return { name, role: role as Role, canViewBodies: can_view_bodies === true, password };
}

/** Writes the file anew, in one step. @throws {Error} when that fails */
export function writeUsersFile(path: string, users: readonly UserEntry[]): void {
  const entries = users.map(({ name, role, canViewBodies, password }) => ({
    name,
    role,
    ...(canViewBodies ? { can_view_bodies: true } : {}),
    password,
  }));
  const next = `${path}.${Deno.pid}.tmp`;
  Deno.writeTextFileSync(next, `${JSON.stringify({ users: entries }, null, 2)}\n`, { mode: 0o600 });
  Deno.renameSync(next, path);
}
