// Two rounds, of one run or of two, on the sets that both candidates were evaluated on.
"use strict";

const parameters = new URLSearchParams(location.search);
const view = {measure: "own", kind: "all", query: "", sort: "worsened", clips: new Set(), clipSource: null,
  labels: ["first", "second"]};
let comparison = null;
let error = "";

function roundPicker(name, runs) {
  const options = {"": "choose a round"};
  for (const {name: run, outcomes} of runs) {
    (outcomes ?? []).forEach((outcome, place) => {
      const number = place + 1;
      const folder = `round-${String(number).padStart(2, "0")}`;
      options[`${run}/${folder}`] = `${run}, round ${number} (${outcome})`;
    });
  }
  return picker(name, options, parameters.get(name) ?? "", (round) => {
    parameters.set(name, round);
    location.search = parameters;
  });
}

function setRow(scoreboard, set, judged) {
  // The first round's candidate stands in the place of the champion.
  const {champion: first, candidate: second} = scoreboard.scores[set];
  const intervals = scoreboard.intervals[set];
  const measure = measureOf(scoreboard.scores[set], view.measure);
  const cell = (model, score) => el("td.n", {}, el("span.dim", {}, `${MEASURES[measure]} `), percent(rate(score[measure])),
    el("small.dim", {}, rangeText(intervals[model][measure])));
  return el("tr", {},
    el("th", {scope: "row"}, quoted("span", set), longTag(scoreboard.scores[set]),
      el("small.dim", {}, `${first.kind}, ${plural(first.utterances, "utterance")}`)),
    cell("champion", first), cell("candidate", second),
    el("td.n", {}, changePill(scoreboard.steps[set][measure])),
    el("td", {}, errorBar(first[measure])), el("td", {}, errorBar(second[measure])),
    judged ? el("td.n", {}, [first, second].map(timestampShare).filter(Boolean).join(" → ")) : null);
}

/** The second round against the first in one way of decoding. */
function rateSection(scoreboard, decoding, judged = false) {
  const sets = setNames([scoreboard]);
  const name = measureName(sets.map((set) => scoreboard.scores[set]), view.measure);
  return section(`${capitalized(name)}, ${decoding}: second against first`,
    table(["set", "first, %", "second, %", "change", "S / D / I of the first", "of the second",
      ...(judged ? ["right timestamps"] : [])],
      sets.map((set) => setRow(scoreboard, set, judged)), {numbers: [1, 2, 3, 6], label: `comparison, ${decoding}`}));
}

function comparisonSections() {
  const {scoreboard, changes, skipped_sets: skipped} = comparison;
  const round = {...scoreboard, number: 0, details: {samples: []}};
  const both = hasWindows(scoreboard);
  const moved = {worsened: "More errors in the second round", improved: "Fewer errors in the second round"};
  return [
    rateSection(scoreboard, OWN_CONTEXT),
    both ? rateSection(inWindows(scoreboard), STANDARD, true) : null,
    both ? el("p.dim", {}, `${DECODINGS_EXPLAINED} ${TIMESTAMPS_EXPLAINED}`) : null,
    ...Object.entries(skipped).map(([set, why]) => el("p.dim", {}, `${set} is left out: ${why}.`)),
    section("Differences in plan, data and machine", changes.length ? changeList(changes)
      : el("p.dim", {}, "Plan, data and machine are the same.")),
    ...Object.entries(moved).map(([sort, title]) => {
      const cards = transcriptCards(round, {...view, sort});
      return section(title, cards.length ? el(".utterances", {}, cards) : el("p.dim", {}, "None."));
    }),
  ].filter(Boolean);
}

function draw(runs) {
  const measureFocused = document.activeElement?.name === "measure";
  const content = error ? [el("p.refused", {}, error)]
    : comparison ? comparisonSections() : [el("p.dim", {}, "Choose two rounds to compare.")];
  document.getElementById("content").replaceChildren(
    el("header.top", {}, el("div", {}, el("a.quiet", {href: "/"}, "← all runs"), el("h1", {}, "Two rounds")), themeButton()),
    el("nav.toolbar", {}, roundPicker("first", runs), roundPicker("second", runs),
      choice("measure", "measure", MEASURE_CHOICES, view.measure, (measure) => { view.measure = measure; draw(runs); })),
    ...content);
  // Everything was replaced, so the keyboard has to be put back where it was.
  if (measureFocused) document.querySelector("input[name=measure]:checked").focus();
}

async function start() {
  const runs = await (await fetch("/api/runs")).json();
  if (parameters.get("first") && parameters.get("second")) {
    const answer = await fetch(`${document.body.dataset.source}?${parameters}`);
    if (answer.ok) {
      comparison = await answer.json();
      view.clips = new Set(comparison.clips);
      view.clipSource = (id) => comparison.clip_source + encodeURIComponent(`${id}.flac`);
    } else error = await answer.text();
  }
  draw(runs);
  document.body.dataset.ready = "yes";
}
start();
