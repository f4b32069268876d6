// A manifest, page by page: it may have a million lines, and never more are loaded than are shown.
"use strict";

const asked = new URLSearchParams(location.search);
const [run, folder] = [asked.get("run") ?? "", asked.get("folder") ?? ""];
let turn = 0;

function line(one) {
  const facts = [one.origin, one.lang, one.speaker, duration(one.duration),
    one.confidence === undefined ? null : `confidence ${one.confidence.toFixed(2)}`, one.made_by].filter(Boolean);
  return el("article.utterance", {}, el("header", {}, el("code", {}, one.id), el("span.dim", {}, ` ${facts.join(", ")}`)),
    one.text === undefined ? null : quoted("p", one.text),
    one.pred_text !== undefined && one.pred_text !== one.text ? el("p", {}, el("span.dim", {}, "heard: "), quoted("span", one.pred_text)) : null,
    one.rejected_by || one.error ? quoted("p", `${one.rejected_by ?? "error"}: ${one.objection ?? one.error}`, {class: "refused"}) : null,
    one.sound ? el("audio", {controls: true, preload: "none", src: one.sound, "aria-label": "listen"}) : null);
}

/** One page more; where a search reads far without a hit, the button goes on from there. */
async function more(begin, query, mine) {
  const found = document.getElementById("found"), foot = document.getElementById("foot");
  foot.replaceChildren(el("p.dim", {}, "reading …"));
  const answer = await fetch(`${document.body.dataset.source}?${new URLSearchParams({run, folder, begin, query})}`);
  if (mine !== turn) return;
  if (!answer.ok) return foot.replaceChildren(el("p.refused", {}, await answer.text()));
  const {lines, after, of} = await answer.json();
  if (mine !== turn) return;
  found.append(...lines.map(line));
  const shown = found.children.length;
  foot.replaceChildren(after === null ? el("p.dim", {}, `${plural(shown, "line")}; this is the end.`)
    : el("button.quiet", {type: "button", onclick: () => more(after, query, mine)},
      `more (${plural(shown, "line")} so far, ${percent(after / of, 1)} % of the file read)`));
}

function search(query) {
  document.getElementById("found").replaceChildren();
  history.replaceState(null, "", `?${new URLSearchParams({run, folder})}#${new URLSearchParams({query})}`);
  return more(0, query, ++turn);
}

async function start() {
  const query = new URLSearchParams(location.hash.slice(1)).get("query") ?? "";
  const input = el("input", {type: "search", value: query, placeholder: "search in this manifest", "aria-label": "search in this manifest"});
  document.getElementById("content").replaceChildren(
    el("header.top", {}, el("div", {}, el("a.quiet", {href: `/run/${encodeURI(run)}`}, "← ", run), quoted("h1", folder)), theme()),
    el("form.toolbar", {onsubmit: (event) => { event.preventDefault(); search(input.value.trim()); }}, input,
      el("button.quiet", {type: "submit"}, "search")),
    el(".utterances", {id: "found"}), el("footer", {id: "foot"}));
  await search(query);
  document.body.dataset.ready = "yes";
}
start();
