/** Who may do what: login, roles, and a session that ends. */
import assert from "node:assert/strict";

async function logIn(page, base, name, password, path = "/") {
  await page.goto(base + path);
  await page.waitForURL("**/login**");
  await page.getByLabel("User").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** Nothing is shown before the login, a wrong password is refused, the right one leads to what was asked for. */
export async function logInAfterMistake({ withPage, axe, base, name, password, path }) {
  await withPage({ mayFail: "401" }, async (page) => {
    await logIn(page, base, name, `${password}?`, path);
    await page.getByRole("alert").getByText("User or password is wrong").waitFor();
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map(({ id }) => id), []);
    assert.equal(await page.getByLabel("User").inputValue(), name);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.waitForURL(`**${path}`);
    await page.locator(".user", { hasText: name }).waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.waitForURL("**/login");
    await page.goto(base + path);
    await page.waitForURL("**/login**");
  });
}

/** Names of the buttons of actions that a role sees on a topic, and what the server says to one that it does not. */
export async function seeActions({ withPage, base, name, password, topic }) {
  return await withPage({}, async (page) => {
    await logIn(page, base, name, password, `/topics/${topic}`);
    await page.waitForURL(`**/topics/${topic}`);
    const buttons = await page.locator(".page-head .actions .button, .page-head .actions button")
      .allInnerTexts();
    const refused = await page.request.post(`${base}/act`, {
      form: { kind: "delete", topic, confirm: topic, back: "/topics" },
      headers: { origin: base },
      maxRedirects: 0,
    });
    return { buttons: buttons.map((text) => text.trim()), status: refused.status() };
  });
}

/** A session that ends while a page is looked at: the page stays, and asks for the password in place. */
export async function logInAgainInPlace({ withPage, base, name, password, topic }) {
  await withPage({ mayFail: "401|MIME type|EventSource" }, async (page) => {
    await logIn(page, base, name, password, `/topics/${topic}`);
    await page.waitForSelector('#live[data-state="live"]');
    await page.request.post(`${base}/logout`, { headers: { origin: base } });
    // As after a break of the connection: the stream is asked for anew.
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      Object.defineProperty(document, "hidden", { value: false, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    const sheet = page.locator("#sheet[open]");
    await sheet.getByLabel("User").fill(name);
    await sheet.getByLabel("Password").fill(password);
    await sheet.getByRole("button", { name: "Log in" }).click();
    await sheet.waitFor({ state: "hidden" });
    await page.waitForSelector('#live[data-state="live"]');
    assert.equal(new URL(page.url()).pathname, `/topics/${topic}`);
  });
}
