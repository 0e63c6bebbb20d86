import assert from "node:assert/strict";
import { formatPreferences, readPreferences } from "../../../src/admin/pages/preferences.ts";

Deno.test("readPreferences() reads what formatPreferences() wrote", () => {
  const preferences = { theme: "dark", time: "utc", refresh: 15 } as const;
  assert.deepEqual(readPreferences(formatPreferences(preferences)), preferences);
});

Deno.test("readPreferences() has changes above what is kept, and defaults for what it does not understand", () => {
  const kept = "theme=blinking&time=local&refresh=2";
  assert.deepEqual(readPreferences(kept, new URLSearchParams({ refresh: "0" })), {
    theme: "system",
    time: "local",
    refresh: 0,
  });
  assert.deepEqual(readPreferences(undefined), { theme: "system", time: "relative", refresh: 1 });
});
