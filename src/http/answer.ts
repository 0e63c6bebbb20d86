/**
 * The answer to a request in the form that goes on the wire with the least work: what stands in its head is text
 * already, and shared by all answers of its kind.
 *
 * Tested in test/http/connection/http_connection_test.ts.
 */

/** Status line and headers, but for those that each answer has of its own. */
export class AnswerHead {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Ends with a line end. */
  readonly text: string;

  constructor(status: number, headers: readonly (readonly [string, string])[] = []) {
    this.status = status;
    this.headers = headers;
    let text = `HTTP/1.1 ${status} ${REASONS[status] ?? "Status"}\r\n`;
    for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
    this.text = text;
  }
}

export class Answer {
  readonly head: AnswerHead;
  readonly body: AnswerBody;

  /** @param body belongs to the answer from here on, and must not change */
  constructor(head: AnswerHead, body: AnswerBody = "") {
    this.head = head;
    this.body = body;
  }

  get status(): number {
    return this.head.status;
  }

  /** An answer as a handler may make it with the means of the web. Names of headers are spelled as is usual. */
  static of(response: Response): Answer {
    const headers: [string, string][] = [];
    for (const [name, value] of response.headers) {
      if (!OWN_TO_CONNECTIONS.has(name)) headers.push([spell(name), value]);
    }
    return new Answer(new AnswerHead(response.status, headers), response.body ?? "");
  }
}

export type AnswerBody = string | Uint8Array | ReadableStream<Uint8Array>;

/** What the server says itself, from what it knows of the connection and the body. */
const OWN_TO_CONNECTIONS = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "transfer-encoding",
]);

/** `X-Nsq-Content-Type` for `x-nsq-content-type`, which is how the web gives names. */
function spell(name: string): string {
  return name.replace(/(?<![a-z])[a-z]/g, (letter) => letter.toUpperCase());
}

const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  411: "Length Required",
  413: "Request Entity Too Large",
  414: "Request URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  422: "Unprocessable Entity",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};
