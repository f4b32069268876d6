// The page of one run: its champion, all rounds side by side, and one of them in detail.
"use strict";

const PROGRESS_MILLISECONDS = 3000;
/** A stage that has written nothing for so many seconds may have been killed. */
const IDLE_SECONDS = 120;

const view = {
  measure: "own", kind: "all", query: "", sort: "worst", round: null, price: 0,
  clips: new Set(), clipSource: (id) => `clips/${encodeURIComponent(id)}.flac`,
};
let run = null;

/** Put the choices into the address, so that a view can be bookmarked and sent. */
function saveView() {
  const {measure, kind, query, sort, round} = view;
  history.replaceState(null, "", `#${new URLSearchParams({measure, kind, query, sort, round})}`);
}

function loadView() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  if (parameters.get("measure") in MEASURE_CHOICES) view.measure = parameters.get("measure");
  if (["all", ...KINDS].includes(parameters.get("kind"))) view.kind = parameters.get("kind");
  if (parameters.get("sort") in SORTS) view.sort = parameters.get("sort");
  view.query = parameters.get("query") ?? "";
  const number = Number(parameters.get("round"));
  const exists = run.rounds.some((round) => round.number === number);
  view.round = exists ? number : (run.rounds.at(-1)?.number ?? null);
  view.price = Number(localStorage.getItem("price") ?? 0);
}

/** One set for each kind: all sets of the kind together if there are several. */
function headlineSets() {
  const round = run.rounds.findLast(({scores}) => Object.keys(scores).length);
  if (!round) return [];
  return KINDS.map((kind) => {
    const sets = Object.keys(round.scores).filter((set) => setKind(round, set) === kind);
    return sets.find((set) => set === `all ${kind} sets`) ?? sets[0];
  }).filter(Boolean);
}

/** The last round whose candidate was accepted, not taken back since, and evaluated on a set. */
const acceptedRound = (set) => run.rounds.findLast((round) =>
  round.accepted && !round.rollback && round.scores[set]?.candidate);

function tile(set) {
  const accepted = acceptedRound(set);
  const round = accepted ?? run.rounds.find(({scores}) => scores[set]?.untouched);
  const scores = round.scores[set], measure = measureOf(scores, view.measure);
  const current = accepted ? scores.candidate : scores.untouched;
  const change = accepted?.changes[set][measure];
  return el(".tile", {},
    el(".dim", {}, `${current.kind}: `, quoted("span", set), " ", longTag(scores)),
    el(".big", {}, el("small", {}, `${MEASURES[measure]} `), percent(rate(current[measure]), 1), el("small", {}, " %")),
    accepted ? el("p", {}, changePill(change), el("span.dim", {},
      ` untouched: ${percent(rate(scores.untouched[measure]), 1)}\u00a0% (${signed(100 * change.relative, 0)}\u00a0%)`))
      : el("p.dim", {}, "the untouched model; no candidate is accepted yet"),
    windowLine(round, set, measure));
}

/** The same error rate in 30 s windows, with the share of right timestamps before and now. */
function windowLine(round, set, measure) {
  const scores = round.full_window[set];
  if (!scores) return null;
  const current = round.accepted ? scores.candidate : scores.untouched;
  const part = current.utterances < anyScore(round.scores[set]).utterances;
  const shares = [scores.untouched, ...(round.accepted ? [scores.candidate] : [])].map(timestampShare).filter(Boolean);
  return el(".windows", {},
    el("p", {}, el("span.dim", {}, `${STANDARD}: `), el("b", {}, `${percent(rate(current[measure]), 1)}\u00a0%`), " ",
      round.accepted ? changePill(round.full_window_changes[set][measure]) : null,
      part ? el("span.dim", {}, ` of ${plural(current.utterances, "utterance")}`) : null),
    shares.length ? el("p.dim", {}, `right timestamps: ${shares.join(" → ")}`) : null);
}

function headline() {
  const outcomes = countOutcomes(run.rounds.map(({outcome}) => outcome)).map(([outcome, count]) => `${count} ${outcome}`);
  return el("header.top", {},
    el("div", {}, run.home ? el("a.quiet", {href: run.home}, "← all runs") : null, quoted("h1", run.run),
      el("p", {}, "Champion: ", el("code", {}, run.champion),
        ` · ${plural(run.rounds.length, "round")}${outcomes.length ? `: ${outcomes.join(", ")}` : ""}`,
        el("span.dim", {}, ` · ${run.home ? "read" : "written"} ${run.written}`), compareLink())),
    themeButton());
}

/** Link to the comparison of the last two rounds; only a server can compare. */
function compareLink() {
  if (!run.name || run.rounds.length < 2) return null;
  const [first, second] = run.rounds.slice(-2).map(({folder}) => `${run.name}/${folder}`);
  return [" · ", el("a", {href: `/compare?${new URLSearchParams({first, second})}`}, "compare rounds")];
}

function progressLine() {
  const progress = run.current_stage;
  const line = el(".live", {id: "live", role: "status", hidden: !progress});
  if (!progress) return line;
  const {round, stage, set_name: set, done, total, unit, loss, idle_seconds: idle} = progress;
  const count = total ? `${grouped(done)} of ${grouped(total)} ${unit}` : done ? `${grouped(done)} ${unit}` : "";
  line.append(el("strong", {}, `Round ${round}: ${stage}${set ? ` (${set})` : ""}`),
    ` ${count}${loss === undefined ? "" : `, loss ${loss.toFixed(3)}`}`,
    total ? el("progress", {max: total, value: Math.min(done, total), "aria-label": "progress"}) : "",
    idle > IDLE_SECONDS ? el("span.dim", {}, ` nothing written for ${duration(idle)}`) : "");
  return line;
}

function toolbar() {
  const set = (name) => (chosen) => {
    view[name] = chosen;
    saveView();
    draw(name);
  };
  // Numbers as keys of an object would be sorted; the space keeps the newest round first.
  const rounds = run.rounds.map(({number, outcome}) => [` ${number}`, `${number} ${outcome}`]).reverse();
  return el("nav.toolbar", {"aria-label": "choices"},
    choice("measure", "measure", MEASURE_CHOICES, view.measure, set("measure")),
    picker("sets", {all: "all", ...Object.fromEntries(KINDS.map((kind) => [kind, kind]))}, view.kind, set("kind")),
    picker("round", Object.fromEntries(rounds), ` ${view.round}`, (number) => set("round")(Number(number))),
    searchField("search sets and texts", view.query, (query) => {
      view.query = query;
      saveView();
      // Not the whole page, so that the field keeps its cursor.
      drawRound();
    }));
}

function historySection() {
  const sets = headlineSets();
  const rows = [...run.rounds].reverse().map((round) => historyRow(round, sets));
  const scoresOf = (set) => run.rounds.find(({scores}) => scores[set]).scores[set];
  const heads = ["round", "verdict",
    ...sets.map((set) => `${set}: ${measureName([scoresOf(set)], view.measure)} % of the candidate, against the champion`),
    "mixture", "time", "changes"];
  return el("section", {}, el("h2", {}, "Rounds"),
    run.rounds.some(hasWindows) ? el("p.dim", {}, `First line: ${OWN_CONTEXT}. Second line: ${STANDARD}.`) : null,
    table(heads, rows, {numbers: heads.map((_, column) => column).slice(2), label: "rounds"}));
}

function historyRow(round, sets) {
  const {number, outcome, mixture, stages, details} = round;
  const show = () => {
    view.round = number;
    saveView();
    draw("round");
    document.getElementById("round").scrollIntoView();
  };
  const isChosen = number === view.round;
  return el("tr", {class: isChosen ? "chosen" : ""},
    el("td", {}, el("button.link", {type: "button", "aria-current": isChosen ? "true" : null, onclick: show}, `round ${number}`)),
    el("td", {}, badge(outcome)),
    sets.map((set) => el("td.n", {}, candidateLine(round, set), candidateLine(inWindows(round), set))),
    el("td.n", {}, duration(sum(Object.values(mixture).map((tally) => tally.duration)))),
    el("td.n", {}, duration(sum(Object.values(stages)))),
    el("td.n", {}, details.changes.length || ""));
}

/** Error rate of the candidate on a set, with its change from the champion. */
function candidateLine({scores, steps}, set) {
  if (!scores[set]?.candidate) return null;
  const measure = measureOf(scores[set], view.measure);
  return el("div", {}, percent(rate(scores[set].candidate[measure])), " ", changePill(steps[set][measure], 1));
}

function filterSeconds({funnels: {filtered_labels: funnel}}) {
  if (!funnel) return {};
  const rejected = Object.entries(funnel.rejected).map(([filter, tally]) => [`rejected: ${filter}`, tally.duration]);
  return {"filtered labels: kept": funnel.kept.duration, ...Object.fromEntries(rejected)};
}

function originSeconds({mixture}) {
  return Object.fromEntries(Object.entries(mixture).map(([origin, tally]) => [origin, tally.duration]));
}

function languageSeconds({languages}) {
  return Object.fromEntries(Object.entries(languages).flatMap(([origin, tallies]) =>
    Object.entries(tallies).map(([lang, tally]) => [`${origin} ${lang}`, tally.duration])));
}

/** Seconds of each stage; the stages of all voices are one bar, as there may be dozens. */
function stageSeconds({stages}) {
  const seconds = {};
  for (const [folder, time] of Object.entries(stages)) {
    const stage = folder.split("/")[0];
    seconds[stage] = (seconds[stage] ?? 0) + time;
  }
  return seconds;
}

function voiceSeries(rounds) {
  const series = {};
  for (const name of new Set(rounds.flatMap(({voices}) => voices.map((voice) => voice.name)))) {
    const voiceOf = (round) => round.voices.find((voice) => voice.name === name);
    const cer = (count) => count ? 100 * rate(count) : null;
    series[`${name}: trial`] = (round) => cer(voiceOf(round)?.trial?.characters);
    series[`${name}: all synthesized`] = (round) => cer(voiceOf(round)?.character_errors);
  }
  return series;
}

/** Share of right timestamps by round: of the untouched model in round 0, then of candidates. */
function timestampFigure(rounds) {
  const share = (score) => score?.timestamps.total ? 100 * score.timestamps.count / score.timestamps.total : null;
  const judged = ({full_window: sets}) => Object.values(sets).some((scores) => timestampShare(anyScore(scores)));
  const first = rounds.find(judged);
  if (!first) return null;
  const start = {number: 0, full_window: Object.fromEntries(Object.entries(first.full_window)
    .map(([set, {untouched}]) => [set, {candidate: untouched}]))};
  const series = headlineSets().map((set) => [set, ({full_window: scores}) => share(scores[set]?.candidate)]);
  return lineFigure("Right timestamps by round (0: untouched)", [start, ...rounds],
    Object.fromEntries(series), "utterances, %");
}

function overviewSection() {
  const {rounds} = run;
  const languages = new Set(rounds.flatMap((round) => Object.values(round.languages).flatMap(Object.keys)));
  const voices = voiceSeries(rounds);
  return el("section.plots", {},
    stackedFigure("Filtered labels", rounds, filterSeconds),
    stackedFigure("Mixture", rounds, languages.size > 1 ? languageSeconds : originSeconds),
    timestampFigure(rounds),
    Object.keys(voices).length
      ? lineFigure("Voices: CER of the champion's transcripts", rounds, voices, "CER %") : null,
    stackedFigure("Time", rounds, stageSeconds));
}

/** Draw the chosen round anew. */
function drawRound() {
  const round = run.rounds.find(({number}) => number === view.round);
  const place = el("div", {id: "round"});
  if (round) {
    place.append(el("h2", {}, `Round ${round.number} `, badge(round.outcome)),
      ...roundSections(round, view).filter(Boolean));
  }
  document.getElementById("round")?.replaceWith(place);
  drawFigures();
}

/** Draw the whole page anew; `changed` is the choice that the keyboard was on. */
function draw(changed = null) {
  const content = document.getElementById("content");
  const open = [...content.querySelectorAll("details")].map((details) => details.open);
  const hasRounds = run.rounds.length > 0;
  content.replaceChildren(headline(), progressLine(),
    hasRounds ? toolbar() : el("p", {}, "No round has begun."),
    el(".tiles", {}, headlineSets().map(tile)),
    ...(hasRounds ? [errorSection(), historySection(), overviewSection(), el("div", {id: "round"})] : []));
  drawRound();
  // All elements are new: what was open and where the keyboard was has to be restored.
  [...content.querySelectorAll("details")].forEach((details, n) => { details.open = open[n] ?? false; });
  const controls = {measure: "input[name=measure]:checked", kind: ".toolbar label:nth-of-type(1) select",
    round: ".toolbar label:nth-of-type(2) select"};
  if (changed in controls) content.querySelector(controls[changed])?.focus();
}

function errorSection() {
  const inKind = (set) => view.kind === "all"
    || run.rounds.some((round) => round.scores[set] && setKind(round, set) === view.kind);
  const sets = setNames(run.rounds).filter(inKind);
  const shown = headlineSets().filter((set) => sets.includes(set));
  const figureIn = (rounds, decoding) => errorFigure(rounds, [...new Set([...shown, ...sets])], view.measure,
    shown.length ? shown : sets.slice(0, 1), decoding);
  const both = run.rounds.some(hasWindows);
  return el("section", {},
    el(".plots", {}, figureIn(run.rounds, OWN_CONTEXT), both ? figureIn(run.rounds.map(inWindows), STANDARD) : null),
    el("p.dim", {}, ERROR_FIGURE_NOTE), both ? el("p.dim", {}, `${DECODINGS_EXPLAINED} ${TIMESTAMPS_EXPLAINED}`) : null);
}

/** Take over the data of a run; the last fields are only there on a server. */
function adopt(data) {
  run = data;
  view.clips = new Set(run.clips);
  view.manifests = run.manifests;
  view.name = run.name;
  view.fetchUtterances = run.utterances ? fetchUtterances : null;
  if (run.clip_source) view.clipSource = (id) => run.clip_source + encodeURIComponent(`${id}.flac`);
}

/** Load the utterances of an older round from the server when they are looked at. */
async function fetchUtterances(round) {
  const answer = await fetch(`${run.utterances}?${new URLSearchParams({round: round.folder})}`);
  Object.assign(round, answer.ok ? await answer.json() : {worst: {}, improved: {}, worsened: {}});
  if (round.number === view.round) drawRound();
}

view.setSort = (sort) => {
  view.sort = sort;
  saveView();
  drawRound();
  document.querySelector("#round input[type=radio]:checked")?.focus();
};
view.setPrice = (price) => {
  view.price = price;
  localStorage.setItem("price", price);
  drawRound();
};

/** On a server: show the progress, and the new data when a stage is finished. */
function watch(progressSource, source) {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(progressSource);
    if (!answer.ok) return;
    const {stamp, current_stage: stage} = await answer.json();
    run.current_stage = stage;
    document.getElementById("live").replaceWith(progressLine());
    // Drawing anew would stop a recording that is being played.
    const playing = [...document.querySelectorAll("audio")].some((audio) => !audio.paused);
    if (stamp !== run.stamp && !playing) {
      adopt(await (await fetch(source)).json());
      draw();
    }
  }, PROGRESS_MILLISECONDS);
}

async function start() {
  const {source, now} = document.body.dataset;
  adopt(source ? await (await fetch(source)).json() : JSON.parse(await unpack("data")));
  loadView();
  // The tables first: unpacking and starting Plotly takes longer than all the rest.
  draw();
  await loadPlotly();
  draw();
  document.body.dataset.ready = "yes";
  if (now) watch(now, source);
}

addEventListener("hashchange", () => { loadView(); draw(); });
start();
