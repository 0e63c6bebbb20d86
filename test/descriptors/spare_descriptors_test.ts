import assert from "node:assert/strict";
import {
  freeDescriptor,
  isOutOfDescriptors,
  keepSpareDescriptors,
  withSpareDescriptor,
} from "../../src/descriptors/spare_descriptors.ts";

/** What the system says when there are none left. */
function outOfDescriptors(): Error {
  return Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" });
}

/** An `open` that works once `failures` of its calls have failed. */
function openAfter(failures: number): { open: () => string; calls: () => number } {
  let calls = 0;
  const open = () => {
    if (calls++ < failures) throw outOfDescriptors();
    return "a file";
  };
  return { open, calls: () => calls };
}

Deno.test("withSpareDescriptor() opens at once when there are descriptors", () => {
  const { open, calls } = openAfter(0);
  assert.equal(withSpareDescriptor(open), "a file");
  assert.equal(calls(), 1);
});

Deno.test("withSpareDescriptor() gives up what was kept back, one by one, until it works", () => {
  const letGo = keepSpareDescriptors();
  try {
    const { open, calls } = openAfter(3);
    assert.equal(withSpareDescriptor(open), "a file");
    assert.equal(calls(), 4);
  } finally {
    letGo();
  }
});

Deno.test("withSpareDescriptor() throws the error of the system when nothing is left to give up", () => {
  const letGo = keepSpareDescriptors(), letGoToo = keepSpareDescriptors();
  try {
    const { open, calls } = openAfter(Infinity);
    assert.throws(() => withSpareDescriptor(open), isOutOfDescriptors);
    assert.ok(calls() > 3);
    letGo();
    letGo();
  } finally {
    letGoToo();
  }
  const { open, calls } = openAfter(Infinity);
  assert.throws(() => withSpareDescriptor(open), isOutOfDescriptors);
  assert.equal(calls(), 1, "nothing is kept any more");
});

Deno.test("withSpareDescriptor() gives nothing up for another error", () => {
  const letGo = keepSpareDescriptors();
  try {
    let calls = 0;
    const open = () => {
      calls++;
      throw new Deno.errors.NotFound("no such file");
    };
    assert.throws(() => withSpareDescriptor(open), Deno.errors.NotFound);
    assert.equal(calls, 1);
  } finally {
    letGo();
  }
});

Deno.test("freeDescriptor() leaves what is kept back when there are descriptors, and never throws", () => {
  freeDescriptor();
  const letGo = keepSpareDescriptors();
  freeDescriptor();
  letGo();
});
