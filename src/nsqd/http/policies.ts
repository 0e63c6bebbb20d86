/** The endpoints of policies and definitions. */
import type { Broker } from "../../broker/broker.ts";
import { readBody } from "../../http/body.ts";
import { HttpError } from "../../http/errors.ts";
import type { RequestContext, Route } from "../../http/router.ts";
import {
  type Defined,
  describeChanges,
  parseDefinitions,
  type Present,
  showDefinitions,
  showSubject,
} from "../../policies/definitions.ts";
import { noSettings } from "../../policies/policy_book.ts";
import { parseSettings, PolicyError } from "../../policies/settings.ts";
import { applyDefinitions, presentIn } from "../definitions.ts";
import { choiceParameter } from "./parameters.ts";
import { existingChannel, existingTopicOf, recorded } from "./topics.ts";

const MAX_BODY_BYTES = 16 << 20;

/** The endpoints for the policies of `broker`. */
export function policyRoutes(broker: Broker): Route[] {
  return [
    {
      method: "GET",
      path: "/topic/policy",
      handle({ query }) {
        const topic = existingTopicOf(broker, query);
        return broker.policies.shown({ topic: topic.name }, topic.settings);
      },
    },
    { method: "PUT", path: "/topic/policy", handle: (context) => setTopicPolicy(broker, context) },
    {
      method: "GET",
      path: "/channel/policy",
      handle({ query }) {
        const { topic, name, settings } = existingChannel(broker, query);
        return broker.policies.shown({ topic: topic.name, channel: name }, settings);
      },
    },
    { method: "PUT", path: "/channel/policy", handle: (context) => setChannelPolicy(broker, context) },
    { method: "GET", path: "/definitions", handle: () => showDefinitions(presentIn(broker)) },
    { method: "PUT", path: "/definitions", handle: (context) => putDefinitions(broker, context) },
  ];
}

async function setTopicPolicy(broker: Broker, context: RequestContext): Promise<object> {
  const json = await readJson(context), topic = existingTopicOf(broker, context.query);
  broker.beginTurn();
  refusing(() => broker.setTopicPolicy(topic, parseSettings("topic", json)));
  await recorded(broker, !topic.ephemeral);
  return broker.policies.shown({ topic: topic.name }, topic.settings);
}

async function setChannelPolicy(broker: Broker, context: RequestContext): Promise<object> {
  const json = await readJson(context), channel = existingChannel(broker, context.query);
  const topic = existingTopicOf(broker, context.query);
  broker.beginTurn();
  refusing(() => broker.setChannelPolicy(topic, channel, parseSettings("channel", json)));
  await recorded(broker, channel.durable);
  return broker.policies.shown({ topic: topic.name, channel: channel.name }, channel.settings);
}

/** Creates and changes what the document names; with `dry_run=true` only says what would change. */
async function putDefinitions(broker: Broker, context: RequestContext): Promise<object> {
  const isDry = choiceParameter(context.query, "dry_run", ["true", "false"], "false") === "true";
  const json = await readJson(context), wanted = refusing(() => parseDefinitions(json));
  const present = new Map([...presentIn(broker)].map((each) => [showSubject(each.subject), each]));
  refusing(() => checkAll(broker, wanted, present));
  const changes = describeChanges(wanted, present);
  if (isDry || changes.length === 0) return { dry_run: isDry, changes };
  broker.beginTurn();
  applyDefinitions(broker, wanted);
  await recorded(broker, true);
  return { dry_run: false, changes };
}

/** Nothing of a document is applied when one policy of it cannot be. @throws {PolicyError} */
function checkAll(broker: Broker, wanted: readonly Defined[], present: ReadonlyMap<string, Present>): void {
  for (const { subject, change } of wanted) {
    if (change === undefined) continue;
    const settings = present.get(showSubject(subject))?.settings ?? noSettings;
    broker.policies.checked(subject, settings, change);
  }
}

async function readJson(context: RequestContext): Promise<unknown> {
  const { bytes, isCut } = await readBody(context.request, MAX_BODY_BYTES);
  if (isCut) throw new HttpError(413, "BODY_TOO_BIG");
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new HttpError(400, `INVALID_JSON: ${(cause as Error).message}`, { cause });
  }
}

/** @throws {HttpError} 400 with what is wrong with a policy */
function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    throw new HttpError(400, `INVALID_POLICY: ${cause.message}`, { cause });
  }
}
