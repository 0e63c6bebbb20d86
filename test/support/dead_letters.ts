/** A channel on a real node that lets what is beyond its bound die. */
import type { TestNsqd } from "./running_nsqd.ts";

/** Publishes `bodies` to a topic `orders` whose channel `billing` keeps none: all die of `overflow` but the last. */
export async function letDie(nsqd: Pick<TestNsqd, "http">, bodies: readonly string[]): Promise<void> {
  const channel = "topic=orders&channel=billing";
  await nsqd.http("POST", "/topic/create?topic=orders");
  await nsqd.http("POST", `/channel/create?${channel}`);
  await nsqd.http("PUT", `/channel/policy?${channel}`, JSON.stringify({ max_depth: 1, overflow: "dead" }));
  for (const body of bodies) await nsqd.http("POST", "/pub?topic=orders", body);
}
