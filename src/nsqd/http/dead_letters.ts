/** The endpoints that act on dead letters, `/channel/redrive` and `/channel/dead/delete`, and those of jobs. */
import type { Broker } from "../../broker/broker.ts";
import type { Channel } from "../../broker/channel.ts";
import { DEATH_REASONS, type DeathReason } from "../../broker/channel/dead_letters.ts";
import { HttpError } from "../../http/errors.ts";
import type { Query } from "../../http/query.ts";
import type { Route } from "../../http/router.ts";
import { isValidName } from "../../protocol/names.ts";
import type { Jobs, JobState } from "../jobs/jobs.ts";
import { seqOf, timeParameter } from "./looking.ts";
import { badArgument, choiceParameter, integerParameter } from "./parameters.ts";
import { existingChannel } from "./topics.ts";

const MAX_RATE = 1_000_000;

/** The endpoints for the dead letters of `broker`. */
export function deadLetterRoutes(broker: Broker, jobs: Jobs): Route[] {
  return [
    { method: "POST", path: "/channel/redrive", handle: ({ query }) => redrive(broker, jobs, query) },
    { method: "POST", path: "/channel/dead/delete", handle: ({ query }) => deleteDead(broker, jobs, query) },
    { method: "GET", path: "/jobs", handle: () => ({ jobs: jobs.all() }) },
    { method: "GET", path: "/jobs/:id", handle: (context) => known(jobs.get(context.parameter("id"))) },
    { method: "DELETE", path: "/jobs/:id", handle: (context) => known(jobs.stop(context.parameter("id"))) },
  ];
}

function known(job: JobState | undefined): JobState {
  if (job === undefined) throw new HttpError(404, "JOB_NOT_FOUND");
  return job;
}

/** Puts dead letters back, or publishes them to `to_topic`. */
function redrive(broker: Broker, jobs: Jobs, query: Query): JobState {
  const channel = existingChannel(broker, query), items = selection(broker, channel, query);
  const keeps = choiceParameter(query, "attempts", ["reset", "keep"], "reset") === "keep";
  const ratePerSecond = integerParameter(query, "rate", 0, MAX_RATE, 0);
  const toTopic = query.get("to_topic");
  if (toTopic !== undefined && !isValidName(toTopic)) {
    throw badArgument("to_topic", `"${toTopic}" is no name`);
  }
  if (toTopic === undefined && channel.policy.deadLetterTopic !== "") {
    const { deadLetterTopic } = channel.policy;
    throw badArgument("to_topic", `the channel's dead letters go to ${deadLetterTopic}: redrive from there`);
  }
  return jobs.start({
    kind: "redrive",
    subject: `${channel.topic.name}/${channel.name}`,
    items,
    ratePerSecond,
    step(seqs) {
      if (channel.exiting) throw new Error("the channel was deleted");
      if (toTopic !== undefined) return broker.moveDeadLetters(channel, seqs, toTopic);
      broker.beginTurn();
      let done = 0;
      for (const seq of seqs) {
        const letter = channel.dead.get(seq);
        if (letter === undefined) continue;
        channel.revive(seq, keeps ? letter.attempts : 0);
        done++;
      }
      return done;
    },
  });
}

/** Makes dead letters finished. */
function deleteDead(broker: Broker, jobs: Jobs, query: Query): JobState {
  const channel = existingChannel(broker, query);
  return jobs.start({
    kind: "delete",
    subject: `${channel.topic.name}/${channel.name}`,
    items: selection(broker, channel, query),
    ratePerSecond: 0,
    step(seqs) {
      broker.beginTurn();
      const before = channel.dead.size;
      for (const seq of seqs) channel.finishDead(seq);
      return before - channel.dead.size;
    },
  });
}

/** The letters that the query selects, fixed: `ids=` or `all=true`, narrowed by `reason=` and `before=` (a time). */
function selection(broker: Broker, channel: Channel, query: Query): Float64Array {
  const ids = query.get("ids");
  if (ids !== undefined) {
    const seqs = ids.split(",").map((id) => seqOf(broker, id.trim(), "ids"));
    return Float64Array.from(seqs.filter((seq) => channel.dead.has(seq)));
  }
  if (query.get("all") !== "true") throw badArgument("ids", "give ids=, or all=true");
  const reason = query.get("reason") === undefined
    ? null
    : choiceParameter<DeathReason>(query, "reason", DEATH_REASONS, "attempts");
  const before = query.get("before"),
    beforeMs = before === undefined ? Infinity : timeParameter("before", before);
  if (reason === null && beforeMs === Infinity) return Float64Array.from(channel.dead.from(-Infinity));
  const seqs: number[] = [];
  for (const seq of channel.dead.from(-Infinity)) {
    const letter = channel.dead.get(seq)!;
    if ((reason === null || letter.reason === reason) && letter.diedMs < beforeMs) seqs.push(seq);
  }
  return Float64Array.from(seqs);
}
