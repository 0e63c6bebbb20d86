import assert from "node:assert/strict";
import * as errors from "../../src/protocol/errors.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const ID = bytesOf("18a4e6b401629000");
const BAD_NAME = bytesOf('c\r"');
const QUOTED = '"c\\r\\""';

/** Every answer that closes the connection, with its exact text. */
const FATAL: [errors.ClientError, string][] = [
  [errors.badProtocol(), "E_BAD_PROTOCOL"],
  [errors.tlsRequired(bytesOf("NOP")), "E_INVALID cannot NOP in current state (TLS required)"],
  [errors.tlsRequired(bytesOf("")), "E_INVALID cannot  in current state (TLS required)"],
  [errors.unknownCommand(bytesOf("FOO")), "E_INVALID invalid command FOO"],
  [errors.unknownCommand(bytesOf("")), "E_INVALID invalid command "],
  [errors.wrongState("IDENTIFY"), "E_INVALID cannot IDENTIFY in current state"],
  [errors.wrongState("AUTH"), "E_INVALID cannot AUTH in current state"],
  [errors.wrongState("SUB"), "E_INVALID cannot SUB in current state"],
  [errors.wrongState("RDY"), "E_INVALID cannot RDY in current state"],
  [errors.wrongState("FIN"), "E_INVALID cannot FIN in current state"],
  [errors.wrongState("REQ"), "E_INVALID cannot REQ in current state"],
  [errors.wrongState("TOUCH"), "E_INVALID cannot TOUCH in current state"],
  [errors.wrongState("CLS"), "E_INVALID cannot CLS in current state"],

  [errors.unreadableBodySize("IDENTIFY"), "E_BAD_BODY IDENTIFY failed to read body size"],
  [errors.bodyTooBig("IDENTIFY", 5242881, 5242880), "E_BAD_BODY IDENTIFY body too big 5242881 > 5242880"],
  [errors.invalidBodySize("IDENTIFY", -1), "E_BAD_BODY IDENTIFY invalid body size -1"],
  [errors.unreadableBody("IDENTIFY"), "E_BAD_BODY IDENTIFY failed to read body"],
  [errors.undecodableIdentify(), "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  [
    errors.invalidIdentifyField("heartbeat interval", 999n),
    "E_BAD_BODY IDENTIFY heartbeat interval (999) is invalid",
  ],
  [
    errors.invalidIdentifyField("output buffer timeout", 24n),
    "E_BAD_BODY IDENTIFY output buffer timeout (24) is invalid",
  ],
  [
    errors.invalidIdentifyField("output buffer size", 63n),
    "E_BAD_BODY IDENTIFY output buffer size (63) is invalid",
  ],
  [errors.invalidIdentifyField("sample rate", 100n), "E_BAD_BODY IDENTIFY sample rate (100) is invalid"],
  [
    errors.invalidIdentifyField("msg timeout", 9223372036854775807n),
    "E_BAD_BODY IDENTIFY msg timeout (9223372036854775807) is invalid",
  ],
  [errors.bothCompressions(), "E_IDENTIFY_FAILED cannot enable both deflate and snappy compression"],
  [
    errors.identifyFailed("read tcp 127.0.0.1:4150->127.0.0.1:50000: i/o timeout"),
    "E_IDENTIFY_FAILED IDENTIFY failed read tcp 127.0.0.1:4150->127.0.0.1:50000: i/o timeout",
  ],

  [errors.authParametersGiven(), "E_INVALID AUTH invalid number of parameters"],
  [errors.unreadableBodySize("AUTH"), "E_BAD_BODY AUTH failed to read body size"],
  [errors.bodyTooBig("AUTH", 11, 10), "E_BAD_BODY AUTH body too big 11 > 10"],
  [errors.invalidBodySize("AUTH", 0), "E_BAD_BODY AUTH invalid body size 0"],
  [errors.unreadableBody("AUTH"), "E_BAD_BODY AUTH failed to read body"],
  [errors.authAlreadySet(), "E_INVALID AUTH already set"],
  [errors.authDisabled(), "E_AUTH_DISABLED AUTH disabled"],
  [errors.authFailed(new Error("refused")), "E_AUTH_FAILED AUTH failed"],
  [errors.noAuthorizations(), "E_UNAUTHORIZED AUTH no authorizations found"],
  [errors.authRequired("PUB"), "E_AUTH_FIRST AUTH required before PUB"],
  [errors.authRequired("SUB"), "E_AUTH_FIRST AUTH required before SUB"],
  [errors.unauthorized("SUB", "t", "c"), 'E_UNAUTHORIZED AUTH failed for SUB on "t" "c"'],
  [errors.unauthorized("MPUB", "t", ""), 'E_UNAUTHORIZED AUTH failed for MPUB on "t" ""'],

  [errors.subWithoutHeartbeats(), "E_INVALID cannot SUB with heartbeats disabled"],
  [errors.tooFewParameters("SUB"), "E_INVALID SUB insufficient number of parameters"],
  [errors.badTopic("SUB", BAD_NAME), `E_BAD_TOPIC SUB topic name ${QUOTED} is not valid`],
  [errors.badChannel(BAD_NAME), `E_BAD_CHANNEL SUB channel name ${QUOTED} is not valid`],
  [errors.tooManyConsumers("t", "c", 2), "E_SUB_FAILED SUB failed consumers for t:c exceeds limit of 2"],

  [errors.tooFewParameters("PUB"), "E_INVALID PUB insufficient number of parameters"],
  [errors.badTopic("PUB", bytesOf("")), 'E_BAD_TOPIC PUB topic name "" is not valid'],
  [errors.unreadableMessageSize("PUB"), "E_BAD_MESSAGE PUB failed to read message body size"],
  [errors.invalidMessageSize("PUB", 0), "E_BAD_MESSAGE PUB invalid message body size 0"],
  [errors.messageTooBig("PUB", 1048577, 1048576), "E_BAD_MESSAGE PUB message too big 1048577 > 1048576"],
  [errors.unreadableMessage("PUB"), "E_BAD_MESSAGE PUB failed to read message body"],
  [errors.publishFailed("PUB", "exiting"), "E_PUB_FAILED PUB failed exiting"],

  [errors.tooFewParameters("MPUB"), "E_INVALID MPUB insufficient number of parameters"],
  [errors.badTopic("MPUB", BAD_NAME), `E_BAD_TOPIC E_BAD_TOPIC MPUB topic name ${QUOTED} is not valid`],
  [errors.unreadableBodySize("MPUB"), "E_BAD_BODY MPUB failed to read body size"],
  [errors.invalidBodySize("MPUB", 0), "E_BAD_BODY MPUB invalid body size 0"],
  [errors.bodyTooBig("MPUB", 11, 10), "E_BAD_BODY MPUB body too big 11 > 10"],
  [errors.unreadableMessageCount(), "E_BAD_BODY MPUB failed to read message count"],
  [errors.invalidMessageCount(-2), "E_BAD_BODY MPUB invalid message count -2"],
  [errors.unreadableBatchMessageSize(0), "E_BAD_MESSAGE MPUB failed to read message(0) body size"],
  [errors.invalidBatchMessageSize(3, -1), "E_BAD_MESSAGE MPUB invalid message(3) body size -1"],
  [errors.messageTooBig("MPUB", 11, 10), "E_BAD_MESSAGE MPUB message too big 11 > 10"],
  [errors.unreadableMessage("MPUB"), "E_BAD_MESSAGE MPUB failed to read message body"],
  [errors.publishFailed("MPUB", "exiting"), "E_MPUB_FAILED MPUB failed exiting"],

  [errors.tooFewParameters("DPUB"), "E_INVALID DPUB insufficient number of parameters"],
  [errors.badTopic("DPUB", BAD_NAME), `E_BAD_TOPIC DPUB topic name ${QUOTED} is not valid`],
  [errors.unparsableTimeout("DPUB", bytesOf("+1")), "E_INVALID DPUB could not parse timeout +1"],
  [
    errors.dpubTimeoutOutOfRange(3600001, 3600000),
    "E_INVALID DPUB timeout 3600001 out of range 0-3600000",
  ],
  [
    errors.dpubTimeoutOutOfRange(18446744073709551615n, 3600000),
    "E_INVALID DPUB timeout 18446744073709551615 out of range 0-3600000",
  ],
  [errors.unreadableMessageSize("DPUB"), "E_BAD_MESSAGE DPUB failed to read message body size"],
  [errors.invalidMessageSize("DPUB", -1), "E_BAD_MESSAGE DPUB invalid message body size -1"],
  [errors.messageTooBig("DPUB", 11, 10), "E_BAD_MESSAGE DPUB message too big 11 > 10"],
  [errors.unreadableMessage("DPUB"), "E_BAD_MESSAGE DPUB failed to read message body"],
  [errors.publishFailed("DPUB", new Error("no space")), "E_DPUB_FAILED DPUB failed no space"],

  [errors.unparsableRdyCount(bytesOf("-1")), "E_INVALID RDY could not parse count -1"],
  [errors.rdyCountOutOfRange(2501, 2500), "E_INVALID RDY count 2501 out of range 0-2500"],
  [
    errors.rdyCountOutOfRange(-9223372036854775808n, 2500),
    "E_INVALID RDY count -9223372036854775808 out of range 0-2500",
  ],

  [errors.tooFewParameters("FIN"), "E_INVALID FIN insufficient number of params"],
  [errors.tooFewParameters("REQ"), "E_INVALID REQ insufficient number of params"],
  [errors.tooFewParameters("TOUCH"), "E_INVALID TOUCH insufficient number of params"],
  [errors.invalidMessageId(), "E_INVALID invalid message ID"],
  [errors.unparsableTimeout("REQ", bytesOf("1.5")), "E_INVALID REQ could not parse timeout 1.5"],
];

/** The answers after which the connection goes on. */
const NOT_FATAL: [errors.ClientError, string][] = [
  [
    errors.messageCommandFailed("FIN", ID, "ID not in flight"),
    "E_FIN_FAILED FIN 18a4e6b401629000 failed ID not in flight",
  ],
  [
    errors.messageCommandFailed("FIN", ID, "client does not own message"),
    "E_FIN_FAILED FIN 18a4e6b401629000 failed client does not own message",
  ],
  [
    errors.messageCommandFailed("REQ", ID, "ID not in flight"),
    "E_REQ_FAILED REQ 18a4e6b401629000 failed ID not in flight",
  ],
  [
    errors.messageCommandFailed("REQ", ID, "exiting"),
    "E_REQ_FAILED REQ 18a4e6b401629000 failed exiting",
  ],
  [
    errors.messageCommandFailed("TOUCH", ID, "client does not own message"),
    "E_TOUCH_FAILED TOUCH 18a4e6b401629000 failed client does not own message",
  ],
  [errors.publishRefused("PUB", "topic is full"), "E_PUB_FAILED PUB failed topic is full"],
];

Deno.test("FatalClientError of each factory has the exact text of the protocol and is fatal", () => {
  for (const [error, text] of FATAL) {
    assert.equal(error.wireText, text);
    assert.equal(error.message, text);
    assert.equal(new TextDecoder().decode(error.encode()), text);
    assert.equal(error.fatal, true, text);
    assert.ok(error instanceof errors.FatalClientError, text);
    assert.ok(error instanceof Error);
    assert.equal(error.code, text.split(" ")[0]);
    assert.equal(error.description, text.slice(error.code.length + 1));
    assert.equal(error.name, "FatalClientError");
  }
});

Deno.test("messageCommandFailed() and publishRefused() make the only errors that are not fatal", () => {
  for (const [error, text] of NOT_FATAL) {
    assert.equal(error.wireText, text);
    assert.equal(error.fatal, false, text);
    assert.ok(!(error instanceof errors.FatalClientError), text);
    assert.equal(error.name, "ClientError");
  }
});

Deno.test("Every error factory of errors.ts stands in the tables of this test", () => {
  const source = Deno.readTextFileSync(new URL(import.meta.url));
  for (const name of Object.keys(errors).filter((name) => /^[a-z]/.test(name))) {
    assert.match(source, new RegExp(`\\[\\s*errors\\.${name}\\(`), name);
  }
});

Deno.test("ClientError.encode() echoes a raw parameter byte for byte", () => {
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const encoded = errors.unknownCommand(every).encode();
  const prefix = bytesOf("E_INVALID invalid command ");
  assert.deepEqual(encoded.subarray(0, prefix.length), prefix);
  assert.deepEqual(encoded.subarray(prefix.length), every);
});

Deno.test("ClientError.encode() sends printable Unicode of a name as UTF-8 and a broken byte as \\xNN", () => {
  const error = errors.badTopic("PUB", Uint8Array.of(0xc3, 0xa9, 0xff));
  assert.deepEqual(error.encode(), bytesOf('E_BAD_TOPIC PUB topic name "é\\xff" is not valid'));
  assert.equal(error.message, 'E_BAD_TOPIC PUB topic name "é\\xff" is not valid');
});

Deno.test("ClientError.encode() sends the Unicode of a cause as UTF-8 and keeps the cause", () => {
  const cause = new Error("disque plein à 100 %");
  const error = errors.publishFailed("PUB", cause);
  assert.deepEqual(error.encode(), bytesOf("E_PUB_FAILED PUB failed disque plein à 100 %"));
  assert.equal(error.cause, cause);
  assert.equal(errors.authFailed(cause).cause, cause);
});

Deno.test("ClientError does not change when the buffer of its parameter is reused", () => {
  const word = bytesOf("FOO");
  const error = errors.unknownCommand(word);
  word.fill(0);
  assert.equal(error.wireText, "E_INVALID invalid command FOO");
});
