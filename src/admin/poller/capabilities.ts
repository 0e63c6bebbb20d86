/**
 * What a node can do beyond the HTTP API that all nsqds share. A node says so itself: the list `capabilities` of its
 * `/info`, and that it has jobs. Whatever is not in it is not offered, and a sentence says why. Tested in test/admin/poller/capabilities_test.ts.
 */
import { type Capabilities, type CapabilityName, capabilityNames } from "../model/snapshot.ts";

/** What each is, as the object of "has no". */
const NOUNS: Readonly<Record<CapabilityName, string>> = {
  messages: "list of its messages",
  deadLetters: "dead letters",
  redrive: "redrive of dead letters",
  seek: "way to move a channel to another position",
  policies: "policies of topics and channels",
  undoEmpty: "way to bring emptied messages back",
  oldestAge: "age of its oldest message",
  process: "metrics of its process",
};

/** `message_list` in an answer is `messageList` here. */
export function offeredBy(info: unknown): Set<string> {
  const list = (info as { capabilities?: unknown } | null)?.capabilities;
  if (!Array.isArray(list)) return new Set();
  return new Set(
    list.filter((each) => typeof each === "string").map((name) =>
      name.replace(/_(.)/g, (_: string, letter: string) => letter.toUpperCase())
    ),
  );
}

/** What a node offers that answers `/jobs`. */
export function offeredByJobs(answer: unknown): readonly CapabilityName[] {
  const isList = Array.isArray((answer as { jobs?: unknown } | null)?.jobs);
  return isList ? ["messages", "deadLetters", "redrive"] : [];
}

/** @param who such as `nsqd 1.3.0 on node1` */
export function capabilitiesOf(offered: ReadonlySet<string>, who: string): Capabilities {
  const entries = capabilityNames.map((
    name,
  ) => [name, offered.has(name) ? "" : `${who} has no ${NOUNS[name]}`]);
  return Object.fromEntries(entries) as Capabilities;
}
