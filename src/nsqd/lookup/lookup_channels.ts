/**
 * Asks the HTTP API of one lookupd for the channels of a topic.
 *
 * Tested in test/nsqd/lookup/lookup_peer_test.ts.
 */
import type { HttpClient } from "../../http/client/http_client.ts";
import { urlOf } from "../../http/client/url.ts";

const HEADERS = { accept: "application/vnd.nsq; version=1.0" };

/**
 * Resolves with the channels of `topic`, names unchecked.
 *
 * @param address of its HTTP API, `host:port`
 * @throws {Error} when lookupd does not answer in time, or not with status 200 and a list of channels
 */
export async function queryChannels(client: HttpClient, address: string, topic: string): Promise<string[]> {
  const url = urlOf(address, `/channels?topic=${encodeURIComponent(topic)}`);
  const json = await client.getJson(url, { headers: HEADERS });
  const channels = typeof json === "object" && json !== null && "channels" in json ? json.channels : null;
  if (!Array.isArray(channels)) {
    throw new Error(`answer has no list of channels: ${JSON.stringify(json).slice(0, 200)}`);
  }
  return channels.filter((channel) => typeof channel === "string");
}
