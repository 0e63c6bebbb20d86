/** The keyboard: what keys do stands in the page, in one table that its help shows too. */
import { redrawCharts } from "./charts.js";
import { notice } from "./forms.js";
import { toggleLive } from "./live.js";
import { openPalette } from "./palette.js";
import { nextTimeStyle } from "./times.js";

/** A second key of a sequence has to come within this time. */
const SEQUENCE_MS = 1200;

let bindings = [];
let pending = "";
let pendingTimer = 0;

const commands = {
  search: () => (document.querySelector(".filter input") ?? document.getElementById("search")).focus(),
  palette: openPalette,
  help: () => document.getElementById("help").showModal(),
  next: () => choose(1),
  previous: () => choose(-1),
  open: () => document.querySelector("[data-row].chosen a")?.click(),
  up: () => [...document.querySelectorAll(".trail a")].at(-1)?.click(),
  "toggle live": toggleLive,
  times: () => notice(`Times: ${nextTimeStyle()}`),
  theme: nextTheme,
  close: () => document.activeElement?.blur(),
};

export function startKeys() {
  bindings = JSON.parse(document.getElementById("keys").textContent);
  document.addEventListener("keydown", pressed);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-command]");
    if (link === null) return;
    event.preventDefault();
    commands[link.dataset.command]();
  });
}

function pressed(event) {
  const isTyping = event.target.matches("input:not([type=checkbox]), textarea, select") ||
    event.target.isContentEditable;
  if (event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
  const name = (event.ctrlKey ? "Control+" : "") + event.key;
  if (isTyping && name !== "Escape" && name !== "Control+k") return;
  if (name === "Enter" && event.target.closest("a, button, summary") !== null) return;
  const sequence = pending === "" ? name : `${pending} ${name}`;
  clearTimeout(pendingTimer);
  pending = "";
  const found = bindings.find(({ keys }) => keys === sequence) ?? bindings.find(({ keys }) => keys === name);
  if (found !== undefined) {
    event.preventDefault();
    run(found.command);
  } else if (bindings.some(({ keys }) => keys.startsWith(`${sequence} `))) {
    event.preventDefault();
    pending = sequence;
    pendingTimer = setTimeout(() => pending = "", SEQUENCE_MS);
  }
}

function run(command) {
  if (command.startsWith("go:")) {
    location.href = document.documentElement.dataset.base.replace(/\/$/, "") + command.slice(3);
  } else commands[command]();
}

function choose(step) {
  const rows = [...document.querySelectorAll("main [data-row]")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.classList.contains("chosen"));
  rows[at]?.classList.remove("chosen");
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  next.classList.add("chosen");
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("a")?.focus({ preventScroll: true });
}

function nextTheme() {
  const themes = ["system", "light", "dark"];
  const root = document.documentElement;
  root.dataset.theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
  redrawCharts();
  fetch(`${root.dataset.base.replace(/\/$/, "")}/preferences`, {
    method: "POST",
    body: new URLSearchParams({ theme: root.dataset.theme }),
    redirect: "manual",
  }).catch(() => {});
  notice(`Theme: ${root.dataset.theme}`);
}
