/**
 * What a connection needs of whatever carries its bytes: TCP, TLS, compression on top of them, a WebSocket.
 *
 * Tested in test/client/connection/connection_test.ts.
 */
import type { TlsOptions } from "../options/options.ts";

/** Bytes both ways. */
export interface ByteStream {
  /** What arrives; it ends when the other side ends, and fails when the stream breaks. */
  readonly readable: ReadableStream<Uint8Array>;
  /**
   * Sends `bytes`, which must not change until `written` is called: once, when they are on their way or lost.
   * Writes are never refused; whoever writes looks at what is not written yet.
   */
  write(bytes: Uint8Array, written: () => void): void;
  /** Ends the sending half after all writes. */
  end(): void;
  /** Ends both halves at once. */
  destroy(): void;
  /** Goes on as TLS; this stream must not be used any more. Null where the carrier brings its own encryption. */
  readonly startTls: ((options: TlsOptions, host: string) => Promise<ByteStream>) | null;
}

/** Makes a stream to a node; `signal` gives up. */
export type Dial = (
  address: string,
  options: { timeoutMs: number; localAddress: string; signal: AbortSignal },
) => Promise<ByteStream>;

/** The same stream with `bytes`, which were read already, in front of what arrives. */
export function withPrefix(stream: ByteStream, bytes: Uint8Array): ByteStream {
  if (bytes.length === 0) return stream;
  const prefix = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => controller.enqueue(bytes),
  });
  return replaceReadable(stream, stream.readable.pipeThrough(prefix));
}

/** The same stream, with another way to read. */
export function replaceReadable(stream: ByteStream, readable: ReadableStream<Uint8Array>): ByteStream {
  return {
    readable,
    write: (bytes, written) => stream.write(bytes, written),
    end: () => stream.end(),
    destroy: () => stream.destroy(),
    startTls: null,
  };
}
