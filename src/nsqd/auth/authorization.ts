/**
 * What an auth server lets a client do: its reply, checked, and the question whether a command is allowed.
 *
 * The regular expressions are those of RE2, as Go nsqd takes them, and are matched in linear time: what
 * JavaScript has and RE2 has not (lookaround, backreferences) makes the reply invalid, as it does there.
 */

/** Compiles an RE2 expression; throws when it is none. */
export type CompilePattern = (pattern: string) => { test(text: string): boolean };

type Permission = "subscribe" | "publish";

interface Entry {
  topic: { test(text: string): boolean };
  channels: { test(text: string): boolean }[];
  permissions: ReadonlySet<string>;
}

/**
 * Compiling costs time in the length of an expression, multiplied by its counted repetitions. A reply whose
 * expressions sum up to more than this would hold up all connections for about a second.
 */
const MAX_PATTERN_COST = 131_072;
/** Decisions that are remembered, so that each topic of a publisher is matched once. */
const MAX_DECISIONS = 1024;

export class Authorization {
  /** Who the client is, as the auth server names it; may be empty. */
  readonly identity: string;
  readonly identityUrl: string;
  readonly ttlSeconds: number;
  readonly #entries: readonly Entry[];
  readonly #decisions = new Map<string, boolean>();

  private constructor(identity: string, identityUrl: string, ttlSeconds: number, entries: Entry[]) {
    this.identity = identity;
    this.identityUrl = identityUrl;
    this.ttlSeconds = ttlSeconds;
    this.#entries = entries;
  }

  /**
   * Reads the reply of an auth server:
   * `{"ttl":60,"identity":"…","identity_url":"…","authorizations":[{"topic":"^t$","channels":[".*"],
   * "permissions":["publish","subscribe"]}]}`. Keys match in any letter case, and null counts as absent.
   *
   * @throws {Error} when it is no JSON, a member has the wrong type, the ttl is not positive, a permission is
   * unknown, or an expression does not compile or is too long
   */
  static parse(text: string, compile: CompilePattern): Authorization {
    const reply = membersOf(JSON.parse(text), "the reply");
    const ttl = reply.get("ttl") ?? 0;
    if (!Number.isInteger(ttl) || (ttl as number) <= 0) {
      throw new Error(`invalid TTL ${JSON.stringify(ttl)} (must be a number of seconds above 0)`);
    }
    const budget = { left: MAX_PATTERN_COST };
    const compileWithin = (pattern: string) => {
      budget.left -= costOf(pattern);
      if (budget.left < 0) throw new Error("the regular expressions are too long or repeat too much");
      return compile(pattern);
    };
    const entries = list(reply.get("authorizations"), "authorizations").map((entry) =>
      parseEntry(entry, compileWithin)
    );
    return new Authorization(
      string(reply.get("identity"), "identity"),
      string(reply.get("identity_url"), "identity_url"),
      ttl as number,
      entries,
    );
  }

  /** How many entries there are; with none the client may do nothing. */
  get permissionCount(): number {
    return this.#entries.length;
  }

  /** Whether the client may subscribe to `channel` of `topic`, or, when `channel` is empty, publish to `topic`. */
  allows(topic: string, channel: string): boolean {
    const key = `${topic} ${channel}`, known = this.#decisions.get(key);
    if (known !== undefined) return known;
    const permission: Permission = channel === "" ? "publish" : "subscribe";
    const allowed = this.#entries.some((entry) =>
      entry.permissions.has(permission) && entry.topic.test(topic) &&
      // For publishing too, one of these must match: the empty name.
      entry.channels.some((pattern) => pattern.test(channel))
    );
    if (this.#decisions.size >= MAX_DECISIONS) this.#decisions.clear();
    this.#decisions.set(key, allowed);
    return allowed;
  }

  /** Whether the client may subscribe to some channel of `topic`. */
  allowsSubscribing(topic: string): boolean {
    return this.#entries.some((entry) => entry.permissions.has("subscribe") && entry.topic.test(topic));
  }
}

function parseEntry(value: unknown, compile: CompilePattern): Entry {
  const entry = membersOf(value, "an authorization");
  const permissions = list(entry.get("permissions"), "permissions").map((name) =>
    string(name, "permissions")
  );
  for (const permission of permissions) {
    if (permission !== "subscribe" && permission !== "publish") {
      throw new Error(`unknown permission ${JSON.stringify(permission)}`);
    }
  }
  return {
    topic: compile(string(entry.get("topic"), "topic")),
    channels: list(entry.get("channels"), "channels").map((channel) => compile(string(channel, "channels"))),
    permissions: new Set(permissions),
  };
}

/** The members of a JSON object by lower-case name; of those whose names differ in case only, the last. */
function membersOf(value: unknown, what: string): Map<string, unknown> {
  if (value === null) return new Map();
  if (typeof value !== "object" || Array.isArray(value)) throw new Error(`${what} is no JSON object`);
  return new Map(
    Object.entries(value).flatMap(([name, member]) =>
      member === null ? [] : [[name.toLowerCase(), member] as const]
    ),
  );
}

function list(value: unknown, name: string): unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error(`${name} is no list`);
  return value;
}

function string(value: unknown, name: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new Error(`${name} is or contains what is no text`);
  return value;
}

function costOf(pattern: string): number {
  let repetitions = 1;
  for (const [, from, to] of pattern.matchAll(/\{(\d{1,4})(?:,(\d{0,4}))?\}/g)) {
    repetitions += Math.max(Number(from), Number(to ?? 0));
  }
  return (pattern.length + 1) * repetitions;
}
