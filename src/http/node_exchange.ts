/**
 * Carries a request of `node:http` to a handler made for `Deno.serve()`, and its answer back.
 *
 * The handler sees what it would see there: the target as it was sent, a body that is read only as far as the
 * handler reads it, and a client that is told to go on (100) only then.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { internalError } from "./errors.ts";
import { respondError } from "./respond.ts";
import type { Handler } from "./router.ts";

/** Stands for the target, which the URL of a request may not hold as it was sent. */
const PLACEHOLDER_URL = "https://localhost/";
/** Methods whose requests have no body, whatever their headers say. */
const WITHOUT_BODY = new Set(["GET", "HEAD"]);

/**
 * Has `handler` answer a request; resolves when the answer is sent, or its client gone. Never rejects.
 *
 * @param awaitsContinue the client sends the body only when told to
 */
export async function exchange(
  handler: Handler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  awaitsContinue: boolean,
): Promise<void> {
  const gone = new Promise<void>((resolve) => outgoing.once("close", () => resolve()));
  // What is wrong with the connection shows in `close`, and in the body for who reads it.
  outgoing.on("error", () => {});
  incoming.on("error", () => {});
  const body = new IncomingBody(incoming, outgoing, awaitsContinue);
  let response: Response;
  try {
    response = await handler(requestOf(incoming, body), infoOf(incoming, gone));
  } catch {
    // Handlers answer their own faults; this is for a fault in what is around them.
    response = respondError("v1", internalError());
  }
  if (!body.isSettled) outgoing.setHeader("Connection", "close");
  await send(response, outgoing, gone);
  await gone;
  if (!body.isSettled) incoming.socket.destroySoon();
}

function requestOf(incoming: IncomingMessage, body: IncomingBody): Request {
  const { rawHeaders, method = "GET", url: target = "/" } = incoming;
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i], rawHeaders[i + 1]);
  const request = body.isSettled
    ? new Request(PLACEHOLDER_URL, { headers })
    : new Request(PLACEHOLDER_URL, { method: "POST", headers, body: body.stream() });
  const url = target.startsWith("/") ? `https://${incoming.headers.host ?? ""}${target}` : target;
  // The constructor would tidy the one and refuse some of the other.
  Object.defineProperties(request, { url: { value: url }, method: { value: method } });
  return request;
}

function infoOf(incoming: IncomingMessage, completed: Promise<void>): Deno.ServeHandlerInfo {
  const { remoteAddress = "", remotePort = 0 } = incoming.socket;
  return { remoteAddr: { transport: "tcp", hostname: remoteAddress, port: remotePort }, completed };
}

/** The body of a request. */
class IncomingBody {
  /** True when there is nothing of it left that would stand before the next request. */
  isSettled: boolean;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  #awaitsContinue: boolean;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, awaitsContinue: boolean) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#awaitsContinue = awaitsContinue;
    const { headers, method = "GET" } = incoming;
    const length = Number(headers["content-length"] ?? 0);
    this.isSettled = length === 0 && headers["transfer-encoding"] === undefined;
    if (!this.isSettled && WITHOUT_BODY.has(method)) this.#discard();
  }

  /** The bytes, as they come; nothing is taken in before it is asked for. Cancelled, it discards the rest. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const incoming = this.#incoming;
    let isOpen = true;
    return new ReadableStream({
      start: (controller) => {
        incoming.on("data", (chunk: Uint8Array) => {
          if (!isOpen) return;
          controller.enqueue(Uint8Array.from(chunk));
          incoming.pause();
        });
        incoming.pause();
        incoming.once("end", () => {
          this.isSettled = true;
          if (isOpen) controller.close();
          isOpen = false;
        });
        incoming.once("close", () => {
          if (isOpen) controller.error(new Error("the client went away"));
          isOpen = false;
        });
      },
      pull: () => {
        this.#continue();
        incoming.resume();
      },
      cancel: () => {
        isOpen = false;
        this.#discard();
      },
    }, { highWaterMark: 0 });
  }

  #discard(): void {
    // A client that was not told to go on sends nothing, or sends it all the same: nobody can tell which.
    if (this.#awaitsContinue) return;
    this.isSettled = true;
    this.#incoming.resume();
  }

  #continue(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    this.#outgoing.writeContinue();
  }
}

async function send(response: Response, outgoing: ServerResponse, gone: Promise<void>): Promise<void> {
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) outgoing.setHeader(spell(name), value);
  const reader = response.body?.getReader();
  if (reader === undefined) {
    outgoing.end();
    return;
  }
  let isEnded = false;
  gone.then(() => {
    if (!isEnded) reader.cancel().catch(() => {/* It failed already. */});
  });
  try {
    let { value } = await reader.read();
    // What comes in one piece goes with its length.
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      await write(outgoing, value!, gone);
      value = next.value;
    }
    isEnded = true;
    outgoing.end(value);
  } catch {
    // The answer cannot be completed, and its beginning must not pass for it.
    outgoing.destroy();
  }
}

/** Resolves when there is room for more, or nobody reads any more. */
async function write(outgoing: ServerResponse, bytes: Uint8Array, gone: Promise<void>): Promise<void> {
  if (outgoing.destroyed || outgoing.write(bytes)) return;
  await Promise.race([new Promise<void>((resolve) => outgoing.once("drain", resolve)), gone]);
}

/** `X-Nsq-Content-Type` for `x-nsq-content-type`, as on a plain connection. */
function spell(name: string): string {
  return name.replace(/(?<![a-z])[a-z]/g, (letter) => letter.toUpperCase());
}
