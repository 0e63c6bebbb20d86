/**
 * The bytes of a connection: plain, encrypted or compressed. Layers stand on one another: deflate on TLS on
 * the socket. One read and one write may be out at a time.
 */

export interface Transport {
  /**
   * Resolves with the bytes read, at least one, or null at the end. Nothing is taken from the layer below
   * before it is asked for, so a reader that stops reading stops its client.
   */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves with the bytes taken, which may be a part, once they are on their way; `bytes` must not change meanwhile. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the sending half. */
  closeWrite(): Promise<void>;
  /** Ends all layers. A read that is out rejects or gives null, and its bytes are left alone from now on. */
  close(): void;
}

/** Writes all of `bytes`. */
export async function writeAll(transport: Transport, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await transport.write(at === 0 ? bytes : bytes.subarray(at));
  }
}

/** A transport whose first bytes were read already. */
export class PrefixedTransport implements Transport {
  readonly #inner: Transport;
  #prefix: Uint8Array;

  constructor(inner: Transport, prefix: Uint8Array) {
    this.#inner = inner;
    this.#prefix = prefix;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#prefix.length === 0) return this.#inner.read(into);
    const taken = Math.min(into.length, this.#prefix.length);
    into.set(this.#prefix.subarray(0, taken));
    this.#prefix = this.#prefix.subarray(taken);
    return Promise.resolve(taken);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#inner.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  close(): void {
    this.#inner.close();
  }
}
