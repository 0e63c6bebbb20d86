/**
 * Posts a description of each change to an endpoint, one after the other, and nobody waits for it. An endpoint that
 * fails is logged and loses that one. Tested in test/admin/actions/notifier_test.ts.
 */
import { HttpRequestError } from "../../http/client/errors.ts";
import type { HttpClient } from "../../http/client/http_client.ts";
import type { Logger } from "../../log/logger.ts";
import { type Action, isOnLetters } from "../model/action.ts";
import type { Requester } from "./requester.ts";

/** Waiting notifications beyond this are dropped, the new ones first. */
const MAX_WAITING = 1000;

export class Notifier {
  readonly #endpoint: string;
  readonly #http: HttpClient;
  readonly #logger: Logger;
  readonly #via: string;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  /** @param endpoint a URL, or "" for nobody */
  constructor(endpoint: string, http: HttpClient, logger: Logger, via: string) {
    this.#endpoint = endpoint;
    this.#http = http;
    this.#logger = logger;
    this.#via = via;
  }

  /** Resolves when everything is posted that waited at the time of the call. */
  get settled(): Promise<void> {
    return this.#last;
  }

  /** Takes note of a change that was made, or tried. */
  notify(action: Action, by: Requester, atMs: number): void {
    if (this.#endpoint === "") return;
    for (const { name, channel, node } of eventsOf(action)) {
      if (this.#waiting >= MAX_WAITING) {
        this.#logger.error(`failed to POST notification - ${MAX_WAITING} others wait already`);
        return;
      }
      const body = JSON.stringify({
        action: name,
        topic: action.topic,
        ...(channel === "" ? {} : { channel }),
        ...(node === "" ? {} : { node }),
        timestamp: Math.floor(atMs / 1000),
        ...(by.basicUser === "" ? {} : { user: by.basicUser }),
        remote_ip: by.remoteAddress,
        user_agent: by.userAgent,
        url: by.url,
        via: this.#via,
      });
      this.#waiting++;
      this.#last = this.#last.then(() => this.#post(body));
    }
  }

  async #post(body: string): Promise<void> {
    try {
      await this.#http.request(this.#endpoint, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
    } catch (cause) {
      const reason = cause instanceof HttpRequestError ? cause.message : String(cause);
      this.#logger.error(`failed to POST notification - ${reason}`);
    } finally {
      this.#waiting--;
    }
  }
}

/** The names that receivers know; publishing is no change, and of dead letters Go nsqadmin knows nothing. */
function eventsOf(action: Action): { name: string; channel: string; node: string }[] {
  if (action.kind === "publish" || isOnLetters(action)) return [];
  if (action.kind === "tombstone") {
    return [{ name: "tombstone_topic_producer", channel: "", node: action.node }];
  }
  const channel = action.channel ?? "";
  if (action.kind === "create") {
    const events = [{ name: "create_topic", channel: "", node: "" }];
    return channel === "" ? events : [...events, { name: "create_channel", channel, node: "" }];
  }
  return [{ name: `${action.kind}_${channel === "" ? "topic" : "channel"}`, channel, node: "" }];
}
