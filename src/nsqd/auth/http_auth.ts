/**
 * Who may look at messages over HTTP where there are auth servers: whoever may subscribe to them.
 *
 * The secret comes as `Authorization: Bearer`; the auth servers are asked as for AUTH, and what they allow holds for
 * its ttl.
 */
import { peerHost } from "../../net/address.ts";
import { HttpError } from "../../http/errors.ts";
import type { HttpRequest } from "../../http/connection/incoming_request.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Authorization } from "./authorization.ts";

/** Replies that are remembered; with more they are asked for again. */
const MAX_KNOWN = 1000;
const UTF8 = new TextEncoder();

/** What is to be known of a request. */
type Looking = Pick<HttpRequest, "headers" | "remoteAddress" | "isTls">;

export class HttpAuth {
  readonly #authenticator: Authenticator;
  readonly #nowMs: () => number;
  /** By what the auth servers were told. */
  readonly #known = new Map<string, { authorization: Authorization; expiresAtMs: number }>();

  /** @param nowMs monotonic */
  constructor(authenticator: Authenticator, nowMs: () => number) {
    this.#authenticator = authenticator;
    this.#nowMs = nowMs;
  }

  /**
   * Resolves when the request may see messages.
   *
   * @param channel empty for those of the topic, whichever its channels
   * @throws {HttpError} 401 AUTH_REQUIRED without a secret, 403 UNAUTHORIZED, 503 AUTH_FAILED when no auth server
   * gives a valid reply
   */
  async mayLook(request: Looking, topic: string, channel: string): Promise<void> {
    const [, secret] = /^Bearer +(\S.*)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
    if (secret === undefined) throw new HttpError(401, "AUTH_REQUIRED");
    const authorization = await this.#authorizationOf(secret, request);
    const allowed = channel === ""
      ? authorization.allowsSubscribing(topic)
      : authorization.allows(topic, channel);
    if (!allowed) throw new HttpError(403, "UNAUTHORIZED");
  }

  async #authorizationOf(secret: string, { remoteAddress, isTls }: Looking): Promise<Authorization> {
    const remoteIp = peerHost(remoteAddress);
    const key = JSON.stringify([secret, remoteIp, isTls]), known = this.#known.get(key);
    if (known !== undefined && this.#nowMs() < known.expiresAtMs) return known.authorization;
    const subject = { secret: UTF8.encode(secret), remoteIp, tls: isTls, commonName: "" };
    let authorization;
    try {
      authorization = await this.#authenticator.query(subject, new AbortController().signal);
    } catch (cause) {
      // The authenticator wrote why into the log.
      throw new HttpError(503, "AUTH_FAILED", { cause });
    }
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, {
      authorization,
      expiresAtMs: this.#nowMs() + authorization.ttlSeconds * 1000,
    });
    return authorization;
  }
}
