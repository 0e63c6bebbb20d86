import assert from "node:assert/strict";
import {
  ClosedError,
  ConnectionError,
  DecodeError,
  LookupError,
  MessageError,
  NsqError,
  OptionError,
  PublishError,
  ServerError,
} from "../../src/client/errors.ts";

Deno.test("Errors are NsqErrors with a name and a code", () => {
  const errors: [NsqError, string, string][] = [
    [new OptionError("x"), "OptionError", "ERR_NSQ_OPTION"],
    [new ConnectionError("ERR_NSQ_CONNECT", "a:1", "x"), "ConnectionError", "ERR_NSQ_CONNECT"],
    [new ServerError("E_BAD_TOPIC", "x", "a:1"), "ServerError", "E_BAD_TOPIC"],
    [new PublishError("ERR_NSQ_NOT_SENT", "t", "x"), "PublishError", "ERR_NSQ_NOT_SENT"],
    [new ClosedError("x"), "ClosedError", "ERR_NSQ_CLOSED"],
    [new LookupError("a:1", "x"), "LookupError", "ERR_NSQ_LOOKUP"],
    [new DecodeError("x"), "DecodeError", "ERR_NSQ_DECODE"],
    [new MessageError("ERR_NSQ_MESSAGE_LOST", "0", "x"), "MessageError", "ERR_NSQ_MESSAGE_LOST"],
  ];
  for (const [error, name, code] of errors) {
    assert.ok(error instanceof NsqError);
    assert.equal(error.name, name);
    assert.equal(error.code, code);
  }
});

Deno.test("PublishError.isSent tells the two kinds of failure apart", () => {
  assert.equal(new PublishError("ERR_NSQ_NOT_SENT", "t", "x").isSent, false);
  assert.equal(new PublishError("ERR_NSQ_REFUSED", "t", "x").isSent, false);
  assert.equal(new PublishError("ERR_NSQ_UNCONFIRMED", "t", "x").isSent, true);
});

Deno.test("ServerError names the node, the code and the node's words", () => {
  assert.equal(new ServerError("E_INVALID", "cannot SUB", "a:1").message, "a:1: E_INVALID cannot SUB");
  assert.equal(new ServerError("E_BAD_PROTOCOL", "", "a:1").message, "a:1: E_BAD_PROTOCOL");
});
