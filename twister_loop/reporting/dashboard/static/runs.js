// The list of runs, with the error rates of each and the stage that it is working on.
"use strict";

const RELOAD_MILLISECONDS = 5000;

let query = new URLSearchParams(location.hash.slice(1)).get("query") ?? "";
let runs = [];

function setLine({set, champion, change, full_window: windows, full_window_change: windowChange}) {
  const {kind, measure} = champion;
  const part = windows && windows.utterances < champion.utterances;
  return el("li", {}, el("span.dim", {}, `${kind} `), quoted("span", set), " ",
    el("strong", {}, `${MEASURES[measure]} ${percent(rate(champion[measure]))}\u00a0%`), " ",
    change ? changePill(change, 1) : el("span.dim", {}, "untouched"),
    windows ? el(".windowed", {}, el("span.dim", {}, `${STANDARD}: ${percent(rate(windows[measure]))}\u00a0% `),
      windowChange ? changePill(windowChange, 1) : null,
      part ? el("span.dim", {}, ` of ${plural(windows.utterances, "utterance")}`) : null) : null);
}

function runCard(run) {
  const link = el("a", {href: `/run/${encodeURI(run.name)}`, dir: "auto"}, run.name);
  if (run.error) return el("article.tile", {}, el("h2", {}, link), el("p.refused", {}, run.error));
  const modified = run.modified ? ` · ${new Date(1000 * run.modified).toLocaleString()}` : "";
  return el("article.tile", {}, el("h2", {}, link),
    el("p", {}, countOutcomes(run.outcomes).map(([outcome, count]) => [badge(outcome), ` ${count} `])),
    el("p.dim", {}, "champion ", el("code", {}, run.champion), modified),
    el("ul.plain", {}, run.sets.map(setLine)),
    run.current_stage ? stageLine(run.current_stage) : null);
}

function stageLine({round, stage, done, total}) {
  const progress = total ? `${grouped(done)} of ${grouped(total)}` : done ? grouped(done) : "";
  return el(".live", {}, `Round ${round}: ${stage} ${progress}`,
    total ? el("progress", {max: total, value: Math.min(done, total), "aria-label": "progress"}) : null);
}

function drawList() {
  const chosen = runs.filter((run) => !query || run.name.toLowerCase().includes(query));
  const none = runs.length ? "No name of a run matches." : "There is no run in this folder yet.";
  document.getElementById("list").replaceChildren(
    ...(chosen.length ? chosen.map(runCard) : [el("p.dim", {}, none)]));
}

async function load() {
  const answer = await fetch(document.body.dataset.source);
  // The server may be restarting; the next reload will tell.
  if (!answer.ok) return;
  runs = (await answer.json()).sort((first, second) => (second.modified ?? 0) - (first.modified ?? 0));
  drawList();
}

async function start() {
  const search = searchField("search runs", query, (text) => {
    query = text;
    history.replaceState(null, "", `#${new URLSearchParams({query})}`);
    drawList();
  });
  document.getElementById("content").replaceChildren(
    el("header.top", {}, el("div", {}, el("h1", {}, "Runs")), themeButton()),
    el("nav.toolbar", {}, search, el("a", {href: "/compare"}, "compare two rounds")),
    el(".tiles.wide", {id: "list"}));
  await load();
  document.body.dataset.ready = "yes";
  // A tab in the background asks for nothing.
  setInterval(() => document.hidden || load(), RELOAD_MILLISECONDS);
}
start();
