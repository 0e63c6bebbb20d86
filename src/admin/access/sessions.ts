/**
 * Who is logged in: random tokens in cookies, of which only digests are kept, and nothing across a restart.
 *
 * Tested in test/admin/http/app_test.ts.
 */
import { createHash, randomBytes } from "node:crypto";

interface Session {
  readonly name: string;
  /** The kept password: who gets a new one is logged out. */
  readonly password: string;
  usedMs: number;
}

const TOKEN_BYTES = 32;
/** Of those who log in again and again the oldest sessions go first. */
const MAX_SESSIONS = 10_000;

export class Sessions {
  readonly #byDigest = new Map<string, Session>();
  readonly #lifetimeMs: number;
  readonly #nowMs: () => number;

  /** @param lifetimeMs for which a session that is not used lasts */
  constructor(lifetimeMs: number, nowMs: () => number) {
    this.#lifetimeMs = lifetimeMs;
    this.#nowMs = nowMs;
  }

  /** Returns the token of a new session. */
  begin(name: string, password: string): string {
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    this.#byDigest.set(digest(token), { name, password, usedMs: this.#nowMs() });
    for (const oldest of this.#byDigest.keys()) {
      if (this.#byDigest.size <= MAX_SESSIONS) break;
      this.#byDigest.delete(oldest);
    }
    return token;
  }

  /** Finds the session of `token` and keeps it alive; undefined when there is none (any more). */
  find(token: string): { readonly name: string; readonly password: string } | undefined {
    const key = digest(token), session = this.#byDigest.get(key);
    if (session === undefined) return undefined;
    const nowMs = this.#nowMs();
    if (nowMs - session.usedMs > this.#lifetimeMs) {
      this.#byDigest.delete(key);
      return undefined;
    }
    session.usedMs = nowMs;
    return session;
  }

  end(token: string): void {
    this.#byDigest.delete(digest(token));
  }
}

function digest(token: string): string {
  return createHash("sha256").update(token).digest("base64");
}
