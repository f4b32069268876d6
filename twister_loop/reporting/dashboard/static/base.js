// The basis of every page: elements, numbers, tables, and the data that a page contains.
"use strict";

const MEASURES = {words: "WER", characters: "CER", mixed: "MER"};
/** What each of them counts in the references. */
const UNITS = {words: "word", characters: "character", mixed: "unit"};
/** Choices of a measure. Every set has one of its own, such as characters for Chinese. */
const MEASURE_CHOICES = {own: "set’s own", ...MEASURES};
const OWN_CONTEXT = "own context";
const STANDARD = "30 s windows with timestamps";
const DECODINGS_EXPLAINED = "Own context: each clip is decoded alone with a short margin, as in the loop. " +
  "30 s windows with timestamps: as other tools decode.";
const TIMESTAMPS_EXPLAINED = "Right timestamps: utterances whose first and last timestamp lie within 0.5 s of the speech.";
/** Whisper's window in seconds; sets of longer recordings are marked. */
const WINDOW_SECONDS = 30;
const KINDS = ["test", "development", "retention"];
const MODELS = ["untouched", "champion", "candidate"];
const OUTCOMES = {
  accepted: "✓", refused: "✗", undecided: "?", waiting: "⏳", "in progress": "…", "rolled back": "↩",
};

/**
 * Make an element: `el("td.n", {title: "..."}, child, ...)` is a td of class n.
 *
 * Strings become text nodes, never markup, so that nothing of a run can run as a script.
 */
function el(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(element.style, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Tokens of the reference: words, characters or mixed units. */
const length = (count) => count.hits + count.substitutions + count.deletions;

/** Error rate, 0.1 is 10 %; the same as `ErrorCount.rate` in Python. */
const rate = (count) => {
  const errors = count.substitutions + count.deletions + count.insertions;
  return length(count) ? errors / length(count) : Number(errors > 0);
};

/** Score of any model: all have the same utterances and the same measure. */
const anyScore = (scores) => Object.values(scores)[0];

/** Measure to show a set by, from its scores by model and the choice on the page. */
const measureOf = (scores, chosen) => chosen === "own" ? anyScore(scores).measure : chosen;

/** Name of the measure of several sets; `list` has their scores by model. */
function measureName(list, chosen) {
  const measures = new Set(list.map((scores) => measureOf(scores, chosen)));
  return measures.size === 1 ? MEASURES[[...measures][0]] : "error rate";
}

/** The same round or scoreboard with the scores of 30 s windows in the place of the others. */
const inWindows = (round) => ({...round, scores: round.full_window, intervals: round.full_window_intervals,
  changes: round.full_window_changes, steps: round.full_window_steps});

const hasWindows = (round) => Object.keys(round.full_window).length > 0;

/** Tag of a set of recordings over 30 s. Several sets together may also hold shorter ones. */
function longTag(scores) {
  const {name, kind, duration: seconds, utterances} = anyScore(scores);
  const isLong = name !== `all ${kind} sets` && seconds > WINDOW_SECONDS * utterances;
  return isLong ? el("span.tag", {}, "long recordings") : null;
}

/** Share of utterances with right timestamps; empty if none were judged. */
const timestampShare = (score) =>
  score?.timestamps.total ? `${percent(score.timestamps.count / score.timestamps.total, 1)}\u00a0%` : "";

const percent = (share, digits = 2) => (100 * share).toFixed(digits);

const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

const signed = (number, digits = 2) => {
  const text = Math.abs(number).toFixed(digits);
  // −0.00 would look like a gain.
  if (Number(text) === 0) return text;
  return (number < 0 ? "−" : "+") + text;
};

const points = (share, digits = 2) => signed(100 * share, digits);

// Always English, like the rest of the page, whatever the browser's language is.
const grouped = (number) => number.toLocaleString("en");

const plural = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function duration(seconds) {
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(1)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

const rangeText = ({low, high}, digits = 1) => `${percent(low, digits)} – ${percent(high, digits)}`;

/** Kind of an outcome, for color and sign: "waiting for approval" is "waiting". */
const kindOf = (outcome) => outcome.startsWith("waiting") ? "waiting" : outcome;

/** An outcome with its color and sign; `text` is another word for it. */
function badge(outcome, text = outcome) {
  const kind = kindOf(outcome);
  return el("span", {class: `badge ${kind.replace(" ", "-")}`},
    // Screen readers read the word; the sign is for people who see colors differently.
    el("span", {"aria-hidden": "true"}, OUTCOMES[kind] ?? "•"), ` ${text}`);
}

/** Number of rounds by outcome, in the order in which the outcomes first came. */
function countOutcomes(outcomes) {
  const counts = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return Object.entries(counts);
}

/** Change of an error rate in points with its interval; colored only if it is significant. */
function changePill(change, digits = 2) {
  const significant = change.low > 0 || change.high < 0;
  const kind = !significant ? "same" : change.rate < 0 ? "better" : "worse";
  const title = `95 % interval ${points(change.low)} to ${points(change.high)} points, ` +
    `paired bootstrap over ${change.resampling_unit}${significant ? "" : "; not significant"}`;
  return el(`span.pill.${kind}`, {title}, points(change.rate, digits),
    el("small", {}, ` ${points(change.low, 1)} … ${points(change.high, 1)}`));
}

/** Text of any language, in its own direction: Arabic and Hebrew run from right to left. */
const quoted = (tag, text, attributes = {}) => el(tag, {dir: "auto", ...attributes}, text);

// Alignment puts a space between all units, also between characters of scripts without spaces.
const UNSPACED = `[${["Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar"]
  .map((script) => `\\p{Script=${script}}`).join("")}]`;
const SPACE_IN_UNSPACED = new RegExp(`(?<=${UNSPACED}) (?=${UNSPACED})`, "gu");
const joinUnits = (text) => text.replace(SPACE_IN_UNSPACED, "");

/** Reference and hypothesis side by side: deleted is reference only, inserted hypothesis only. */
function diff(chunks) {
  const line = el("span.diff", {dir: "auto"});
  for (const {reference, hypothesis} of chunks) {
    if (reference === hypothesis) line.append(joinUnits(reference), " ");
    else {
      if (reference) line.append(el("del", {}, joinUnits(reference)), " ");
      if (hypothesis) line.append(el("ins", {}, joinUnits(hypothesis)), " ");
    }
  }
  if (!chunks.length) line.append(el("em", {}, "empty reference, empty hypothesis"));
  return line;
}

/**
 * A table that scrolls sideways on its own. `options.numbers` are the columns aligned right;
 * `options.groups` are titles above several columns, each with the number of its columns.
 */
function table(heads, rows, options = {}) {
  const numbers = new Set(options.numbers ?? []);
  const cell = (tag, content, column) =>
    el(tag + (numbers.has(column) ? ".n" : ""), tag === "th" ? {scope: "col"} : {}, content);
  // The tabindex lets the keyboard scroll it.
  return el(".scroll", {tabindex: "0", role: "region", "aria-label": options.label ?? "table"},
    el("table", {class: options.groups ? "grouped" : null},
      el("thead", {}, options.groups ? el("tr", {}, options.groups.map(([title, span]) =>
        el("th", {colspan: span, scope: "colgroup"}, title))) : null,
      el("tr", {}, heads.map((head, column) => cell("th", head, column)))),
      el("tbody", {}, rows.map((row) => row instanceof Node ? row
        : el("tr", {}, row.map((content, column) => cell("td", content, column)))))));
}

/** A colored bar; `parts` are class name and width in percent. */
const bar = (parts) => el(".bar", {"aria-hidden": "true"},
  parts.map(([name, width]) => el(`i.${name}`, {style: {width: `${width}%`}})));

/** Radio buttons that look like one switch; arrow keys move between them. */
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

function searchField(label, query, change) {
  return el("input", {type: "search", value: query, placeholder: label, "aria-label": label,
    oninput: (event) => change(event.target.value.trim().toLowerCase())});
}

/** Text of an element of the page that holds gzip in base64. */
async function unpack(id) {
  const text = document.getElementById(id).textContent.trim();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** Whether there is a plot library; null until it is loaded. */
let plots = null;

/** Load Plotly: from the page itself if it contains it; otherwise the server has sent it. */
async function loadPlotly() {
  if (document.getElementById("plotly")) {
    document.head.append(el("script", {}, await unpack("plotly")));
  }
  // Without the Python package plotly there is none; the tables show the same numbers.
  plots = typeof Plotly !== "undefined";
}

/** Button that switches between light and dark; at first the system decides. */
function themeButton() {
  const stored = localStorage.getItem("theme");
  if (stored) document.documentElement.dataset.theme = stored;
  const next = {light: "dark", dark: "light"};
  const current = () => document.documentElement.dataset.theme
    ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  return el("button.quiet", {type: "button", title: "light or dark", "aria-label": "light or dark",
    onclick: () => {
      document.documentElement.dataset.theme = next[current()];
      localStorage.setItem("theme", current());
      // Plots have their colors inside and must be drawn again.
      document.dispatchEvent(new Event("redraw"));
    }}, "◐");
}
