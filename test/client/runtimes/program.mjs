/**
 * Uses the client as it is packed for npm, on the runtime that runs this: publishes and consumes over what the
 * argument says, and prints what it saw as JSON.
 */
import { Consumer, json, Producer, PublishError } from "@nsq/client";

const { nsqd, options, count } = JSON.parse(process.argv[2]);

const producer = new Producer({ nsqd, codec: json(), ...options });
await Promise.all(Array.from({ length: count }, (_, i) => producer.publish("orders", { i })));
await producer.publish("orders", { i: count }, { defer: 20 });
const refused = await producer.publish("orders", "x".repeat(2_000_000)).catch((error) => error);

const consumer = new Consumer("orders", "mail", {
  nsqd,
  maxInFlight: 50,
  codec: json(),
  maxBackoffMs: 0,
  ...options,
});
const seen = new Map();
let attempts = 0;
for await (const message of consumer) {
  attempts = Math.max(attempts, message.attempts);
  if (message.value.i === 7 && message.attempts === 1) {
    message.requeue({ delay: 10 });
    continue;
  }
  seen.set(message.value.i, (seen.get(message.value.i) ?? 0) + 1);
  message.finish();
  if (seen.size === count + 1) break;
}
await producer.close();

console.log(JSON.stringify({
  distinct: seen.size,
  twice: [...seen.values()].filter((times) => times > 1).length,
  attempts,
  refusal: refused instanceof PublishError ? [refused.code, refused.cause.code] : String(refused),
  runtime: process.versions.bun === undefined ? "node" : "bun",
}));
