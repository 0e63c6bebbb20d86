/** The command palette: what the search of the server finds, while it is typed. */

const palette = document.getElementById("palette");
const input = palette?.querySelector("input");
const list = palette?.querySelector("ul");

let asked = 0;
let chosen = 0;
/** The search for what stands in the field now. */
let searching = Promise.resolve();

export function startPalette() {
  if (palette === null) return;
  input.addEventListener("input", find);
  input.addEventListener("keydown", pressed);
  palette.addEventListener("click", (event) => {
    if (event.target === palette) palette.close();
  });
}

export function openPalette() {
  input.value = "";
  palette.showModal();
  find();
}

function find() {
  searching = showMatches(++asked);
}

async function showMatches(mine) {
  const address = new URL(palette.dataset.search, location.href);
  address.searchParams.set("q", input.value);
  const answer = await fetch(address, { headers: { accept: "application/json" } }).catch(() => null);
  if (answer === null || !answer.ok) return;
  const matches = await answer.json();
  // Something else has been typed meanwhile.
  if (mine !== asked) return;
  list.replaceChildren(...matches.map(item));
  choose(0);
}

function item({ kind, label, href }, index) {
  const element = document.createElement("li");
  element.id = `match-${index}`;
  element.role = "option";
  element.dataset.href = href;
  const badge = document.createElement("span");
  badge.className = "badge";
  badge.textContent = kind;
  element.append(badge, label);
  element.addEventListener("click", () => location.href = href);
  return element;
}

function choose(index) {
  const items = list.children;
  chosen = Math.max(0, Math.min(items.length - 1, index));
  for (const [at, element] of [...items].entries()) element.ariaSelected = String(at === chosen);
  items[chosen]?.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", items[chosen]?.id ?? "");
}

/** Goes where the first or chosen match leads, of what was typed last. */
async function go() {
  await searching;
  const target = list.children[chosen]?.dataset.href;
  if (target !== undefined) location.href = target;
}

function pressed(event) {
  if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Enter") go();
  else return;
  event.preventDefault();
}
