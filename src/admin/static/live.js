/**
 * Figures as they change: the address of the page is its event stream too. Event `n` has values by position among the
 * elements with `data-n`; event `h` has the content of `main` anew, which is merged so that focus, scroll and open
 * parts stay. The stream is closed while nobody looks.
 */
import { addPoint, keepCharts, reloadCharts } from "./charts.js";
import { askLogin, prepareForms } from "./forms.js";
import { timeOfDay, writeTime, writeTimes } from "./times.js";

const main = document.getElementById("main");
const indicator = document.getElementById("live");
/** Seconds between ticks; 0 for a page that stands still. */
const refreshSeconds = Number(main?.dataset.refresh ?? 0);
/** This many ticks may be missing before figures count as old. */
const MISSING_TICKS = 3;

let source = null;
let cells = [];
let isPaused = false;
let lastEventMs = Date.now();
let structure = main?.dataset.structure ?? "";

export function startLive() {
  if (refreshSeconds === 0) return;
  indicator.disabled = false;
  indicator.addEventListener("click", toggleLive);
  open();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!isPaused) open();
  });
  addEventListener("pagehide", close);
  setInterval(watch, 1000);
}

/** Stops or resumes; the page stays as it is meanwhile. */
export function toggleLive() {
  if (refreshSeconds === 0) return;
  isPaused = !isPaused;
  if (isPaused) close();
  else open();
  show(isPaused ? "off" : "waiting", isPaused ? `paused at ${timeOfDay(Date.now())}` : "live");
}

/** Opens the stream of the address that the page has now. */
export function restartLive(newStructure) {
  if (refreshSeconds === 0 || isPaused) return;
  structure = newStructure;
  close();
  open();
}

function open() {
  if (source !== null) return;
  cells = findCells();
  const address = new URL(location.href);
  address.searchParams.set("structure", structure);
  source = new EventSource(address);
  source.addEventListener("n", (event) => {
    arrived();
    writeValues(JSON.parse(event.data));
  });
  source.addEventListener("h", (event) => {
    arrived();
    const { html, structure: next } = JSON.parse(event.data);
    structure = next;
    mergeMain(html);
  });
  source.addEventListener("error", failed);
  reloadCharts();
}

function close() {
  source?.close();
  source = null;
}

function arrived() {
  lastEventMs = Date.now();
  show("live", "live");
}

/** A browser tries again by itself, unless the answer was no stream: then the session has ended, or the page is gone. */
async function failed() {
  if (source?.readyState !== EventSource.CLOSED) return;
  close();
  try {
    const answer = await fetch(location.href, { redirect: "manual", headers: { accept: "text/html" } });
    if (answer.type === "opaqueredirect" || answer.status === 401) return askLogin(open);
  } catch {
    // The console is away: tried again below.
  }
  setTimeout(() => {
    if (!isPaused && !document.hidden) open();
  }, 3000);
}

function watch() {
  if (isPaused || document.hidden) return;
  if (Date.now() - lastEventMs > MISSING_TICKS * refreshSeconds * 1000 + 1000) {
    show("lost", `no data since ${timeOfDay(lastEventMs)}`);
  }
}

function show(state, text) {
  if (indicator.dataset.state !== state) indicator.dataset.state = state;
  if (indicator.textContent !== text) indicator.textContent = text;
  document.body.classList.toggle("lost", state === "lost");
}

function findCells() {
  return [...main.querySelectorAll("[data-n]")];
}

function writeValues(values) {
  for (const [index, value] of Object.entries(values)) {
    const cell = cells[index];
    if (cell === undefined) continue;
    const kind = cell.dataset.n;
    if (kind === "") writeText(cell, value);
    else if (kind === "t") writeMoment(cell, value);
    else if (kind === "p") addPoint(cell, value);
    else cell.setAttribute(kind, value);
  }
}

function writeText(cell, value) {
  if (cell.textContent === value) return;
  cell.textContent = value;
  cell.classList.remove("changed");
  requestAnimationFrame(() => cell.classList.add("changed"));
}

function writeMoment(cell, value) {
  cell.dataset.ms = value;
  writeTime(cell);
}

/** Puts `html` in place of the content of `main`, keeping what is the same. */
export function mergeMain(html) {
  const chosen = main.querySelector(".chosen a")?.href;
  globalThis.Idiomorph.morph(main, html, {
    morphStyle: "innerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed(old, next) {
        if (old instanceof HTMLDetailsElement) next.open = old.open;
        return keepCharts(old);
      },
    },
  });
  cells = findCells();
  writeTimes(main);
  prepareForms(main);
  if (chosen !== undefined) {
    [...main.querySelectorAll("[data-row]")].find((row) => row.querySelector("a")?.href === chosen)?.classList
      .add("chosen");
  }
}
