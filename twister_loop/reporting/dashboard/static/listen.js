// What was said and heard: utterances as a diff, with their sound where there is a copy of it.
"use strict";

const SORTS = {worst: "worst", improved: "most improved", worsened: "most worsened", samples: "trained on"};

/** A player for the clip of an utterance; nothing is fetched before it is asked for. */
function player(round, id, view) {
  if (!view.clips.has(id)) return el("span.dim.nosound", {}, "no copy of the sound");
  const audio = el("audio", {controls: true, preload: "none", src: view.clipSource(id), "aria-label": "listen"});
  audio.addEventListener("error", () => audio.replaceWith(el("span.dim.nosound", {}, "the sound is no longer there")));
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  });
  return audio;
}

function utterances(round, view) {
  const {sort, kind, query, setSort} = view;
  const shown = sort === "samples" ? samples(round, view) : heard(round, view);
  const missing = sort !== "samples" && round.worst === undefined;
  if (missing && view.fetchUtterances) view.fetchUtterances(round);
  return section("Heard and said",
    el(".row", {},
      choice(`sort-${round.number}`, "utterances", SORTS, sort, setSort)),
    missing && view.fetchUtterances ? el("p.dim", {}, "reading …")
      : missing ? el("p.dim", {}, "Utterances of older rounds are left out to keep this page light; ",
      el("code", {}, "twister dashboard"), " shows them.")
      : shown.length ? el(".utterances", {}, shown)
      : el("p.dim", {}, query || kind !== "all" ? "None fits what is chosen or searched for above." : "None."));
}

function heard(round, view) {
  const groups = Object.entries(round[view.sort] ?? {}).filter(([set]) => view.kind === "all" || setKind(round, set) === view.kind);
  const most = view.query ? 40 : Math.max(3, Math.ceil(12 / Math.max(groups.length, 1)));
  return groups.flatMap(([set, list]) => list.filter((one) => fits(view.query, set, one.text, one.pred_text)).slice(0, most)
    .map((one) => el("article.utterance", {},
      el("header", {}, quoted("strong", set), el("span.dim", {}, ` errors ${one.untouched} → `), el("b", {
        class: one.candidate < one.untouched ? "better" : one.candidate > one.untouched ? "worse" : ""}, one.candidate)),
      el("dl", {},
        el("dt", {}, view.labels?.[0] ?? "untouched"), el("dd", {}, diff(one.untouched_chunks)),
        el("dt", {}, view.labels?.[1] ?? "candidate"), el("dd", {}, diff(one.chunks))),
      player(round, one.id, view))));
}

function samples(round, view) {
  const {query} = view;
  const names = {pseudo: "pseudo-label kept", rejected: "rejected"};
  return round.details.samples.filter((one) => fits(query, one.kind, one.text, one.voice ?? "", one.objection ?? ""))
    .map((one) => el("article.utterance", {},
      el("header", {}, el("strong", {}, one.kind === "synthetic" ? `spoken by ${one.voice}` : names[one.kind] + (one.voice ? `, spoken by ${one.voice}` : "")),
        el("span.dim", {}, ` ${[one.lang, duration(one.duration),
          one.confidence === undefined ? "" : `confidence ${one.confidence.toFixed(2)}`].filter(Boolean).join(", ")}`)),
      one.alignment.length ? el("p", {}, diff(one.alignment)) : quoted("p", one.text),
      one.objection ? quoted("p", one.objection, {class: "refused"}) : null,
      player(round, one.id, view)));
}

const fits = (query, ...texts) => !query || texts.some((text) => text.toLowerCase().includes(query));
