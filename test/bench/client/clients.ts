/** Our client and the official JavaScript client behind one face, for measurements beside each other. */
import { Buffer } from "node:buffer";
import nsqjs from "nsqjs";
import { Consumer, Producer } from "../../../src/client/mod.ts";
import type { StreamName } from "../stream.ts";

/** Publishes one message; resolves when it is confirmed. */
export interface BenchProducer {
  publish(): Promise<void>;
  close(): Promise<void>;
}

/** How messages are taken; nsqjs has one way. */
export type Face = "run" | "for_await";

export interface BenchClient {
  readonly name: string;
  readonly faces: readonly Face[];
  openProducer(port: number, stream: StreamName, topic: string, body: Uint8Array): Promise<BenchProducer>;
  /** Finishes messages of `channel` until `onMessage` returns false; resolves when that was and all is closed. */
  consume(
    port: number,
    stream: StreamName,
    topic: string,
    channel: string,
    face: Face,
    onMessage: () => boolean,
  ): Promise<void>;
}

/** As many as a node allows a consumer with its defaults. */
const MAX_IN_FLIGHT = 2500;

const OUR_STREAMS = {
  plain: {},
  tls: { tls: { rejectUnauthorized: false } },
  deflate: { deflate: true },
  snappy: { snappy: true },
};

export const ours: BenchClient = {
  name: "this client",
  faces: ["run", "for_await"],
  async openProducer(port, stream, topic, body) {
    const producer = new Producer({ nsqd: `127.0.0.1:${port}`, ...OUR_STREAMS[stream] });
    await producer.connect();
    return { publish: () => producer.publish(topic, body), close: () => producer.close() };
  },
  async consume(port, stream, topic, channel, face, onMessage) {
    const options = { nsqd: `127.0.0.1:${port}`, maxInFlight: MAX_IN_FLIGHT, ...OUR_STREAMS[stream] };
    const consumer = new Consumer(topic, channel, options);
    if (face === "for_await") {
      for await (const message of consumer) {
        message.finish();
        if (!onMessage()) break;
      }
      return;
    }
    let isDone = false;
    await consumer.run((message) => {
      message.finish();
      if (isDone || onMessage()) return;
      isDone = true;
      consumer.close();
    });
  },
};

/** What is used of nsqjs. */
interface Emitter {
  on(event: string, listener: (argument: never) => void): void;
  once(event: string, listener: (argument: never) => void): void;
  connect(): void;
  close(): void;
}
interface Writer extends Emitter {
  publish(topic: string, body: Buffer, done: (error?: Error) => void): void;
}

const THEIR_STREAMS = {
  plain: {},
  tls: { tls: true, tlsVerification: false },
  deflate: { deflate: true },
  snappy: { snappy: true },
};

function untilEvent(emitter: Emitter, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    emitter.once(event, () => resolve());
    emitter.once("error", reject as (argument: never) => void);
  });
}

export const theirs: BenchClient = {
  name: "nsqjs",
  faces: ["run"],
  async openProducer(port, stream, topic, body) {
    const writer = new nsqjs.Writer("127.0.0.1", port, THEIR_STREAMS[stream]) as Writer;
    const ready = untilEvent(writer, "ready");
    writer.connect();
    await ready;
    const bytes = Buffer.from(body);
    return {
      publish: () =>
        new Promise((resolve, reject) => {
          writer.publish(topic, bytes, (error) => error ? reject(error) : resolve());
        }),
      close() {
        const closed = untilEvent(writer, "closed");
        writer.close();
        return closed;
      },
    };
  },
  async consume(port, stream, topic, channel, _face, onMessage) {
    const reader = new nsqjs.Reader(topic, channel, {
      nsqdTCPAddresses: [`127.0.0.1:${port}`],
      maxInFlight: MAX_IN_FLIGHT,
      ...THEIR_STREAMS[stream],
    }) as Emitter;
    let isDone = false;
    await new Promise<void>((resolve, reject) => {
      reader.on("error", reject as (argument: never) => void);
      reader.on("message", (message: { finish(): void }) => {
        message.finish();
        if (isDone || onMessage()) return;
        isDone = true;
        resolve();
      });
      reader.connect();
    });
    const closed = untilEvent(reader, "nsqd_closed");
    reader.close();
    await closed;
  },
};
