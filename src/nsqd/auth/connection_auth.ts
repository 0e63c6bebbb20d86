/**
 * What one connection may do: AUTH, the checks of later commands, and the renewal of what has expired.
 *
 * While the auth server is asked the connection runs no command; the one that waits goes on, or is refused,
 * when the answer is there. The rest of the broker does not wait.
 *
 * Tested in test/wire/auth_test.ts.
 */
import { encodeJson } from "../../protocol/json.ts";
import * as errors from "../../protocol/errors.ts";
import type { AuthSubject } from "./auth_query.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Authorization } from "./authorization.ts";

/** The connection, as far as it is needed here. */
export interface AuthOwner {
  /** No further command is run, although the client may send some. */
  suspend(): void;
  /** Runs `finish`, the rest of the command that waited, which may throw a `ClientError`, and then what followed. */
  resume(finish: () => void): void;
  respond(data: Uint8Array): void;
  /** What the auth server is told besides the secret. */
  authSubject(): Omit<AuthSubject, "secret">;
  /** Monotonic ms. */
  nowMs(): number;
}

const encoder = new TextEncoder();

export class ConnectionAuth {
  readonly #authenticator: Authenticator;
  readonly #owner: AuthOwner;
  #secret: Uint8Array = new Uint8Array(0);
  #authorization: Authorization | null = null;
  #expiresAtMs = 0;
  #query: AbortController | null = null;

  constructor(authenticator: Authenticator, owner: AuthOwner) {
    this.#authenticator = authenticator;
    this.#owner = owner;
  }

  /** Null until AUTH succeeded. */
  get authorization(): Authorization | null {
    return this.#authorization;
  }

  /**
   * AUTH: asks, and answers who the client is.
   *
   * @param secret is copied
   * @throws {ClientError} when that was done before
   */
  authenticate(secret: Uint8Array): void {
    if (this.#authorization !== null) throw errors.authAlreadySet();
    this.#secret = secret.slice();
    this.#ask((authorization) => {
      if (authorization.permissionCount === 0) throw errors.noAuthorizations();
      this.#authorization = authorization;
      this.#owner.respond(encoder.encode(encodeJson({
        identity: authorization.identity,
        identity_url: authorization.identityUrl,
        permission_count: authorization.permissionCount,
      })));
    });
  }

  /**
   * True when the command may be run; false when what is known has expired, and `renew()` must tell.
   *
   * @param channel empty for a publish
   * @throws {ClientError} when the command is not allowed
   */
  permits(command: errors.CheckedCommand, topic: string, channel: string): boolean {
    const authorization = this.#authorization;
    if (authorization === null) throw errors.authRequired(command);
    if (this.#owner.nowMs() >= this.#expiresAtMs) return false;
    if (!authorization.allows(topic, channel)) throw errors.unauthorized(command, topic, channel);
    return true;
  }

  /** Asks again what the client may do, and runs `proceed`, the rest of the command, when that allows it. */
  renew(command: errors.CheckedCommand, topic: string, channel: string, proceed: () => void): void {
    this.#ask((authorization) => {
      this.#authorization = authorization;
      if (!authorization.allows(topic, channel)) throw errors.unauthorized(command, topic, channel);
      proceed();
    });
  }

  /** The connection ends: a request to the auth server ends too. */
  cancel(): void {
    this.#query?.abort();
  }

  #ask(use: (authorization: Authorization) => void): void {
    const query = this.#query = new AbortController(), owner = this.#owner;
    owner.suspend();
    const subject = { ...owner.authSubject(), secret: this.#secret };
    this.#authenticator.query(subject, query.signal).then(
      (authorization) =>
        owner.resume(() => {
          this.#expiresAtMs = owner.nowMs() + authorization.ttlSeconds * 1000;
          use(authorization);
        }),
      (cause) =>
        owner.resume(() => {
          throw errors.authFailed(cause);
        }),
    ).finally(() => this.#query = null);
  }
}
