/** Forms: actions in a sheet, copying, drafts, the login in place. */

const DRAFTS_KEY = "nsq_drafts";
const MAX_DRAFTS = 20;

const sheet = document.getElementById("sheet");

export function startForms() {
  prepareForms(document);
  document.addEventListener("click", clicked);
  document.addEventListener("change", changed);
  document.addEventListener("input", ({ target }) => {
    if (target.dataset.confirm !== undefined) prepareConfirm(target);
  });
  document.addEventListener("submit", ({ target }) => {
    if (target.matches("form[data-drafts]")) keepDraft(target);
  });
  startDrafts();
}

/** What only a script can offer appears; what has to be typed first holds its button back. */
export function prepareForms(root) {
  if (navigator.clipboard !== undefined) {
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  }
  for (const field of root.querySelectorAll("[data-confirm]")) prepareConfirm(field);
}

function prepareConfirm(field) {
  field.form.querySelector("button").disabled = field.value !== field.dataset.confirm;
}

function changed({ target }) {
  if (target.closest("form[data-submit], #display form") !== null) target.form.requestSubmit();
}

async function clicked(event) {
  const { target } = event;
  const copy = target.closest("[data-copy]");
  if (copy !== null) {
    await navigator.clipboard.writeText(copy.parentElement.querySelector("code").textContent);
    return notice("Copied");
  }
  if (target.closest("[data-close]") !== null && sheet.open) {
    event.preventDefault();
    return sheet.close();
  }
  const link = target.closest("a[data-sheet]");
  if (link !== null && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    return await openSheet(link.href, "#act");
  }
  const menu = document.getElementById("display");
  if (menu?.open && !menu.contains(target)) menu.open = false;
}

/** Shows a part of another page in the sheet; goes there when it has no such part. */
async function openSheet(address, selector) {
  const answer = await fetch(address).catch(() => null);
  const page = new DOMParser().parseFromString(await answer?.text() ?? "", "text/html");
  const part = page.querySelector(selector);
  if (part === null) {
    location.href = address;
    return;
  }
  sheet.replaceChildren(part);
  prepareForms(sheet);
  if (!sheet.open) sheet.showModal();
  sheet.querySelector("[autofocus]")?.focus();
}

let noticeTimer = 0;

/** A line at the bottom, for some seconds. */
export function notice(text) {
  const line = document.createElement("p");
  line.textContent = text;
  document.getElementById("notice").replaceChildren(line);
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => line.remove(), 3000);
}

/** Logs in again where one is, and calls `done`. */
export async function askLogin(done) {
  if (sheet.open) return;
  await openSheet(`${document.documentElement.dataset.base.replace(/\/$/, "")}/login`, "#login");
  const form = sheet.querySelector("form");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
    if (answer.type !== "opaqueredirect") {
      form.querySelector(".problem")?.remove();
      const problem = document.createElement("p");
      problem.className = "problem";
      problem.role = "alert";
      problem.textContent = answer.status === 429
        ? "Too many attempts: wait a little."
        : "User or password is wrong.";
      form.prepend(problem);
      return;
    }
    sheet.close();
    done();
  });
}

function readDrafts() {
  try {
    return JSON.parse(localStorage.getItem(DRAFTS_KEY) ?? "[]");
  } catch {
    return [];
  }
}

function keepDraft(form) {
  const { topic, text } = Object.fromEntries(new FormData(form));
  if (text === "") return;
  const others = readDrafts().filter((draft) => draft.topic !== topic || draft.text !== text);
  localStorage.setItem(DRAFTS_KEY, JSON.stringify([{ topic, text }, ...others].slice(0, MAX_DRAFTS)));
}

function startDrafts() {
  const section = document.getElementById("drafts");
  const drafts = readDrafts();
  if (section === null || drafts.length === 0) return;
  section.hidden = false;
  section.querySelector("ul").replaceChildren(...drafts.map((draft) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = `${draft.topic}: ${draft.text.slice(0, 120)}`;
    button.addEventListener("click", () => {
      const form = document.getElementById("publish");
      form.elements.topic.value = draft.topic;
      form.elements.text.value = draft.text;
      form.elements.text.focus();
    });
    item.append(button);
    return item;
  }));
}
