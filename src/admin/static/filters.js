/** Filters of tables act while they are typed: address, table and stream follow the field. */
import { mergeMain, restartLive } from "./live.js";

const DELAY_MS = 200;

export function startFilters() {
  let timer = 0;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-filter]");
    if (form === null) return;
    clearTimeout(timer);
    timer = setTimeout(() => filter(form), DELAY_MS);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-filter]")) return;
    event.preventDefault();
    clearTimeout(timer);
    filter(event.target);
  });
}

async function filter(form) {
  const address = new URL(location.href);
  const fields = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...fields]) if (value === "") fields.delete(name);
  address.search = fields.toString();
  const answer = await fetch(address).catch(() => null);
  if (answer === null || !answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById("main");
  history.replaceState(null, "", address);
  mergeMain(next.innerHTML);
  restartLive(next.dataset.structure);
}
