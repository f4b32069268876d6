// What every page here is built of: elements, numbers, and the data that a page carries.
"use strict";

const MEASURES = {words: "WER", characters: "CER", mixed: "MER"};
const MEASURE_HELP = {
  words: "word error rate",
  characters: "character error rate, spaces left out",
  mixed: "mixed error rate: Han characters and kana singly, all else by word",
};
const KINDS = ["test", "development", "retention"];
const WHO = ["untouched", "champion", "candidate"];
const OUTCOMES = {
  accepted: "✓", refused: "✗", undecided: "?", waiting: "⏳", "in progress": "…",
};

/** An element. Text only ever becomes a text node, so nothing of a run is read as markup. */
function el(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name || "div");
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(made.style, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined));
  return made;
}

const rate = (count) => {
  const length = count.hits + count.substitutions + count.deletions;
  const errors = count.substitutions + count.deletions + count.insertions;
  return length ? errors / length : Number(errors > 0);
};
const length = (count) => count.hits + count.substitutions + count.deletions;
const percent = (share, digits = 2) => (100 * share).toFixed(digits);
const signed = (number, digits = 2) => {
  const text = Math.abs(number).toFixed(digits);
  if (Number(text) === 0) return text;
  return (number < 0 ? "−" : "+") + text;
};
const points = (share, digits = 2) => signed(100 * share, digits);
const plural = (count, noun) =>
  `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

function duration(seconds) {
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(1)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

const rangeText = ({low, high}, digits = 1) => `${percent(low, digits)} – ${percent(high, digits)}`;

/** `waiting for approval` is a kind of waiting. */
const kindOf = (outcome) => outcome.startsWith("waiting") ? "waiting" : outcome;

function badge(outcome) {
  const kind = kindOf(outcome);
  return el("span", {class: `badge ${kind.replace(" ", "-")}`},
    el("span", {"aria-hidden": "true"}, OUTCOMES[kind] ?? "•"), ` ${outcome}`);
}

/** A change in points with its interval; nothing is called a gain that may be chance. */
function changePill(change, digits = 2) {
  const seen = change.low > 0 || change.high < 0;
  const kind = !seen ? "same" : change.rate < 0 ? "better" : "worse";
  const title = `95 % interval ${points(change.low)} to ${points(change.high)} points, ` +
    `paired bootstrap over ${change.resampling_unit}${seen ? "" : "; no difference seen"}`;
  return el(`span.pill.${kind}`, {title},
    points(change.rate, digits), el("small", {}, ` ${points(change.low, 1)} … ${points(change.high, 1)}`));
}

/** Texts of any script, each in its own direction. */
const quoted = (tag, text, attributes = {}) => el(tag, {dir: "auto", ...attributes}, text);

const unspaced = /(?<=[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]) (?=[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}])/gu;
const joined = (text) => text.replace(unspaced, "");

/** What was said and what was heard, side by side. */
function diff(chunks) {
  const line = el("span.diff", {dir: "auto"});
  for (const {reference, hypothesis} of chunks) {
    if (reference === hypothesis) line.append(joined(reference), " ");
    else {
      if (reference) line.append(el("del", {}, joined(reference)), " ");
      if (hypothesis) line.append(el("ins", {}, joined(hypothesis)), " ");
    }
  }
  if (!chunks.length) line.append(el("em", {}, "nothing said, nothing heard"));
  return line;
}

function table(heads, rows, options = {}) {
  const numbers = new Set(options.numbers ?? []);
  const cell = (tag, content, place) =>
    el(tag + (numbers.has(place) ? ".n" : ""), tag === "th" ? {scope: "col"} : {}, content);
  return el(".scroll", {tabindex: "0", role: "region", "aria-label": options.label ?? "table"},
    el("table", {},
      el("thead", {}, el("tr", {}, heads.map((head, place) => cell("th", head, place)))),
      el("tbody", {}, rows.map((row) => row instanceof Node ? row
        : el("tr", {}, row.map((content, place) => cell("td", content, place)))))));
}

/** Radio buttons that look like one switch: arrow keys move, as they do in every browser. */
function choice(name, label, options, chosen, change) {
  return el("fieldset.choice", {}, el("legend", {}, label),
    Object.entries(options).map(([value, text]) => el("label", {},
      el("input", {type: "radio", name, value, checked: value === chosen,
        onchange: () => change(value)}), el("span", {}, text))));
}

function picker(label, options, chosen, change) {
  const select = el("select", {onchange: (event) => change(event.target.value)},
    Object.entries(options).map(([value, text]) =>
      el("option", {value, selected: value === chosen}, text)));
  return el("label.picker", {}, el("span", {}, label), select);
}

async function unpacked(id) {
  const text = document.getElementById(id).textContent.trim();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** The library for plots: carried by the page, or given by the server; the tables do without. */
let plots = null;
async function plotting() {
  if (document.getElementById("library")) {
    document.head.append(el("script", {}, await unpacked("library")));
  }
  plots = typeof Plotly !== "undefined";
}

function theme() {
  const kept = localStorage.getItem("theme");
  if (kept) document.documentElement.dataset.theme = kept;
  const next = {light: "dark", dark: "light"};
  const now = () => document.documentElement.dataset.theme
    ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  return el("button.quiet", {type: "button", title: "light or dark", "aria-label": "light or dark",
    onclick: () => {
      document.documentElement.dataset.theme = next[now()];
      localStorage.setItem("theme", now());
      document.dispatchEvent(new Event("redraw"));
    }}, "◐");
}
