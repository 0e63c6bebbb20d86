/**
 * The keys, as a page for those without script.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Page } from "../page.ts";
import { KeyTable } from "../components/key_table.tsx";

export function keyboardPage(): Page {
  return {
    title: "Keyboard",
    isStill: true,
    main: (
      <>
        <header class="page-head">
          <h1>Keyboard</h1>
          <p>Keys need script in the browser; everything else on these pages does without.</p>
        </header>
        <KeyTable />
      </>
    ),
  };
}
