import assert from "node:assert/strict";
import { compileExpression } from "../../src/tools/regular_expression.ts";
import { ToolError } from "../../src/tools/tool.ts";

Deno.test("compileExpression() matches anywhere, and in time that is linear whatever the text", async () => {
  const matches = await compileExpression("topic-pattern", "ord.*s");
  assert.deepEqual(["my_orders_2", "order"].map(matches), [true, false]);
  assert.equal((await compileExpression("filter", "(a+)+$"))(`${"a".repeat(10_000)}b`), false);
});

Deno.test("compileExpression() refuses what is no RE2 expression and names the flag", async () => {
  for (const pattern of ["(", "(?=a)", "a\\1"]) {
    await assert.rejects(() => compileExpression("filter", pattern), (error) => {
      assert.ok(error instanceof ToolError);
      assert.match(error.message, /^--filter ".*" is no RE2 expression: ./);
      return true;
    });
  }
});
