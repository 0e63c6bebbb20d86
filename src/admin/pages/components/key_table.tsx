/**
 * The keys and what they do, for the help.
 *
 * Tested in test/ui/console_test.ts.
 */
import { keyBindings } from "../keyboard.ts";

export function KeyTable() {
  return (
    <table class="keys">
      <tbody>
        {keyBindings.map(({ keys, text }) => (
          <tr>
            <th scope="row">
              {keys.split(" ").map((key) => <kbd>{key.replace("Control", "Ctrl").replace("+", " ")}</kbd>)}
            </th>
            <td>{text}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
