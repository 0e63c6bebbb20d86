/**
 * The commands of the registration protocol V1: what each does and the exact text of its answer.
 *
 * This file turns a command into an answer and changes the registration database. It knows no
 * sockets and no framing; `tcp_server.ts` cuts lines and bodies out of the stream.
 *
 * Text of a line and of an error is `ByteText`, because an error repeats what the client sent byte
 * for byte. Every error of V1 ends the connection.
 */
import { encodeJson } from "../protocol/json.ts";
import { LookupProtocolError } from "../protocol/lookup/errors.ts";
import { isValidName } from "../protocol/names.ts";
import { type ByteText, byteText } from "../protocol/quote.ts";
import type { Producer, ProducerInfo } from "./producer.ts";
import type { RegistrationDb } from "./registration_db.ts";

/** Most broadcast addresses that one producer may announce. */
const MAX_BROADCAST_ADDRESSES = 16;

/** What lookupd says about itself in the answer to IDENTIFY. */
export interface LookupdIdentity {
  broadcastAddress: string;
  hostname: string;
  tcpPort: number;
  httpPort: number;
  version: string;
}

/** What a line asks for: it is answered, or a body of IDENTIFY follows it. */
export type LineResult = { kind: "answer"; text: ByteText } | { kind: "identify-body" };

const OK: LineResult = { kind: "answer", text: "OK" };

/** One connection's view of the database, from its first command to its end. */
export class LookupSession {
  #db: RegistrationDb;
  #identity: LookupdIdentity;
  #id: string;
  #producer: Producer | undefined;

  /** `id` is the `ip:port` of the client. */
  constructor(db: RegistrationDb, identity: LookupdIdentity, id: string) {
    this.#db = db;
    this.#identity = identity;
    this.#id = id;
  }

  /** Undefined until IDENTIFY has succeeded. */
  get producer(): Producer | undefined {
    return this.#producer;
  }

  /**
   * Executes the command `line`, which has no line end.
   *
   * @throws {LookupProtocolError} E_INVALID, E_BAD_TOPIC or E_BAD_CHANNEL
   */
  executeLine(line: ByteText): LineResult {
    const [word, ...params] = trim(line).split(" ");
    switch (word) {
      case "PING":
        if (this.#producer !== undefined) this.#db.ping(this.#producer);
        return OK;
      case "IDENTIFY":
        if (this.#producer !== undefined) throw new LookupProtocolError("E_INVALID cannot IDENTIFY again");
        return { kind: "identify-body" };
      case "REGISTER":
      case "UNREGISTER":
        return this.#executeRegistration(word, params);
      default:
        throw new LookupProtocolError(`E_INVALID invalid command ${word}`);
    }
  }

  /**
   * Executes IDENTIFY with its body and returns the answer.
   *
   * @throws {LookupProtocolError} E_BAD_BODY when a member is missing or of the wrong type
   */
  executeIdentify(body: Uint8Array): ByteText {
    const info = parseIdentify(body);
    this.#producer = this.#db.identify(this.#id, info);
    const { broadcastAddress, hostname, httpPort, tcpPort, version } = this.#identity;
    return byteText(encodeJson({
      broadcast_address: broadcastAddress,
      hostname,
      http_port: httpPort,
      tcp_port: tcpPort,
      version,
    }));
  }

  /** The connection ended. */
  close(): void {
    if (this.#producer !== undefined) this.#db.remove(this.#producer);
    this.#producer = undefined;
  }

  #executeRegistration(word: "REGISTER" | "UNREGISTER", params: string[]): LineResult {
    if (this.#producer === undefined) throw new LookupProtocolError("E_INVALID client must IDENTIFY");
    if (params.length === 0) {
      throw new LookupProtocolError(`E_INVALID ${word} insufficient number of params`);
    }
    const [topic, channel = ""] = params;
    if (!isValidName(topic)) {
      throw new LookupProtocolError(`E_BAD_TOPIC ${word} topic name '${topic}' is not valid`);
    }
    if (channel !== "" && !isValidName(channel)) {
      throw new LookupProtocolError(`E_BAD_CHANNEL ${word} channel name '${channel}' is not valid`);
    }
    if (word === "REGISTER") this.#db.register(this.#producer, topic, channel);
    else this.#db.unregister(this.#producer, topic, channel);
    return OK;
  }
}

function trim(line: ByteText): ByteText {
  return line.replace(/^[\t\n\v\f\r ]+|[\t\n\v\f\r ]+$/g, "");
}

/** The body of IDENTIFY as it is read: every member may be missing. */
interface IdentifyBody {
  broadcast_address: string;
  broadcast_addresses: string[];
  hostname: string;
  tcp_port: number;
  http_port: number;
  version: string;
  topology_zone: string;
  topology_region: string;
}

function parseIdentify(body: Uint8Array): ProducerInfo {
  const fields = decodeIdentify(body);
  const { broadcast_address: broadcastAddress, tcp_port: tcpPort, http_port: httpPort, version } = fields;
  if (broadcastAddress === "" || tcpPort === 0 || httpPort === 0 || version === "") {
    throw new LookupProtocolError("E_BAD_BODY IDENTIFY missing fields");
  }
  const others = fields.broadcast_addresses.filter((address) => address !== broadcastAddress);
  return {
    broadcastAddress,
    broadcastAddresses: others.length === 0 ? [] : [broadcastAddress, ...new Set(others)],
    hostname: fields.hostname,
    tcpPort,
    httpPort,
    version,
    topologyZone: fields.topology_zone,
    topologyRegion: fields.topology_region,
  };
}

/** Keys match in any letter case, unknown ones are ignored, and `null` leaves a member as it is. */
function decodeIdentify(body: Uint8Array): IdentifyBody {
  const fields: IdentifyBody = {
    broadcast_address: "",
    broadcast_addresses: [],
    hostname: "",
    tcp_port: 0,
    http_port: 0,
    version: "",
    topology_zone: "",
    topology_region: "",
  };
  const json = parseJson(body);
  if (json === null) return fields;
  if (typeof json !== "object" || Array.isArray(json)) throw undecodable();
  for (const [key, value] of Object.entries(json)) {
    if (value !== null) assignField(fields, key.toLowerCase(), value);
  }
  return fields;
}

function assignField(fields: IdentifyBody, key: string, value: unknown): void {
  switch (key) {
    case "broadcast_address":
    case "hostname":
    case "version":
    case "topology_zone":
    case "topology_region":
      if (typeof value !== "string") throw undecodable();
      fields[key] = value;
      return;
    case "tcp_port":
    case "http_port":
      if (!Number.isSafeInteger(value)) throw undecodable();
      fields[key] = value as number;
      return;
    case "broadcast_addresses":
      if (!isAddressList(value)) throw undecodable();
      fields[key] = value;
  }
}

function isAddressList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= MAX_BROADCAST_ADDRESSES &&
    value.every((address) => typeof address === "string" && address !== "");
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    throw undecodable(error);
  }
}

function undecodable(cause?: unknown): LookupProtocolError {
  return new LookupProtocolError("E_BAD_BODY IDENTIFY failed to decode JSON body", { cause });
}
