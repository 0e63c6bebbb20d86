/** What nsqd answers to a stream of commands on one connection, by the tables of the protocol. */
import { type CommandRules, type Ending, type Limits, readCommands } from "./command_model.ts";

/** An answer that has to come, or one that may: a message may be in flight or not. */
export interface ExpectedAnswer {
  /** `OK`, `CLOSE_WAIT` or the error text. */
  text: string;
  isCertain: boolean;
  /** `text` is only how it begins. */
  isPrefix: boolean;
}

/** An id of another node, which is never in flight. */
export const FOREIGN_ID = "0123456789abcdef";

const NAME = /^[.a-zA-Z0-9_-]+(#ephemeral)?$/;
const MAX_RDY = 2500n;
const MAX_REQ_TIMEOUT_MS = 3_600_000n;

/** What IDENTIFY with each of these bodies comes to: an error, or whether heartbeats are off and JSON comes back. */
const IDENTIFY_ERRORS: Record<string, string> = {
  '{"heartbeat_interval":999}': "heartbeat interval (999) is invalid",
  '{"output_buffer_size":1}': "output buffer size (1) is invalid",
  '{"sample_rate":100}': "sample rate (100) is invalid",
  '{"msg_timeout":1}': "msg timeout (1) is invalid",
  "[]": "failed to decode JSON body",
  "{": "failed to decode JSON body",
  '{"a":1}x': "failed to decode JSON body",
};
const IDENTIFY_SETTINGS: Record<string, { isSilent?: boolean; wantsJson?: boolean }> = {
  "{}": {},
  "null": {},
  '{"client_id":"fuzz","hostname":"h","user_agent":"a/1"}': {},
  '{"feature_negotiation":true}': { wantsJson: true },
  '{"feature_negotiation":true,"tls_v1":true}': { wantsJson: true },
  '{"feature_negotiation":true,"deflate":true}': { wantsJson: true },
  '{"feature_negotiation":true,"snappy":true}': { wantsJson: true },
  '{"heartbeat_interval":-1}': { isSilent: true },
  '{"msg_timeout":5000,"HeartBeat_Interval":60000}': { isSilent: false },
  '{"sample_rate":0,"output_buffer_size":-1}': {},
};

function isName(text: string): boolean {
  return text.length <= 64 && NAME.test(text);
}

const ESCAPES: Record<string, string> = {
  '"': '\\"',
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

// deno-lint-ignore no-control-regex
const CONTROLS = /["\\\x00-\x1f\x7f]/g;

/** As Go quotes ASCII; other bytes are left alone, for they may be letters or not. */
function quote(text: string): string {
  const body = text.replace(
    CONTROLS,
    (character) => ESCAPES[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${body}"`;
}

/** A decimal parameter as the original reads it: in 64 bits, with a sign that only an overflow can set. */
function decimal(text: string): bigint | null {
  return /^[0-9]*$/.test(text) ? BigInt.asIntN(64, BigInt(text === "" ? "0" : text)) : null;
}

export class ConnectionModel implements CommandRules {
  readonly answers: ExpectedAnswer[] = [];
  /** Lines that were read as commands. */
  commands = 0;
  state: "init" | "subscribed" | "closing" = "init";
  readonly #limits: Limits;
  #isSilent = false;
  /** Set once the body of an IDENTIFY is not one of the known ones: from then on anything may be answered. */
  isUnsure = false;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Takes the commands of `stream`, which begins with one, and adds to the answers. */
  run(stream: string): Ending {
    const ending = readCommands(stream, this.#limits, this);
    if (ending.kind === "refused" || (ending.kind === "cut" && ending.error !== null)) {
      this.#refuse(ending.error!);
    }
    return ending;
  }

  #answer(text: string, isCertain = true, isPrefix = false): null {
    this.answers.push({ text, isCertain, isPrefix });
    return null;
  }

  #refuse(error: string): void {
    const quoted = error.indexOf('"'), isOdd = quoted >= 0 && /[\x80-\xff]/.test(error);
    if (isOdd) this.#answer(error.slice(0, quoted), true, true);
    else this.#answer(error);
  }

  line(name: string, parameters: readonly string[]): string | null {
    this.commands++;
    switch (name) {
      case "IDENTIFY":
      case "AUTH":
        if (this.state !== "init") return this.#wrongState(name);
        return name === "AUTH" && parameters.length > 0
          ? "E_INVALID AUTH invalid number of parameters"
          : null;
      case "PUB":
      case "MPUB":
      case "DPUB":
        return this.#publishLine(name, parameters);
      case "SUB":
        return this.#sub(parameters);
      case "RDY":
        return this.#rdy(parameters);
      case "CLS":
        if (this.state !== "subscribed") return this.#wrongState(name);
        this.state = "closing";
        return this.#answer("CLOSE_WAIT");
      case "NOP":
        return null;
      default:
        return this.#messageLine(name, parameters);
    }
  }

  #wrongState(name: string): string {
    return `E_INVALID cannot ${name} in current state`;
  }

  #publishLine(name: string, parameters: readonly string[]): string | null {
    if (parameters.length < (name === "DPUB" ? 2 : 1)) {
      return `E_INVALID ${name} insufficient number of parameters`;
    }
    const code = name === "MPUB" ? "E_BAD_TOPIC E_BAD_TOPIC" : "E_BAD_TOPIC";
    if (!isName(parameters[0])) return `${code} ${name} topic name ${quote(parameters[0])} is not valid`;
    if (name !== "DPUB") return null;
    const delayMs = decimal(parameters[1]);
    if (delayMs === null) return `E_INVALID DPUB could not parse timeout ${parameters[1]}`;
    const delayNs = BigInt.asIntN(64, delayMs * 1_000_000n);
    if (delayNs >= 0n && delayNs <= MAX_REQ_TIMEOUT_MS * 1_000_000n) return null;
    const shown = BigInt.asUintN(64, delayMs);
    return `E_INVALID DPUB timeout ${shown} out of range 0-${MAX_REQ_TIMEOUT_MS}`;
  }

  #sub(parameters: readonly string[]): string | null {
    if (this.state !== "init") return this.#wrongState("SUB");
    if (this.#isSilent) return "E_INVALID cannot SUB with heartbeats disabled";
    if (parameters.length < 2) return "E_INVALID SUB insufficient number of parameters";
    const [topic, channel] = parameters;
    if (!isName(topic)) return `E_BAD_TOPIC SUB topic name ${quote(topic)} is not valid`;
    if (!isName(channel)) return `E_BAD_CHANNEL SUB channel name ${quote(channel)} is not valid`;
    this.state = "subscribed";
    return this.#answer("OK");
  }

  #rdy(parameters: readonly string[]): string | null {
    if (this.state === "closing") return null;
    if (this.state === "init") return this.#wrongState("RDY");
    const count = parameters.length === 0 ? 1n : decimal(parameters[0]);
    if (count === null) return `E_INVALID RDY could not parse count ${parameters[0]}`;
    if (count < 0n || count > MAX_RDY) return `E_INVALID RDY count ${count} out of range 0-${MAX_RDY}`;
    return null;
  }

  #messageLine(name: string, parameters: readonly string[]): string | null {
    if (this.state === "init") return this.#wrongState(name);
    if (parameters.length < (name === "REQ" ? 2 : 1)) {
      return `E_INVALID ${name} insufficient number of params`;
    }
    const [id, timeout] = parameters;
    if (id.length !== 16) return "E_INVALID invalid message ID";
    if (name === "REQ" && decimal(timeout) === null) {
      return `E_INVALID REQ could not parse timeout ${timeout}`;
    }
    const isPossible = /^[0-9a-f]{16}$/.test(id) && id !== FOREIGN_ID;
    const failed = `E_${name}_FAILED ${name} ${id} failed `;
    return this.#answer(isPossible ? failed : `${failed}ID not in flight`, !isPossible, isPossible);
  }

  body(name: string, bodies: readonly string[]): string | null {
    if (name === "AUTH") return "E_AUTH_DISABLED AUTH disabled";
    if (name !== "IDENTIFY") return this.#answer("OK");
    const [body] = bodies, settings = IDENTIFY_SETTINGS[body], error = IDENTIFY_ERRORS[body];
    if (error !== undefined) return `E_BAD_BODY IDENTIFY ${error}`;
    if (settings === undefined) {
      this.isUnsure = true;
      return null;
    }
    this.#isSilent = settings.isSilent ?? this.#isSilent;
    return this.#answer(settings.wantsJson ? '{"max_rdy_count":' : "OK", true, settings.wantsJson);
  }
}
