// Transcripts: held-out utterances and training samples as a diff, with audio if there is a clip.
"use strict";

const SORTS = {worst: "most errors", improved: "most improved", worsened: "most worsened", samples: "training data"};
/** Cards of all sets together, and of one set when searching. */
const MAX_CARDS = 12, MAX_MATCHES = 40;
const MIN_CARDS_PER_SET = 3;

/** An audio player for a clip. It loads nothing before it is played: a page may have 100 of them. */
function player(id, view) {
  if (!view.clips.has(id)) return el("span.dim.noaudio", {}, "no audio clip");
  const audio = el("audio", {controls: true, preload: "none", src: view.clipSource(id), "aria-label": "play"});
  // The page may have been copied without its folder of clips.
  audio.addEventListener("error", () => audio.replaceWith(el("span.dim.noaudio", {}, "audio clip not found")));
  audio.addEventListener("play", () => {
    for (const player of document.querySelectorAll("audio")) if (player !== audio) player.pause();
  });
  return audio;
}

function transcripts(round, view) {
  const {sort, kind, query, setSort, fetchUtterances} = view;
  const missing = sort !== "samples" && round.worst === undefined;
  if (missing && fetchUtterances) fetchUtterances(round);
  const cards = sort === "samples" ? sampleCards(round, view) : transcriptCards(round, view);
  const content = missing && fetchUtterances ? el("p.dim", {}, "loading …")
    : missing ? el("p.dim", {}, "Utterances of older rounds are left out to keep this file small; ",
      el("code", {}, "twister dashboard"), " shows them.")
    : cards.length ? el(".utterances", {}, cards)
    : el("p.dim", {}, query || kind !== "all" ? "No utterance matches the choice and the search above." : "None.");
  return section("Transcripts",
    el(".row", {}, choice(`sort-${round.number}`, "utterances", SORTS, sort, setSort)), content);
}

function transcriptCards(round, view) {
  const groups = Object.entries(round[view.sort] ?? {})
    .filter(([set]) => view.kind === "all" || setKind(round, set) === view.kind);
  const most = view.query ? MAX_MATCHES
    : Math.max(MIN_CARDS_PER_SET, Math.ceil(MAX_CARDS / Math.max(groups.length, 1)));
  return groups.flatMap(([set, utterances]) => utterances
    .filter(({text, pred_text: transcript}) => matches(view.query, set, text, transcript))
    .slice(0, most).map((utterance) => transcriptCard(set, utterance, view)));
}

function transcriptCard(set, {id, untouched, candidate, chunks, untouched_chunks: before}, view) {
  const kind = candidate < untouched ? "better" : candidate > untouched ? "worse" : "";
  const [first, second] = view.labels ?? ["untouched", "candidate"];
  return el("article.utterance", {},
    el("header", {}, quoted("strong", set), el("span.dim", {}, ` errors ${untouched} → `), el("b", {class: kind}, candidate)),
    el("dl", {}, el("dt", {}, first), el("dd", {}, diff(before)), el("dt", {}, second), el("dd", {}, diff(chunks))),
    player(id, view));
}

function sampleCards(round, view) {
  return round.details.samples
    .filter(({kind, text, voice, objection}) => matches(view.query, kind, text, voice ?? "", objection ?? ""))
    .map((sample) => sampleCard(sample, view));
}

function sampleCard({id, kind, voice, text, lang, alignment, objection, confidence, duration: seconds}, view) {
  const title = kind === "pseudo" ? "pseudo-label, kept" : kind === "synthetic" ? "synthetic, kept" : "rejected";
  const facts = [lang, duration(seconds), confidence === undefined ? "" : `confidence ${confidence.toFixed(2)}`];
  return el("article.utterance", {},
    el("header", {}, el("strong", {}, title + (voice ? `, voice ${voice}` : "")),
      el("span.dim", {}, ` ${facts.filter(Boolean).join(", ")}`)),
    alignment.length ? el("p", {}, diff(alignment)) : quoted("p", text),
    objection ? quoted("p", objection, {class: "refused"}) : null,
    player(id, view));
}

const matches = (query, ...texts) => !query || texts.some((text) => text.toLowerCase().includes(query));
