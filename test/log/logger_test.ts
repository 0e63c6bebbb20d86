import assert from "node:assert/strict";
import { formatText, lineFormatOf } from "../../src/log/line_format.ts";
import { Logger, logLevels, stderrSink } from "../../src/log/logger.ts";
import { FakeClock } from "../support/fake_clock.ts";

function localMs(fraction: number): number {
  return new Date(2026, 10, 22, 3, 4, 9, 754).getTime() + fraction;
}

Deno.test("Logger.info() writes prefix, local time in microseconds, level and text as one line", () => {
  const lines: string[] = [];
  const logger = new Logger("info", "[nsqd] ", (line) => lines.push(line), new FakeClock(localMs(0.7345)));
  logger.info("TCP: listening on 127.0.0.1:4150");
  assert.deepEqual(lines, ["[nsqd] 2026/11/22 03:04:09.754734 INFO: TCP: listening on 127.0.0.1:4150\n"]);
});

Deno.test("Logger pads every field of the time", () => {
  const lines: string[] = [];
  const at = new Date(2031, 0, 2, 3, 4, 5, 6).getTime();
  new Logger("debug", "", (line) => lines.push(line), new FakeClock(at)).debug("x");
  assert.deepEqual(lines, ["2031/01/02 03:04:05.006000 DEBUG: x\n"]);
});

Deno.test("Logger names its levels with nsqd's words and writes those at or above its own", () => {
  const words = ["DEBUG", "INFO", "WARNING", "ERROR", "FATAL"];
  for (const [lowest, level] of logLevels.entries()) {
    const lines: string[] = [];
    const logger = new Logger(level, "", (line) => lines.push(line));
    for (const each of logLevels) {
      logger[each]("x");
      assert.equal(logger.isEnabled(each), logLevels.indexOf(each) >= lowest);
    }
    assert.deepEqual(lines.map((line) => line.split(" ")[2]), words.slice(lowest).map((word) => `${word}:`));
  }
});

Deno.test("Logger.level may be changed at run time", () => {
  const lines: string[] = [];
  const logger = new Logger("info", "", (line) => lines.push(line));
  logger.debug("before");
  logger.level = "debug";
  assert.equal(logger.level, "debug");
  logger.debug("after");
  assert.equal(lines.length, 1);
  assert.match(lines[0], /after\n$/);
});

Deno.test("Logger escapes control characters, so that a client's bytes cannot forge a line", () => {
  const lines: string[] = [];
  new Logger("info", "", (line) => lines.push(line), new FakeClock(localMs(0))).info(
    "a\nb\r\x1b[31mc\td\x7fé",
  );
  assert.equal(lines[0], "2026/11/22 03:04:09.754000 INFO: a\\nb\\r\\x1b[31mc\td\\x7fé\n");
});

Deno.test("stderrSink() goes on after a short write until the line is complete", () => {
  let written = "";
  const sink = stderrSink(undefined, (bytes) => {
    written += new TextDecoder().decode(bytes.subarray(0, 3));
    return Math.min(3, bytes.length);
  });
  sink("0123456789\n");
  assert.equal(written, "0123456789\n");
});

Deno.test("stderrSink() drops what cannot be written, and says so once it can be", () => {
  let written = "";
  let isBroken = true;
  const sink = stderrSink(undefined, (bytes) => {
    if (isBroken) throw new Error("broken pipe");
    written += new TextDecoder().decode(bytes);
    return bytes.length;
  });
  sink("one\n");
  sink("two\n");
  isBroken = false;
  sink("three\n");
  sink("four\n");
  assert.equal(written, "(2 log lines could not be written)\nthree\nfour\n");
});

Deno.test("stderrSink() describes what was dropped in the words of its log", () => {
  let written = "";
  let isBroken = true;
  const sink = stderrSink((lines) => `${lines} are gone`, (bytes) => {
    if (isBroken) throw new Error("broken pipe");
    written += new TextDecoder().decode(bytes);
    return bytes.length;
  });
  sink("one\n");
  isBroken = false;
  sink("two\n");
  assert.equal(written, "1 are gone\ntwo\n");
});

function jsonLogger(lines: string[], prefix: string): Logger {
  const format = lineFormatOf("json", "nsqd");
  return new Logger("debug", prefix, (line) => lines.push(line), new FakeClock(localMs(0.7345)), format);
}

Deno.test("Logger in JSON writes time in UTC with microseconds, level, program, prefix, message and fields", () => {
  const lines: string[] = [];
  const logger = jsonLogger(lines, "[mine] ");
  logger.warn("200 GET /ping", { status: 200, method: "GET" });
  const time = `${new Date(localMs(0)).toISOString().slice(0, 19)}.754734Z`;
  const start = `{"time":"${time}","level":"warn","program":"nsqd","prefix":"[mine]"`;
  assert.deepEqual(lines, [`${start},"message":"200 GET /ping","status":200,"method":"GET"}\n`]);
});

Deno.test("Logger in JSON is a line of its own whatever the text, and can be read back", () => {
  const lines: string[] = [];
  const text = 'a\nb\r\x1b[31m"c"\td\x7f\ud800\u2028';
  for (const level of logLevels) jsonLogger(lines, "")[level](text);
  for (const [index, line] of lines.entries()) {
    assert.match(line, /^[^\n]+\n$/);
    const record = JSON.parse(line);
    assert.deepEqual([record.level, record.message], [logLevels[index], text]);
    assert.equal("prefix" in record, false);
  }
});

Deno.test("lineFormatOf() leaves fields out of text, which says it all", () => {
  assert.equal(lineFormatOf("text", "nsqd"), formatText);
  const record = { timeMs: localMs(0), level: 1, prefix: "p ", text: "t", fields: { a: 1 } };
  assert.equal(formatText(record), "p 2026/11/22 03:04:09.754000 INFO: t");
});

Deno.test("Logger.sibling() has its own prefix and level on the same log", () => {
  const lines: string[] = [];
  const logger = jsonLogger(lines, "[a]");
  const sibling = logger.sibling("[b]");
  sibling.level = "error";
  logger.info("one");
  sibling.info("two");
  sibling.error("three");
  assert.deepEqual(lines.map((line) => JSON.parse(line)).map(({ prefix, message }) => [prefix, message]), [
    ["[a]", "one"],
    ["[b]", "three"],
  ]);
});
