// Plots, drawn by Plotly. Each has a table with the same numbers elsewhere on the page.
"use strict";

// The palette of Okabe and Ito, then Tol's: both can be told apart with color vision deficiency.
const SERIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a", "#b8a900",
  "#882255", "#44aa99", "#6699cc", "#997700", "#aa4466", "#117733", "#ee8866", "#77aadd"];
const SYMBOLS = {accepted: "circle", refused: "x-thin", undecided: "diamond-open", "in progress": "circle-open",
  waiting: "square-open", "rolled back": "circle-open-dot"};
/** With more rounds than this, labels of single rounds would overlap. */
const MAX_LABELED_ROUNDS = 12;
const MIN_WIDTH_FOR_NOTES = 700;
const drawn = [];

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(more = {}) {
  const axis = {gridcolor: color("--line"), zerolinecolor: color("--line"), linecolor: color("--line"),
    automargin: true, fixedrange: false};
  return {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", colorway: SERIES,
    font: {color: color("--text"), family: "system-ui, sans-serif", size: 13},
    // Without dragmode a finger that scrolls the page does not zoom the plot.
    margin: {l: 48, r: 12, t: 8, b: 40}, hovermode: "x unified", dragmode: false,
    hoverlabel: {bgcolor: color("--card"), bordercolor: color("--line"), font: {color: color("--text")}},
    legend: {orientation: "h", y: 1.02, yanchor: "bottom", x: 0, traceorder: "normal"}, showlegend: true,
    barmode: "stack", bargap: 0.3,
    ...more,
    xaxis: {...axis, ...more.xaxis}, yaxis: {...axis, rangemode: "tozero", ...more.yaxis},
  };
}

/** A figure. It is drawn when it is in the page, and again when colors or width change. */
function figure(title, makePlot, options = {}) {
  const place = el(".plot", {role: "img", "aria-label": `${title}; a table on this page has the same numbers`,
    style: {height: `${options.height ?? 300}px`}});
  const note = options.note ? el("p.dim", {}, options.note) : null;
  const element = el("figure", {class: options.wide ? "wide" : null}, el("figcaption", {}, title), note, place);
  if (plots === null) return element;  // Plotly is still loading; the page is drawn again then
  if (!plots) {
    place.replaceWith(el("p.dim", {}, "No plots: this page was written without plotly " +
      "(pip install 'twister-loop[dashboard]'). The tables have the same numbers."));
    return element;
  }
  const draw = () => {
    const {traces, ...more} = makePlot();
    Plotly.react(place, traces, layout(more), {responsive: true, displaylogo: false,
      displayModeBar: false, doubleClick: "reset"});
  };
  drawn.push({place, draw});
  return element;
}

/** Draw all figures of the page, and forget those that were removed from it. */
function drawFigures() {
  for (let n = drawn.length - 1; n >= 0; n--) if (!drawn[n].place.isConnected) drawn.splice(n, 1);
  for (const {draw} of drawn) draw();
}
document.addEventListener("redraw", drawFigures);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawFigures);

const numbersOf = (rounds) => rounds.map(({number}) => number);

const roundAxis = (rounds) => {
  const few = rounds.length <= MAX_LABELED_ROUNDS;
  return {title: {text: "round", standoff: 6}, tickmode: few ? "linear" : "auto", dtick: few ? 1 : undefined,
    tickformat: "d"};
};

/** The candidates' error rates on a set with their intervals; round 0 is the untouched model. */
function candidateTrace(rounds, set, measure, visible, shade) {
  const first = rounds.find((round) => round.scores[set]?.untouched);
  const shown = [
    {number: 0, score: first.scores[set].untouched, interval: first.intervals[set].untouched, outcome: "untouched"},
    ...rounds.filter((round) => round.scores[set]?.candidate).map((round) => ({
      number: round.number, score: round.scores[set].candidate, interval: round.intervals[set].candidate,
      outcome: round.outcome}))];
  const y = shown.map(({score}) => 100 * rate(score[measure]));
  return {
    name: `${set}: candidate`, legendgroup: set, showlegend: false, visible, mode: "lines+markers",
    x: numbersOf(shown), y,
    line: {color: shade, width: 1.5, dash: "dot"},
    marker: {color: shade, size: 9, line: {width: 1.5, color: shade},
      symbol: shown.map(({outcome}) => SYMBOLS[kindOf(outcome)] ?? "star")},
    error_y: {type: "data", symmetric: false, color: shade, thickness: 1, width: 3,
      array: shown.map(({interval}, n) => 100 * interval[measure].high - y[n]),
      arrayminus: shown.map(({interval}, n) => y[n] - 100 * interval[measure].low)},
    text: shown.map(({outcome, interval}) => `${outcome}, 95 % ${rangeText(interval[measure])}`),
    hovertemplate: "%{y:.2f} %{text}",
  };
}

/** The error rate of the model in use after each round: a step wherever a candidate was accepted. */
function championTrace(rounds, set, name, measure, visible, shade, untouched) {
  const inUse = [[0, untouched]];
  for (const round of rounds) {
    const scores = round.scores[set];
    const score = round.accepted ? scores?.candidate : scores?.champion;
    if (score) inUse.push([round.number, 100 * rate(score[measure])]);
  }
  return {name, legendgroup: set, visible, mode: "lines",
    x: inUse.map(([number]) => number), y: inUse.map(([, percentage]) => percentage), hoverinfo: "skip",
    line: {color: shade, width: 3, shape: "hv"}};
}

const ERROR_FIGURE_NOTE = "Thick line: the champion. Markers: the candidate, ● accepted, ✕ refused, ◇ undecided; " +
  "★ the untouched model. Bars: 95 % intervals. Dotted vertical lines: the plan changed. " +
  "Select a name to show or hide a set.";

/** Error rates of some sets by round, with intervals, the champion, and changes of the plan. */
function errorFigure(rounds, sets, chosenMeasure, shown, decoding) {
  const untouchedOf = (set) => rounds.find((round) => round.scores[set]?.untouched)?.scores[set];
  const evaluated = sets.filter(untouchedOf);
  const name = measureName(evaluated.map(untouchedOf), chosenMeasure);
  const makePlot = () => {
    const traces = evaluated.flatMap((set) => {
      // By its place among all sets, so that a set has the same color in both decodings.
      const shade = SERIES[sets.indexOf(set) % SERIES.length];
      const visible = shown.includes(set) ? true : "legendonly";
      const measure = measureOf(untouchedOf(set), chosenMeasure);
      const label = name === MEASURES[measure] ? set : `${set} (${MEASURES[measure]})`;
      const candidate = candidateTrace(rounds, set, measure, visible, shade);
      return [candidate, championTrace(rounds, set, label, measure, visible, shade, candidate.y[0])];
    });
    const changed = rounds.filter((round) => round.details.changes.some(({field}) => field.startsWith("plan.")));
    const labeled = changed.length <= MAX_LABELED_ROUNDS && innerWidth > MIN_WIDTH_FOR_NOTES;
    return {traces,
      xaxis: {...roundAxis(rounds), range: [-0.4, Math.max(1, ...numbersOf(rounds)) + 0.4]},
      yaxis: {title: {text: `${name}, %`}, rangemode: "normal"},
      shapes: changed.map(({number}) => ({type: "line", x0: number - 0.5, x1: number - 0.5, yref: "paper",
        y0: 0, y1: 1, line: {color: color("--dim"), width: 1, dash: "dot"}})),
      annotations: labeled ? changed.map(({number}) => ({x: number - 0.5, y: 1, yref: "paper", text: "plan changed",
        textangle: -90, xanchor: "right", yanchor: "top", showarrow: false,
        font: {size: 11, color: color("--dim")}})) : [],
    };
  };
  return figure(`${capitalized(name)} by round: ${decoding}`, makePlot, {height: 400, wide: true});
}

/** Stacked bars of seconds by round, in the unit that fits the highest bar. */
function stackedFigure(title, rounds, secondsOf, options = {}) {
  const bars = rounds.map(secondsOf);
  const names = [...new Set(bars.flatMap(Object.keys))];
  const highest = Math.max(...bars.map((seconds) => sum(Object.values(seconds))), 0);
  const [unit, size] = highest < 120 ? ["seconds", 1] : highest < 7200 ? ["minutes", 60] : ["hours", 3600];
  return figure(title, () => ({
    traces: names.map((name) => ({type: "bar", name, x: numbersOf(rounds),
      y: bars.map((seconds) => (seconds[name] ?? 0) / size), hovertemplate: `%{y:.3~g} ${unit}`})),
    xaxis: roundAxis(rounds), yaxis: {title: {text: unit}},
  }), options);
}

function lineFigure(title, rounds, series, axis, options = {}) {
  return figure(title, () => ({
    traces: Object.entries(series).map(([name, pointOf]) => ({name, mode: "lines+markers",
      x: numbersOf(rounds), y: rounds.map(pointOf), connectgaps: false, hovertemplate: "%{y:.2f}"})),
    xaxis: roundAxis(rounds), yaxis: {title: {text: axis}}, ...options.layout,
  }), options);
}

function lossFigure(curves) {
  return figure("Training loss", () => ({
    traces: curves.map(({name, step, loss}) => ({name, mode: "lines", x: step, y: loss, hovertemplate: "%{y:.3f}"})),
    xaxis: {title: {text: "step"}}, yaxis: {title: {text: "loss (Whisper: nats per token)"}},
  }));
}

/** Error rate on the set that early stopping watches; ★ is the checkpoint that was kept. */
function earlyStoppingFigure({set_name: set, training, step, error_rate: rates}) {
  // The first of several equal ones, like the training itself chooses.
  const best = rates.indexOf(Math.min(...rates));
  // Of several trainings, whose weights are averaged, one is shown.
  const which = training === "candidate" ? "" : ` of ${training}`;
  return figure(`Early stopping${which}: error rate on ${set}`, () => ({
    traces: [
      {name: set, mode: "lines+markers", x: step, y: rates.map((share) => 100 * share), hovertemplate: "%{y:.2f} %"},
      {name: "kept checkpoint", mode: "markers", x: [step[best]], y: [100 * rates[best]],
        marker: {symbol: "star", size: 14}, hovertemplate: "%{y:.2f} %"}],
    xaxis: {title: {text: "step"}}, yaxis: {title: {text: "error rate, %"}},
  }));
}
