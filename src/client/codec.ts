/**
 * Codecs: between the bytes of a body and the values of a program.
 *
 * Tested in test/client/codec_test.ts.
 */

/**
 * Turns values into bodies and back. Both functions may throw: then the publish is refused, or the message
 * goes the way of bodies that do not decode (`onUndecodable`).
 *
 *     const numbers: Codec<number> = {
 *       encode: (value) => new Uint8Array([value]),
 *       decode: (body) => body[0],
 *     };
 */
export interface Codec<T> {
  /** The body, at least one byte. */
  encode(value: T): Uint8Array;
  /** `body` may be kept; it is not changed later. */
  decode(body: Uint8Array): T;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Bodies as they are; the default of consumers.
 *
 *     new Producer({ nsqd: "10.0.0.1:4150", codec: bytes });
 */
export const bytes: Codec<Uint8Array> = {
  encode: (value) => value,
  decode: (body) => body,
};

/**
 * Bodies as UTF-8 text; bytes that are none do not decode.
 *
 *     new Consumer("orders", "mail", { nsqd: "10.0.0.1:4150", codec: text });
 */
export const text: Codec<string> = {
  encode: (value) => encoder.encode(value),
  decode: (body) => decoder.decode(body),
};

/**
 * Bodies as JSON. `T` is what you expect: it is not checked.
 *
 *     new Consumer("orders", "mail", { lookupd: ["10.0.0.1:4161"], codec: json<Order>() });
 */
export function json<T>(): Codec<T> {
  return {
    encode(value) {
      const written: string | undefined = JSON.stringify(value);
      if (written === undefined) throw new TypeError(`${typeof value} has no form in JSON`);
      return encoder.encode(written);
    },
    decode: (body) => JSON.parse(decoder.decode(body)) as T,
  };
}
