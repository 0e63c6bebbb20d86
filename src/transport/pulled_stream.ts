/**
 * Reads a Node stream piece by piece, as a `Transport` is read; the stream gathers no more than its own mark.
 *
 * Tested in test/transport/transport_test.ts and test/wire/upgrade_test.ts.
 */
import type { Readable } from "node:stream";

export class PulledStream {
  readonly #stream: Readable;
  /** Of the last piece, what the reader had no room for. */
  #rest: Uint8Array | null = null;
  #ended = false;
  #failure: Error | null = null;
  #into: Uint8Array | null = null;
  #resolve: (byteCount: number | null) => void = () => {};
  #reject: (cause: unknown) => void = () => {};

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on("readable", () => this.#wake());
    stream.on("end", () => {
      this.#ended = true;
      this.#wake();
    });
    stream.on("error", (cause: Error) => {
      this.#failure = cause;
      this.#wake();
    });
    stream.on("close", () => {
      this.#failure ??= new Error("the stream was closed");
      this.#wake();
    });
  }

  /** Resolves with the bytes read, or null at the end; rejects when the stream failed. */
  read(into: Uint8Array): Promise<number | null> {
    const byteCount = this.#take(into);
    if (byteCount !== 0) return Promise.resolve(byteCount);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#into = into;
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** A read that waits rejects, and its bytes are left alone. */
  abandon(): void {
    if (this.#into === null) return;
    this.#into = null;
    this.#reject(new Error("the stream was closed"));
  }

  #wake(): void {
    if (this.#into === null) return;
    const byteCount = this.#take(this.#into);
    if (byteCount === 0 && this.#failure === null) return;
    this.#into = null;
    if (byteCount !== 0) this.#resolve(byteCount);
    else this.#reject(this.#failure);
  }

  /** As many pieces as there are and have room. 0 when there is nothing yet, null at the end. */
  #take(into: Uint8Array): number | null {
    let at = 0;
    while (at < into.length) {
      const piece = this.#rest ?? this.#stream.read() as Uint8Array | null;
      if (piece === null) break;
      const taken = Math.min(piece.length, into.length - at);
      into.set(taken === piece.length ? piece : piece.subarray(0, taken), at);
      this.#rest = taken === piece.length ? null : piece.subarray(taken);
      at += taken;
    }
    return at === 0 && this.#ended ? null : at;
  }
}
