// The list of runs, with what each came to and what it is doing.
"use strict";

let query = new URLSearchParams(location.hash.slice(1)).get("query") ?? "";
let runs = [];

function card(run) {
  const link = el("a", {href: `/run/${encodeURI(run.name)}`, dir: "auto"}, run.name);
  if (run.trouble) return el("article.tile", {}, el("h2", {}, link), el("p.refused", {}, run.trouble));
  const now = run.underway;
  const counts = {};
  for (const outcome of run.outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return el("article.tile", {}, el("h2", {}, link),
    el("p", {}, Object.entries(counts).map(([outcome, count]) => [badge(outcome), ` ${count} `])),
    el("p.dim", {}, "champion ", el("code", {}, run.champion), run.changed ? ` · ${new Date(1000 * run.changed).toLocaleString()}` : ""),
    el("ul.plain", {}, run.sets.map((set) => el("li", {}, el("span.dim", {}, `${set.kind} `), quoted("span", set.set), " ",
      el("strong", {}, `${percent(rate(set.now))} %`), " ", set.change ? changePill(set.change, 1) : el("span.dim", {}, "untouched")))),
    now ? el(".live", {}, `Round ${now.round}: ${now.stage} ${now.total ? `${now.done} of ${now.total}` : now.done || ""}`,
      now.total ? el("progress", {max: now.total, value: Math.min(now.done, now.total), "aria-label": "progress"}) : null) : null);
}

function drawList() {
  const chosen = runs.filter((run) => !query || run.name.toLowerCase().includes(query));
  document.getElementById("list").replaceChildren(...(chosen.length ? chosen.map(card)
    : [el("p.dim", {}, runs.length ? "No run has such a name." : "There is no run in this folder yet.")]));
}

async function load() {
  const answer = await fetch(document.body.dataset.source);
  if (!answer.ok) return;
  runs = (await answer.json()).sort((one, other) => (other.changed ?? 0) - (one.changed ?? 0));
  drawList();
}

async function start() {
  const search = el("input", {type: "search", value: query, placeholder: "search runs", "aria-label": "search runs",
    oninput: (event) => {
      query = event.target.value.trim().toLowerCase();
      history.replaceState(null, "", `#${new URLSearchParams({query})}`);
      drawList();
    }});
  document.getElementById("content").replaceChildren(
    el("header.top", {}, el("div", {}, el("h1", {}, "Runs")), theme()),
    el("nav.toolbar", {}, search, el("a", {href: "/compare"}, "compare two rounds")),
    el(".tiles.wide", {id: "list"}));
  await load();
  document.body.dataset.ready = "yes";
  setInterval(() => document.hidden || load(), 5000);
}
start();
