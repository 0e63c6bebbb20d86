/**
 * The login.
 *
 * Tested in test/ui/login_test.ts.
 */
import { href, type View } from "../view.ts";

export function LoginForm(
  { view, next, name, problem }: {
    view: Pick<View, "settings">;
    next: string;
    name: string;
    problem: string;
  },
) {
  const { environment } = view.settings;
  return (
    <form method="post" action={href(view, "/login")} class="login fields" id="login">
      <h1>nsq {environment !== null && <small>{environment.name}</small>}</h1>
      <input type="hidden" name="next" value={next} />
      {problem !== "" && <p class="problem" role="alert">{problem}</p>}
      <label>
        User
        <input
          type="text"
          name="name"
          value={name}
          required
          autocomplete="username"
          autocapitalize="none"
          autofocus={name === ""}
        />
      </label>
      <label>
        Password
        <input
          type="password"
          name="password"
          required
          autocomplete="current-password"
          autofocus={name !== ""}
        />
      </label>
      <button type="submit" class="primary">Log in</button>
    </form>
  );
}
