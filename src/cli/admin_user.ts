/**
 * `nsq admin user`: adds, lists and removes those who may log in to a console.
 *
 * A password is read from the terminal, where it does not show, or from standard input when that is no terminal; it
 * is never an argument, which other users of the machine could see.
 */
import {
  faultOfUserName,
  readUsersFile,
  type UserEntry,
  writeUsersFile,
} from "../admin/access/users_file.ts";
import { hashPassword } from "../admin/access/password.ts";
import { roles } from "../admin/model/action.ts";
import { USERS_FILE } from "../admin/options_meaning.ts";
import { parseArgs, UsageError } from "../options/args.ts";
import type { OptionTable, OptionValue } from "../options/option.ts";

const userOptions = [
  {
    name: "users-file",
    configKey: null,
    group: "General",
    kind: "string",
    default: "",
    help: "The --users-file of the console",
  },
  {
    name: "data-path",
    configKey: null,
    group: "General",
    kind: "string",
    default: "",
    help: `The --data-path of the console, whose users are in ${USERS_FILE} there`,
  },
  {
    name: "role",
    configKey: null,
    group: "Users",
    kind: "enum",
    values: roles,
    default: "viewer",
    help: "What somebody may do",
  },
  {
    name: "can-view-bodies",
    configKey: null,
    group: "Users",
    kind: "bool",
    default: false,
    help: "Whether somebody may look into messages",
  },
] as const satisfies OptionTable;

const HELP = `Usage: nsq admin user add NAME [--role=viewer|operator|admin] [--can-view-bodies] FILE
       nsq admin user remove NAME FILE
       nsq admin user list FILE

FILE is --users-file=<path> or --data-path=<directory>, as the console has it.

  add      adds somebody, or gives somebody another role or password; asks for the password
  remove   removes somebody, whose sessions end at once
  list     shows who there is

  viewer   looks at everything but messages
  operator also creates, pauses, empties and publishes
  admin    also deletes and tombstones`;

const MIN_PASSWORD_LENGTH = 8;

/** Resolves with the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === undefined || ["-h", "-help", "--help", "help"].includes(verb) || rest.includes("--help")) {
    (verb === undefined ? console.error : console.log)(HELP);
    return verb === undefined ? 2 : 0;
  }
  try {
    return await change(verb, rest);
  } catch (cause) {
    const isUsage = cause instanceof UsageError;
    console.error(`${(cause as Error).message}${isUsage ? " (see nsq admin user --help)" : ""}`);
    return isUsage ? 2 : 1;
  }
}

async function change(verb: string, args: readonly string[]): Promise<number> {
  const needsName = verb === "add" || verb === "remove";
  if (!needsName && verb !== "list") throw new UsageError(`unknown command "${verb}"`);
  const name = needsName ? args[0] ?? "" : "";
  if (needsName && (name === "" || name.startsWith("-"))) throw new UsageError(`user ${verb} needs a name`);
  const { given } = parseArgs(userOptions, needsName ? args.slice(1) : args);
  const value = (flag: string): OptionValue | undefined =>
    given.get(userOptions.find((option) => option.name === flag)!);
  const path = value("users-file") as string | undefined ??
    (value("data-path") === undefined ? undefined : `${value("data-path")}/${USERS_FILE}`);
  if (path === undefined) {
    throw new UsageError("say which file: --users-file=<path> or --data-path=<directory>");
  }
  const users = readIfThere(path);
  if (verb === "list") {
    for (const user of users) {
      console.log(`${user.name}\t${user.role}${user.canViewBodies ? "\tsees messages" : ""}`);
    }
    return 0;
  }
  const others = users.filter((user) => user.name !== name),
    before = users.find((user) => user.name === name);
  if (verb === "remove") {
    if (before === undefined) throw new Error(`there is no user ${name} in ${path}`);
    writeUsersFile(path, others);
    console.log(`removed ${name} from ${path}`);
    return 0;
  }
  const fault = faultOfUserName(name);
  if (fault !== "") throw new UsageError(fault);
  const entry: UserEntry = {
    name,
    role: value("role") as UserEntry["role"] | undefined ?? before?.role ?? "viewer",
    canViewBodies: value("can-view-bodies") as boolean | undefined ?? before?.canViewBodies ?? false,
    password: await hashPassword(await readPassword(name)),
  };
  writeUsersFile(path, [...others, entry].sort((a, b) => a.name < b.name ? -1 : 1));
  console.log(`${before === undefined ? "added" : "changed"} ${name} (${entry.role}) in ${path}`);
  return 0;
}

function readIfThere(path: string): UserEntry[] {
  try {
    Deno.statSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return [];
    throw cause;
  }
  return readUsersFile(path);
}

async function readPassword(name: string): Promise<string> {
  const isTerminal = Deno.stdin.isTerminal();
  const password = isTerminal ? await askTwice(name) : (await readInput()).replace(/\r?\n$/, "");
  if (password.length < MIN_PASSWORD_LENGTH) {
    throw new Error(`the password is too short: it needs ${MIN_PASSWORD_LENGTH} characters`);
  }
  return password;
}

async function askTwice(name: string): Promise<string> {
  const first = await ask(`Password of ${name}: `), second = await ask("Again: ");
  if (first !== second) throw new Error("the two differ");
  return first;
}

/** Reads a line that does not show. */
async function ask(prompt: string): Promise<string> {
  const encoder = new TextEncoder(), decoder = new TextDecoder();
  Deno.stderr.writeSync(encoder.encode(prompt));
  Deno.stdin.setRaw(true, { cbreak: true });
  try {
    let line = "";
    const bytes = new Uint8Array(256);
    for (;;) {
      const count = await Deno.stdin.read(bytes);
      if (count === null) return line;
      for (const char of decoder.decode(bytes.subarray(0, count), { stream: true })) {
        if (char === "\n" || char === "\r") return line;
        if (char === "\x7f" || char === "\b") line = line.slice(0, -1);
        else line += char;
      }
    }
  } finally {
    Deno.stdin.setRaw(false);
    Deno.stderr.writeSync(encoder.encode("\n"));
  }
}

async function readInput(): Promise<string> {
  return await new Response(Deno.stdin.readable).text();
}
