// A manifest, page by page. It may have a million lines, so only the lines that are shown are loaded.
"use strict";

const parameters = new URLSearchParams(location.search);
const run = parameters.get("run") ?? "";
const folder = parameters.get("folder") ?? "";
/** Number of the newest search; an answer to an older one comes too late and is ignored. */
let searches = 0;

function utteranceCard(utterance) {
  const {id, text, pred_text: transcript, rejected_by: filter, objection, error, audio} = utterance;
  const confidence = utterance.confidence === undefined ? null : `confidence ${utterance.confidence.toFixed(2)}`;
  const facts = [utterance.origin, utterance.lang, utterance.speaker, duration(utterance.duration),
    confidence, utterance.made_by].filter(Boolean);
  return el("article.utterance", {},
    el("header", {}, el("code", {}, id), el("span.dim", {}, ` ${facts.join(", ")}`)),
    text === undefined ? null : quoted("p", text),
    transcript !== undefined && transcript !== text
      ? el("p", {}, el("span.dim", {}, "transcript: "), quoted("span", transcript)) : null,
    filter || error ? quoted("p", `${filter ?? "error"}: ${objection ?? error}`, {class: "refused"}) : null,
    audio ? el("audio", {controls: true, preload: "none", src: audio, "aria-label": "play"}) : null);
}

/**
 * Append one more page of lines.
 *
 * The server reads only so many bytes at once. A search that reads far without a match ends early,
 * and the button continues from there.
 */
async function loadMore(begin, query, search) {
  const list = document.getElementById("lines"), foot = document.getElementById("foot");
  foot.replaceChildren(el("p.dim", {}, "loading …"));
  const request = new URLSearchParams({run, folder, begin, query});
  const answer = await fetch(`${document.body.dataset.source}?${request}`);
  if (search !== searches) return;
  if (!answer.ok) {
    foot.replaceChildren(el("p.refused", {}, await answer.text()));
    return;
  }
  const {lines, next_begin: next, size} = await answer.json();
  if (search !== searches) return;
  list.append(...lines.map(utteranceCard));
  const shown = plural(list.children.length, "line");
  foot.replaceChildren(next === undefined || next === null
    ? el("p.dim", {}, `${shown}; this is the end.`)
    : el("button.quiet", {type: "button", onclick: () => loadMore(next, query, search)},
      `more (${shown} so far, ${percent(next / size, 1)} % of the file read)`));
}

function search(query) {
  document.getElementById("lines").replaceChildren();
  const address = `?${new URLSearchParams({run, folder})}#${new URLSearchParams({query})}`;
  history.replaceState(null, "", address);
  return loadMore(0, query, ++searches);
}

async function start() {
  const query = new URLSearchParams(location.hash.slice(1)).get("query") ?? "";
  const label = "search in this manifest";
  const input = el("input", {type: "search", value: query, placeholder: label, "aria-label": label});
  const submit = (event) => {
    event.preventDefault();
    search(input.value.trim());
  };
  document.getElementById("content").replaceChildren(
    el("header.top", {},
      el("div", {}, el("a.quiet", {href: `/run/${encodeURI(run)}`}, "← ", run), quoted("h1", folder)),
      themeButton()),
    // Searched when submitted and not at each key: a search may read 16 MB.
    el("form.toolbar", {onsubmit: submit}, input, el("button.quiet", {type: "submit"}, "search")),
    el(".utterances", {id: "lines"}), el("footer", {id: "foot"}));
  await search(query);
  document.body.dataset.ready = "yes";
}
start();
