/** Dead letters, from the overview to the redrive. */

/** From what needs attention to the letters; one is ticked and brought back, and its job is shown as done. */
export async function redriveTicked({ withPage, base, options, body }) {
  await withPage(options, async (page) => {
    await page.goto(base);
    await page.locator(".attention").getByRole("link", { name: "Dead letters" }).first().click();
    await page.waitForURL("**/dead/orders/billing");
    await page.locator(".letters li", { hasText: body }).getByRole("checkbox").check();
    await page.getByRole("button", { name: "Redrive", exact: true }).click();
    await page.waitForURL("**/activity?done=**");
    await page.locator("#done.ok", { hasText: "Began the redrive of orders/billing" }).waitFor();
    await page.locator("#jobs td", { hasText: "1 of 1" }).first().waitFor();
  });
}

/** Deletes all of them, after the question. */
export async function deleteAll({ withPage, base }) {
  await withPage({}, async (page) => {
    await page.goto(`${base}/dead`);
    await page.locator("#dead").getByRole("link", { name: "orders/billing", exact: true }).click();
    await page.locator("[name=which]").selectOption("all");
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: /^Delete \d/ }).click();
    await page.locator("#done.ok", { hasText: "Began to delete dead letters of orders/billing" }).waitFor();
  });
}

/** From a channel to one of its messages; returns its body as it is shown. */
export async function readMessage({ withPage, base }) {
  return await withPage({}, async (page) => {
    await page.goto(base);
    await page.locator(".attention li", { hasText: "orders/billing" }).first().waitFor();
    await page.goto(`${base}/topics/orders/billing`);
    await page.locator(".page-head").getByRole("link", { name: "Messages", exact: true }).click();
    await page.getByText("Scanned 1, matched 1").waitFor();
    await page.locator("#messages a").first().click();
    return await page.getByRole("group", { name: "Text" }).innerText();
  });
}
