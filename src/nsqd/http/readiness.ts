/**
 * Whether this node takes work, for `/ready`, and what HTTP answers while it does not yet.
 *
 * The listeners open before the stored state is read, which may take a while when Go nsqd's queues are taken
 * over. Until then every request is answered with status 503 rather than left to wait.
 */
import type { Answer } from "../../http/answer.ts";
import type { HttpRequest } from "../../http/connection/incoming_request.ts";
import { HttpError } from "../../http/errors.ts";
import { respond, respondError } from "../../http/respond.ts";
import { pathOf } from "../../http/request_target.ts";
import type { Handler } from "../../http/server.ts";

const STARTING = "NOK - starting: the stored state is being read";

export class Readiness {
  #phase: "starting" | "serving" | "stopping" = "starting";
  #api: Handler | null = null;

  /** Answers as the API does, once there is one. */
  readonly handle: Handler = (request) => this.#api === null ? answerStarting(request) : this.#api(request);

  /** The stored state is read: `api` answers from here on. */
  serve(api: Handler): void {
    this.#api = api;
    this.#phase = "serving";
  }

  /** The node accepts nothing more; requests are still answered. */
  stop(): void {
    this.#phase = "stopping";
  }

  /** The answer to `/ready`. @throws {HttpError} of status 503 when the node does not accept publishes */
  check(diskFailure: string | null): "OK" {
    if (this.#phase === "stopping") throw new HttpError(503, "NOK - stopping");
    if (diskFailure !== null) throw new HttpError(503, `NOK - ${diskFailure}`);
    return "OK";
  }
}

function answerStarting({ target }: HttpRequest): Answer {
  const path = pathOf(target);
  // The event loop turns: who watches over the process has to let it go on.
  if (path === "/live" || path === "/ping") return respond("plain", "OK");
  return path === "/ready"
    ? respondError("plain", new HttpError(503, STARTING))
    : respondError("v1", new HttpError(503, "STARTING"));
}
