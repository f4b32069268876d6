// The page of one run: what it came to, every round side by side, and one of them from near.
"use strict";

const view = {
  measure: "words", kind: "all", query: "", sort: "worst", round: null, price: 0,
  clips: new Set(), clipSource: (id) => `clips/${encodeURIComponent(id)}.flac`,
};
let run = null;

/** What is chosen is in the address, so that a view can be kept and sent. */
function remember() {
  const {measure, kind, query, sort, round} = view;
  const chosen = new URLSearchParams({measure, kind, query, sort, round});
  history.replaceState(null, "", `#${chosen}`);
}

function recall() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.get("measure") in MEASURES) view.measure = asked.get("measure");
  if (["all", ...KINDS].includes(asked.get("kind"))) view.kind = asked.get("kind");
  if (asked.get("sort") in SORTS) view.sort = asked.get("sort");
  view.query = asked.get("query") ?? "";
  const number = Number(asked.get("round"));
  view.round = run.rounds.some((round) => round.number === number) ? number : (run.rounds.at(-1)?.number ?? null);
  view.price = Number(localStorage.getItem("price") ?? 0);
}

const lastOfKind = (kind, round) => {
  const sets = Object.keys(round.scores).filter((set) => setKind(round, set) === kind);
  return sets.find((set) => set === `all ${kind} sets`) ?? sets[0];
};

/** One set for every kind: all of a kind together, where there are several. */
function headSets() {
  const round = run.rounds.findLast((each) => Object.keys(each.scores).length);
  return round ? KINDS.map((kind) => lastOfKind(kind, round)).filter(Boolean) : [];
}

/** A set's score of the model that is in use now, and the round it comes from. */
function inUse(set) {
  const accepted = run.rounds.findLast((round) => round.accepted && round.scores[set]?.candidate);
  return accepted ? {round: accepted, score: accepted.scores[set].candidate} : null;
}

function tiles() {
  return el(".tiles", {}, headSets().map((set) => {
    const now = inUse(set);
    const first = run.rounds.find((round) => round.scores[set]?.untouched);
    const before = first.scores[set].untouched;
    const measure = view.measure;
    return el(".tile", {},
      el(".dim", {}, `${before.kind}: `, quoted("span", set)),
      el(".big", {}, percent(rate((now?.score ?? before)[measure]), 1), el("small", {}, ` % ${MEASURES[measure]}`)),
      now ? el("p", {}, changePill(now.round.changes[set][measure]), el("span.dim", {},
        ` from ${percent(rate(now.round.scores[set].untouched[measure]), 1)} untouched (${signed(100 * now.round.changes[set][measure].relative, 0)} %)`))
        : el("p.dim", {}, "the untouched model; no candidate is accepted yet"));
  }));
}

function headline() {
  const counts = {};
  for (const round of run.rounds) counts[round.outcome] = (counts[round.outcome] ?? 0) + 1;
  const said = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  const last = run.name && run.rounds.length > 1 ? run.rounds.slice(-2).map(({folder}) => `${run.name}/${folder}`) : null;
  return el("header.top", {},
    el("div", {}, run.home ? el("a.quiet", {href: run.home}, "← all runs") : null, quoted("h1", run.run),
      el("p", {}, "Champion: ", el("code", {}, run.champion), ` · ${plural(run.rounds.length, "round")}${said ? `: ${said}` : ""}`,
        el("span.dim", {}, ` · ${run.home ? "read" : "written"} ${run.written}`),
      last ? [" · ", el("a", {href: `/compare?${new URLSearchParams({first: last[0], second: last[1]})}`}, "compare rounds")] : null)),
    theme());
}

function live() {
  const now = run.underway;
  const place = el(".live", {id: "live", role: "status", hidden: !now});
  if (!now) return place;
  const how = now.total ? `${now.done.toLocaleString("en")} of ${now.total.toLocaleString("en")} ${now.unit}`
    : now.done ? `${now.done.toLocaleString("en")} ${now.unit}` : "";
  place.append(el("strong", {}, `Round ${now.round}: ${now.stage}${now.set_name ? ` (${now.set_name})` : ""}`),
    ` ${how}${now.loss === undefined ? "" : `, loss ${now.loss.toFixed(3)}`}`,
    now.total ? el("progress", {max: now.total, value: Math.min(now.done, now.total), "aria-label": "progress"}) : "",
    now.idle_seconds > 120 ? el("span.dim", {}, ` nothing written for ${duration(now.idle_seconds)}`) : "");
  return place;
}

function toolbar() {
  const search = el("input", {type: "search", value: view.query, placeholder: "search sets and texts", "aria-label": "search sets and texts",
    oninput: (event) => { view.query = event.target.value.trim().toLowerCase(); remember(); drawRound(); }});
  return el("nav.toolbar", {"aria-label": "what is shown"},
    choice("measure", "measure", MEASURES, view.measure, (measure) => { view.measure = measure; remember(); draw("measure"); }),
    picker("sets", {all: "all", ...Object.fromEntries(KINDS.map((kind) => [kind, kind]))}, view.kind,
      (kind) => { view.kind = kind; remember(); draw("kind"); }),
    picker("round", Object.fromEntries(run.rounds.map((round) => [round.number, `${round.number} ${round.outcome}`]).reverse()
      .map(([number, text]) => [` ${number}`, text])), ` ${view.round}`, (number) => choose(Number(number))),
    search);
}

function choose(number) {
  view.round = number;
  remember();
  draw("round");
}

function history_() {
  const sets = headSets();
  const rows = [...run.rounds].reverse().map((round) => el("tr", {class: round.number === view.round ? "chosen" : ""},
    el("td", {}, el("button.link", {type: "button", "aria-current": round.number === view.round ? "true" : null,
      onclick: () => { choose(round.number); document.getElementById("round").scrollIntoView(); }}, `round ${round.number}`)),
    el("td", {}, badge(round.outcome)),
    sets.map((set) => el("td.n", {}, round.scores[set]?.candidate
      ? [percent(rate(round.scores[set].candidate[view.measure])), " ", changePill(round.steps[set][view.measure], 1)] : "")),
    el("td.n", {}, duration(Object.values(round.mixture).reduce((sum, each) => sum + each.duration, 0))),
    el("td.n", {}, duration(Object.values(round.stages).reduce((sum, seconds) => sum + seconds, 0))),
    el("td.n", {}, round.details.changes.length || "")));
  return el("section", {}, el("h2", {}, "Rounds"),
    table(["round", "verdict", ...sets.map((set) => `${set}: ${MEASURES[view.measure]} %, against champion`), "mixture", "time", "changes"],
      rows, {numbers: [...sets.map((_, n) => n + 2), sets.length + 2, sets.length + 3, sets.length + 4], label: "rounds"}));
}

function overRounds() {
  const {rounds} = run;
  const seconds = (tallies) => Object.fromEntries(Object.entries(tallies).map(([name, tally]) => [name, tally.duration]));
  const funnel = (round) => {
    const parts = {};
    if (round.funnels.filtered_labels) {
      parts["filtered labels: kept"] = round.funnels.filtered_labels.kept.duration;
      for (const [why, tally] of Object.entries(round.funnels.filtered_labels.rejected)) parts[`rejected: ${why}`] = tally.duration;
    }
    return parts;
  };
  const languages = (round) => {
    const parts = {};
    for (const [origin, langs] of Object.entries(round.languages)) {
      for (const [lang, tally] of Object.entries(langs)) parts[`${origin} ${lang}`] = tally.duration;
    }
    return parts;
  };
  const names = [...new Set(rounds.flatMap((round) => round.voices.map((voice) => voice.name)))];
  const series = {};
  for (const name of names) {
    const of = (round) => round.voices.find((voice) => voice.name === name);
    series[`${name}: CER of the trial`] = (round) => of(round)?.trial ? 100 * rate(of(round).trial.characters) : null;
    series[`${name}: CER of all spoken`] = (round) => of(round)?.character_errors ? 100 * rate(of(round).character_errors) : null;
  }
  const stages = (round) => {
    const parts = {};
    for (const [stage, seconds] of Object.entries(round.stages)) {
      const name = stage.startsWith("voices/") ? "voices" : stage;
      parts[name] = (parts[name] ?? 0) + seconds;
    }
    return parts;
  };
  const several = new Set(rounds.flatMap((round) => Object.values(round.languages).flatMap(Object.keys))).size > 1;
  return el("section.plots", {},
    stacked("What the filters kept of the pool", rounds, funnel),
    stacked("Mixture", rounds, several ? languages : (round) => seconds(round.mixture)),
    names.length ? lines("Voices, as the champion hears them", rounds, series, "CER %") : null,
    stacked("Time", rounds, stages));
}

function drawRound() {
  const round = run.rounds.find((each) => each.number === view.round);
  const place = el("div", {id: "round"});
  if (round) {
    place.append(el("h2", {}, `Round ${round.number} `, badge(round.outcome)),
      ...roundSections(round, view).filter(Boolean));
  }
  document.getElementById("round")?.replaceWith(place);
  drawAll();
  return place;
}

/** Draws all anew; the keyboard stays where it was. */
function draw(focused = null) {
  const content = document.getElementById("content");
  const open = [...content.querySelectorAll("details")].map((each) => each.open);
  const sets = setNames(run.rounds)
    .filter((set) => view.kind === "all" || run.rounds.some((round) => round.scores[set] && setKind(round, set) === view.kind));
  const chosen = headSets().filter((set) => sets.includes(set));
  content.replaceChildren(headline(), live(),
    run.rounds.length ? toolbar() : el("p", {}, "No round has begun."),
    tiles(),
    ...(run.rounds.length ? [
      el("section", {}, errorFigure(run.rounds, [...new Set([...chosen, ...sets])], view.measure,
        chosen.length ? chosen : sets.slice(0, 1))),
      history_(), overRounds(), el("div", {id: "round"})] : []));
  drawRound();
  [...content.querySelectorAll("details")].forEach((each, place) => { each.open = open[place] ?? false; });
  if (focused === "measure") content.querySelector("input[name=measure]:checked")?.focus();
  if (focused === "kind") content.querySelectorAll(".toolbar select")[0]?.focus();
  if (focused === "round") content.querySelectorAll(".toolbar select")[1]?.focus();
}

function adopt(found) {
  run = found;
  view.clips = new Set(run.clips);
  view.manifests = run.manifests;
  view.name = run.name;
  view.fetchUtterances = run.utterances ? fetchUtterances : null;
  if (run.clip_source) view.clipSource = (id) => run.clip_source + encodeURIComponent(`${id}.flac`);
}

view.setSort = (sort) => {
  view.sort = sort;
  remember();
  drawRound();
  document.querySelector("#round input[type=radio]:checked")?.focus();
};
/** On a server, utterances of older rounds come when they are looked at. */
async function fetchUtterances(round) {
  const answer = await fetch(`${run.utterances}?${new URLSearchParams({round: round.folder})}`);
  Object.assign(round, answer.ok ? await answer.json() : {worst: {}, improved: {}, worsened: {}});
  if (round.number === view.round) drawRound();
}
view.setPrice = (price) => { view.price = price; localStorage.setItem("price", price); drawRound(); };

async function start() {
  const source = document.body.dataset.source;
  adopt(source ? await (await fetch(source)).json() : JSON.parse(await unpacked("data")));
  recall();
  await Promise.resolve();
  draw();
  await plotting();
  draw();
  document.body.dataset.ready = "yes";
  if (document.body.dataset.now) watch(document.body.dataset.now, source);
}

/** On a server: how far the running stage is, and the page anew when a stage is finished. */
function watch(now, source) {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(now);
    if (!answer.ok) return;
    const found = await answer.json();
    run.underway = found.underway;
    document.getElementById("live").replaceWith(live());
    if (found.stamp !== run.stamp && !document.querySelector("audio:not([paused])")?.currentTime) {
      adopt(await (await fetch(source)).json());
      draw();
    }
  }, 3000);
}

addEventListener("hashchange", () => { recall(); draw(); });
start();
