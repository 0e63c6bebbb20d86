/**
 * What a client said of itself with IDENTIFY, and what was settled with it.
 *
 * Tested in test/wire/identify_test.ts.
 */
import { ELSEWHERE, type Place, placeOf } from "../../broker/consumer/place.ts";
import type { NsqdOptions } from "../../options/tables/nsqd_options.ts";
import {
  encodeIdentifyResponse,
  type IdentifyLimits,
  type IdentifySettings,
  initialIdentifySettings,
  negotiateIdentify,
  parseIdentify,
} from "../../protocol/identify.ts";
import { version } from "../../version.ts";
import { keepUpgrades } from "./upgrade.ts";

/** The options that bound what a client may ask for. */
export type ClientOptions = Pick<
  NsqdOptions,
  | "authHttpAddress"
  | "deflate"
  | "enableExperiment"
  | "maxDeflateLevel"
  | "maxHeartbeatInterval"
  | "maxMsgTimeout"
  | "maxOutputBufferSize"
  | "maxOutputBufferTimeout"
  | "maxRdyCount"
  | "minOutputBufferTimeout"
  | "msgTimeout"
  | "outputBufferTimeout"
  | "snappy"
  | "topologyRegion"
  | "topologyZone"
>;

export class ClientSettings {
  /** As of the last IDENTIFY; before it, the defaults. */
  negotiated: IdentifySettings;
  /** False until the first IDENTIFY. */
  isIdentified = false;
  // As of the first IDENTIFY, whatever later ones say.
  heartbeatIntervalMs: number;
  msgTimeoutMs: number;
  sampleRate = 0;
  place: Place = ELSEWHERE;

  /** @param peerIp stands for the names of the client until it says them */
  constructor(options: ClientOptions, peerIp: string) {
    this.negotiated = initialIdentifySettings(limitsOf(options, false), peerIp);
    this.heartbeatIntervalMs = this.negotiated.heartbeatIntervalMs;
    this.msgTimeoutMs = this.negotiated.msgTimeoutMs;
  }

  /**
   * Takes the body of an IDENTIFY and returns the answer to it. A later one moves the read deadline and the timeout
   * of TOUCH only; see the specification of repeated IDENTIFY.
   *
   * @throws {ClientError}
   */
  identify(body: Uint8Array, options: ClientOptions, isTlsOffered: boolean): Uint8Array {
    const limits = limitsOf(options, isTlsOffered), before = this.negotiated;
    const settled = keepUpgrades(negotiateIdentify(parseIdentify(body), limits, before), before);
    this.negotiated = settled;
    if (!this.isIdentified) {
      this.isIdentified = true;
      this.heartbeatIntervalMs = settled.heartbeatIntervalMs;
      this.msgTimeoutMs = settled.msgTimeoutMs;
      this.sampleRate = settled.sampleRate;
      this.place = placeFor(settled, options);
    }
    return encodeIdentifyResponse(settled, limits);
  }
}

function placeFor({ topologyRegion, topologyZone }: IdentifySettings, options: ClientOptions): Place {
  if (!options.enableExperiment.includes("topology-aware-consumption")) return ELSEWHERE;
  const node = { region: options.topologyRegion, zone: options.topologyZone };
  return placeOf({ region: topologyRegion, zone: topologyZone }, node);
}

function limitsOf(options: ClientOptions, isTlsOffered: boolean): IdentifyLimits {
  return {
    maxHeartbeatIntervalMs: options.maxHeartbeatInterval,
    maxOutputBufferSize: options.maxOutputBufferSize,
    minOutputBufferTimeoutMs: options.minOutputBufferTimeout,
    maxOutputBufferTimeoutMs: options.maxOutputBufferTimeout,
    outputBufferTimeoutMs: options.outputBufferTimeout,
    maxMsgTimeoutMs: options.maxMsgTimeout,
    msgTimeoutMs: options.msgTimeout,
    maxRdyCount: options.maxRdyCount,
    maxDeflateLevel: options.maxDeflateLevel,
    deflateEnabled: options.deflate,
    snappyEnabled: options.snappy,
    tlsEnabled: isTlsOffered,
    authRequired: options.authHttpAddress.length > 0,
    version,
    topologyRegion: options.topologyRegion,
    topologyZone: options.topologyZone,
  };
}
