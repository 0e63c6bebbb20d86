/**
 * Where a consumer is, seen from this node: the topology-aware-consumption experiment.
 *
 * Messages go to ready consumers of the node's zone first, then to those of its region, then to others.
 */

/** Counted as: in the node's zone, in its region, or neither. */
export type Locality = "zone" | "region" | "global";

export interface Place {
  readonly locality: Locality;
  /** Lower ones are given messages first; `LAST_TIER` is the highest. */
  readonly tier: number;
}

export const LAST_TIER = 2;

/** Without the experiment, and for consumers that never said where they are. */
export const ELSEWHERE: Place = { locality: "global", tier: LAST_TIER };

/** The names of a zone and its region; empty when unknown. */
export interface Topology {
  readonly region: string;
  readonly zone: string;
}

/**
 * The place of a consumer for a node.
 *
 * Names are compared as they are, empty ones too, for the count; but a node without a zone, or region,
 * prefers nobody for it.
 */
export function placeOf(consumer: Topology, node: Topology): Place {
  const inZone = consumer.zone === node.zone, inRegion = consumer.region === node.region;
  return {
    locality: inZone ? "zone" : inRegion ? "region" : "global",
    tier: inZone && node.zone !== "" ? 0 : inRegion && node.region !== "" ? 1 : LAST_TIER,
  };
}
