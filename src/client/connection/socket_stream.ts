/**
 * Streams over TCP and TLS, on the sockets that Deno, Node and Bun have in common.
 *
 * Tested in test/client/connection/connection_test.ts.
 */
import { readFile } from "node:fs/promises";
import { connect as connectSocket, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ConnectionError } from "../errors.ts";
import { splitAddress, type TlsOptions } from "../options/options.ts";
import type { ByteStream, Dial } from "./byte_stream.ts";

/** What may wait to be read before the socket is told to wait. */
const READ_MARK_BYTES = 1 << 20;
/** A timer that is late by so much was held up. */
const HELD_UP_MS = 50;
/** A piece that fills less of its memory than this share is copied, so that a message does not pin all of it. */
const MIN_FILL = 1 / 8;

/** Connects to `address`. @throws {ConnectionError} */
export const dialTcp: Dial = (address, { timeoutMs, localAddress, signal }) => {
  const { host, port } = splitAddress("nsqd", address);
  const local = localAddress === "" ? null : splitAddress("localAddress", localAddress);
  return new Promise((resolve, reject) => {
    const socket = connectSocket({
      host: host === "" ? "127.0.0.1" : host,
      port,
      noDelay: true,
      ...(local === null ? {} : { localAddress: local.host, localPort: local.port || undefined }),
    });
    const settle = (error: ConnectionError | null) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.removeListener("connect", onConnect);
      socket.removeListener("error", onError);
      if (error === null) return resolve(new SocketStream(socket));
      // What it may still report is of no interest, but without a listener it would end the process.
      socket.on("error", () => {});
      socket.destroy();
      reject(error);
    };
    const onConnect = () => settle(null);
    const onError = (cause: Error) => settle(connectError(address, cause));
    const onAbort = () =>
      settle(new ConnectionError("ERR_NSQ_CONNECT", address, `connecting to ${address} was given up`));
    const giveUp = () => {
      const message = `dial tcp ${address}: no connection within ${timeoutMs} ms`;
      settle(new ConnectionError("ERR_NSQ_CONNECT_TIMEOUT", address, message));
    };
    const dueMs = performance.now() + timeoutMs;
    let timer = setTimeout(() => {
      // A loop that was held up has not seen yet what came meanwhile.
      if (performance.now() < dueMs + HELD_UP_MS) giveUp();
      else timer = setTimeout(giveUp, HELD_UP_MS);
    }, timeoutMs);
    signal.addEventListener("abort", onAbort);
    socket.once("connect", onConnect);
    socket.once("error", onError);
    if (signal.aborted) onAbort();
  });
};

function connectError(address: string, cause: Error): ConnectionError {
  const isRefused = (cause as { code?: string }).code === "ECONNREFUSED";
  const reason = isRefused ? "connect: connection refused" : cause.message || cause.name;
  return new ConnectionError("ERR_NSQ_CONNECT", address, `dial tcp ${address}: ${reason}`, { cause });
}

class SocketStream implements ByteStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #socket: Socket;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #isOver = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        if (socket.isPaused()) socket.resume();
      },
      cancel: () => this.destroy(),
    }, { highWaterMark: READ_MARK_BYTES, size: (piece) => piece.byteLength });
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onEnd);
  }

  readonly #onData = (data: Uint8Array): void => {
    if (this.#isOver) return;
    const isSparse = data.byteLength < data.buffer.byteLength * MIN_FILL;
    this.#controller.enqueue(
      isSparse
        ? Uint8Array.prototype.slice.call(data)
        : new Uint8Array(data.buffer, data.byteOffset, data.length),
    );
    if ((this.#controller.desiredSize ?? 0) <= 0) this.#socket.pause();
  };

  readonly #onEnd = (): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller.close();
  };

  readonly #onError = (cause: Error): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller.error(cause);
  };

  write(bytes: Uint8Array, written: () => void): void {
    if (this.#socket.destroyed) return written();
    this.#socket.write(bytes, () => written());
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#onEnd();
  }

  readonly startTls = async (options: TlsOptions, host: string): Promise<ByteStream> => {
    const socket = this.#socket;
    const [ca, cert, key] = await Promise.all([
      pem(options.ca, options.caFile),
      pem(options.cert, options.certFile),
      pem(options.key, options.keyFile),
    ]);
    socket.removeListener("data", this.#onData);
    socket.removeListener("end", this.#onEnd);
    socket.removeListener("close", this.#onEnd);
    const name = options.serverName ?? host;
    const isIp = /^[\d.]+$|:/.test(name);
    return await new Promise<ByteStream>((resolve, reject) => {
      const secure = connectTls({
        socket,
        ca,
        cert,
        key,
        minVersion: options.minVersion,
        rejectUnauthorized: options.rejectUnauthorized ?? true,
        ...(isIp ? { host: name } : { servername: name }),
      });
      const onClose = () => onError(new Error("the connection ended during the TLS handshake"));
      const onError = (cause: Error) => {
        secure.removeListener("close", onClose);
        secure.on("error", () => {});
        secure.destroy();
        socket.destroy();
        reject(cause);
      };
      secure.once("error", onError);
      secure.once("close", onClose);
      secure.once("secureConnect", () => {
        secure.removeListener("error", onError);
        secure.removeListener("close", onClose);
        resolve(new SocketStream(secure));
      });
    });
  };
}

async function pem(text: string | undefined, file: string | undefined): Promise<string | undefined> {
  if (text !== undefined || file === undefined || file === "") return text;
  return await readFile(file, "utf8");
}
