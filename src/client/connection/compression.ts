/**
 * Deflate and snappy as transforms: what arrives is piped through the decompressor, what is sent goes through
 * the compressor, which ends every write so that the node can use all of it at once.
 *
 * Tested in test/client/connection/connection_test.ts.
 */
import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import { SnappyFrameReader, SnappyFrameWriter } from "../../protocol/snappy_frames.ts";
import { type ByteStream, replaceReadable } from "./byte_stream.ts";

/** Above what one write can become, so that the compressor does not wait. */
const DEFLATE_MARK_BYTES = 1 << 20;

/** Raw DEFLATE on `below`, a stream without end in each direction. `level` is 1 to 9. */
export function deflated(below: ByteStream, level: number): ByteStream {
  const options = { level, flush: constants.Z_SYNC_FLUSH, readableHighWaterMark: DEFLATE_MARK_BYTES };
  const deflate = createDeflateRaw(options);
  let isOver = false;
  deflate.on("error", () => below.destroy());
  const stop = () => {
    isOver = true;
    deflate.destroy();
  };
  return {
    ...replaceReadable(below, below.readable.pipeThrough(inflating())),
    write(bytes, written) {
      if (isOver) return written();
      deflate.write(bytes, () => {
        const pieces: Uint8Array[] = [];
        for (let piece; (piece = deflate.read() as Uint8Array | null) !== null;) pieces.push(piece);
        if (pieces.length === 0 || isOver) return written();
        const last = pieces.pop()!;
        for (const piece of pieces) below.write(piece, () => {});
        below.write(last, written);
      });
    },
    end() {
      deflate.end(() => below.end());
    },
    destroy() {
      stop();
      below.destroy();
    },
  };
}

function inflating(): TransformStream<Uint8Array, Uint8Array> {
  const inflate = createInflateRaw();
  return new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      inflate.on("data", (data: Uint8Array) => controller.enqueue(data));
      inflate.on("error", (cause: Error) => controller.error(cause));
    },
    transform(piece) {
      return new Promise((resolve, reject) => {
        inflate.write(piece, (cause) => cause ? reject(cause) : resolve());
      });
    },
    // What was inflated is out; the stream has no end of its own.
    flush: () => {
      inflate.destroy();
    },
  });
}

/** The snappy framing format on `below`. */
export function snappied(below: ByteStream): ByteStream {
  const writer = new SnappyFrameWriter();
  return {
    ...replaceReadable(below, below.readable.pipeThrough(unsnappying())),
    write: (bytes, written) => below.write(writer.encode(bytes), written),
  };
}

function unsnappying(): TransformStream<Uint8Array, Uint8Array> {
  const reader = new SnappyFrameReader();
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      for (let at = 0; at < piece.length;) {
        const space = reader.space();
        const taken = Math.min(space.length, piece.length - at);
        space.set(piece.subarray(at, at + taken));
        reader.filled(taken);
        at += taken;
        // The reader uses its memory again; whoever reads keeps what it gets.
        for (let data; (data = reader.next()) !== null;) controller.enqueue(data.slice());
      }
    },
  });
}
