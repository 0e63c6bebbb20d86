/** The auth servers of an nsqd: which of them is asked, and what counts as a reply. */
import type { Logger } from "../../log/logger.ts";
import { StartupError } from "../../log/startup_error.ts";
import type { NsqdOptions } from "../../options/tables/nsqd_options.ts";
import { HttpClient } from "../../http/client/http_client.ts";
import { loadRootCertificates } from "../../net/tls_settings.ts";
import { authEndpoint, type AuthRequestMethod, type AuthSubject, queryAuthServer } from "./auth_query.ts";
import { Authorization } from "./authorization.ts";

/** Longest reply of an auth server that is read. */
const MAX_REPLY_BYTES = 1 << 20;

/** How auth servers are asked. */
export interface AuthQuerySettings {
  method: AuthRequestMethod;
  /** Until the connection stands, ms. */
  connectTimeoutMs: number;
  /** For the whole request, ms. */
  requestTimeoutMs: number;
  /** A longer reply is refused. */
  maxReplyBytes: number;
  /** Roots for the certificates of auth servers, PEM; null for those of the system. */
  rootCertificates: string | null;
  minTlsVersion: "TLSv1.2" | "TLSv1.3";
}

export class Authenticator {
  readonly #endpoints: readonly string[];
  readonly #method: AuthRequestMethod;
  readonly #client: HttpClient;
  readonly #logger: Logger;
  readonly #random: () => number;

  /** @param random picks the server that is asked first; from 0 to below 1 */
  constructor(
    addresses: readonly string[],
    settings: AuthQuerySettings,
    logger: Logger,
    random: () => number = Math.random,
  ) {
    this.#endpoints = addresses.map(authEndpoint);
    this.#method = settings.method;
    this.#client = new HttpClient({
      ...settings,
      tls: {
        rootCertificates: settings.rootCertificates,
        identity: null,
        minVersion: settings.minTlsVersion,
        isVerified: true,
      },
    });
    this.#logger = logger;
    this.#random = random;
  }

  /**
   * The authenticator that the options ask for; null when no auth server is configured.
   *
   * @throws {StartupError} when an address or the method is no valid one, or the root certificates cannot be read
   */
  static of(options: NsqdOptions, logger: Logger): Authenticator | null {
    const method = options.authHttpRequestMethod;
    if (method !== "get" && method !== "post") {
      throw new StartupError("--auth-http-request-method must be post or get");
    }
    const addresses = options.authHttpAddress;
    if (addresses.length === 0) return null;
    for (const address of addresses) {
      const endpoint = authEndpoint(address);
      if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint)) {
        throw new StartupError(
          `cannot use --auth-http-address ${JSON.stringify(address)}: it must be host:port or an http(s) URL`,
        );
      }
    }
    const settings: AuthQuerySettings = {
      method,
      connectTimeoutMs: options.httpClientConnectTimeout,
      requestTimeoutMs: options.httpClientRequestTimeout,
      maxReplyBytes: MAX_REPLY_BYTES,
      rootCertificates: loadRootCertificates(options),
      minTlsVersion: options.tlsMinVersion === "tls1.3" ? "TLSv1.3" : "TLSv1.2",
    };
    return new Authenticator(addresses, settings, logger);
  }

  /**
   * Asks the servers, one after the other from a random one on, until one gives a valid reply.
   *
   * @throws {Error} when none does, or `signal` aborts
   */
  async query(subject: AuthSubject, signal: AbortSignal): Promise<Authorization> {
    // Loaded when it is first needed, as the HTTP client.
    const { RE2JS } = await import("re2js");
    const endpoints = this.#endpoints, failures: string[] = [];
    const start = Math.floor(this.#random() * endpoints.length);
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = endpoints[(start + i) % endpoints.length];
      try {
        const text = await queryAuthServer(this.#client, endpoint, subject, this.#method, signal);
        return Authorization.parse(text, (pattern) => RE2JS.compile(pattern));
      } catch (cause) {
        if (signal.aborted) throw cause;
        failures.push(`${endpoint}: ${(cause as Error).message}`);
        this.#logger.warn(`AUTH: auth server ${failures.at(-1)}`);
      }
    }
    throw new Error(`no auth server gave a valid reply - ${failures.join("; ")}`);
  }
}
