// Two rounds, of one run or of two, on the sets that both were measured on.
"use strict";

const asked = new URLSearchParams(location.search);
const view = {measure: "words", kind: "all", query: "", sort: "worsened", clips: new Set(), clipSource: null,
  labels: ["first", "second"]};
let found = null;
let trouble = "";

function pickRound(name, label, runs) {
  const options = {"": "choose a round"};
  for (const run of runs) {
    (run.outcomes ?? []).forEach((outcome, place) => {
      options[`${run.name}/round-${String(place + 1).padStart(2, "0")}`] = `${run.name}, round ${place + 1} (${outcome})`;
    });
  }
  return picker(label, options, asked.get(name) ?? "", (value) => { asked.set(name, value); location.search = asked; });
}

function comparison() {
  const {scoreboard: board} = found;
  const round = {...board, number: 0, details: {samples: []}};
  const rows = setNames([board]).map((set) => {
    const {champion: one, candidate: other} = board.scores[set];
    const intervals = board.intervals[set];
    const cell = (who, score) => el("td.n", {}, percent(rate(score[view.measure])), el("small.dim", {}, rangeText(intervals[who][view.measure])));
    return el("tr", {}, el("th", {scope: "row"}, quoted("span", set), el("small.dim", {}, `${one.kind}, ${plural(one.utterances, "utterance")}`)),
      cell("champion", one), cell("candidate", other), el("td.n", {}, changePill(board.steps[set][view.measure])),
      el("td", {}, shares(one[view.measure])), el("td", {}, shares(other[view.measure])));
  });
  const moved = ["worsened", "improved"].map((sort) => section(sort === "worsened" ? "Heard worse by the second" : "Heard better by the second",
    el(".utterances", {}, heard(round, {...view, sort}))));
  return [
    section(`${MEASURES[view.measure]}: second against first`, table(["set", "first", "second", "change", "S / D / I first", "second"], rows,
      {numbers: [1, 2, 3], label: "comparison"}),
      Object.entries(found.skipped_sets).map(([set, why]) => el("p.dim", {}, `${set} is left out: ${why}.`))),
    section("What differs between them", found.changes.length ? el("ul.plain.changes", {}, found.changes.map(({field, before, now}) =>
      el("li", {}, el("code", {}, field), " ", quoted("del", before), " → ", quoted("ins", now)))) : el("p.dim", {}, "Plan, data and machine are the same.")),
    ...moved];
}

function draw(runs) {
  const focused = document.activeElement?.name === "measure";
  document.getElementById("content").replaceChildren(
    el("header.top", {}, el("div", {}, el("a.quiet", {href: "/"}, "← all runs"), el("h1", {}, "Two rounds")), theme()),
    el("nav.toolbar", {}, pickRound("first", "first", runs), pickRound("second", "second", runs),
      choice("measure", "measure", MEASURES, view.measure, (measure) => { view.measure = measure; draw(runs); })),
    ...(trouble ? [el("p.refused", {}, trouble)] : found ? comparison() : [el("p.dim", {}, "Choose two rounds to compare.")]));
  if (focused) document.querySelector("input[name=measure]:checked").focus();
}

async function start() {
  const runs = await (await fetch("/api/runs")).json();
  if (asked.get("first") && asked.get("second")) {
    const answer = await fetch(`${document.body.dataset.source}?${asked}`);
    if (answer.ok) {
      found = await answer.json();
      view.clips = new Set(found.clips);
      view.clipSource = (id) => found.clip_source + encodeURIComponent(`${id}.flac`);
    } else trouble = await answer.text();
  }
  draw(runs);
  document.body.dataset.ready = "yes";
}
start();
