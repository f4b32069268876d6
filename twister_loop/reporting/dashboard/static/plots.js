// Plots: what is drawn and in which colors. Plotly draws; every plot has a table beside it.
"use strict";

// Okabe and Ito: told apart by people who see colors otherwise.
const SERIES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a", "#b8a900",
  "#882255", "#44aa99", "#6699cc", "#997700", "#aa4466", "#117733", "#ee8866", "#77aadd"];
const SYMBOLS = {accepted: "circle", refused: "x-thin", undecided: "diamond-open", "in progress": "circle-open",
  waiting: "square-open"};
const drawn = [];

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(more = {}) {
  const axis = {gridcolor: color("--line"), zerolinecolor: color("--line"), linecolor: color("--line"),
    automargin: true, fixedrange: false};
  return {
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", colorway: SERIES,
    font: {color: color("--text"), family: "system-ui, sans-serif", size: 13},
    margin: {l: 48, r: 12, t: 8, b: 40}, hovermode: "x unified", dragmode: false,
    hoverlabel: {bgcolor: color("--card"), bordercolor: color("--line"), font: {color: color("--text")}},
    legend: {orientation: "h", y: 1.02, yanchor: "bottom", x: 0, traceorder: "normal"}, showlegend: true, barmode: "stack", bargap: 0.3,
    ...more,
    xaxis: {...axis, ...more.xaxis}, yaxis: {...axis, rangemode: "tozero", ...more.yaxis},
  };
}

/** A figure that is drawn once it is in the page, and again when colors or width change. */
function figure(title, make, options = {}) {
  const place = el(".plot", {role: "img", "aria-label": `${title}; the figures are in a table on this page`,
    style: {height: `${options.height ?? 300}px`}});
  const note = options.note ? el("p.dim", {}, options.note) : null;
  const whole = el("figure", {class: options.wide ? "wide" : null}, el("figcaption", {}, title), note, place);
  if (plots === null) return whole;  // not there yet
  if (!plots) {
    place.replaceWith(el("p.dim", {}, "Plots need the extra `dashboard` where this page is written; " +
      "the tables hold the same figures."));
    return whole;
  }
  const draw = () => {
    const {traces, ...more} = make();
    Plotly.react(place, traces, layout(more), {responsive: true, displaylogo: false,
      displayModeBar: false, doubleClick: "reset"});
  };
  drawn.push({place, draw});
  return whole;
}

function drawAll() {
  for (let at = drawn.length - 1; at >= 0; at--) if (!drawn[at].place.isConnected) drawn.splice(at, 1);
  for (const {draw} of drawn) draw();
}
document.addEventListener("redraw", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

const roundAxis = (rounds) => ({title: {text: "round", standoff: 6}, tickmode: rounds.length > 12 ? "auto" : "linear",
  dtick: rounds.length > 12 ? undefined : 1, tickformat: "d"});

/** Error rates of some sets round by round, with intervals, the champion, and plan changes. */
function errorFigure(rounds, sets, measure, chosen) {
  return figure(`${MEASURES[measure]} per round`, () => {
    const traces = [];
    sets.forEach((set, place) => {
      const shade = SERIES[place % SERIES.length];
      const having = rounds.filter((round) => round.scores[set]?.candidate);
      const first = rounds.find((round) => round.scores[set]?.untouched);
      if (!first) return;
      const visible = chosen.includes(set) ? true : "legendonly";
      const shown = [[0, first.scores[set].untouched, first.intervals[set].untouched, "untouched", null],
        ...having.map((round) => [round.number, round.scores[set].candidate,
          round.intervals[set].candidate, outcomeOf(round), round])];
      const y = shown.map(([, score]) => 100 * rate(score[measure]));
      const around = shown.map(([, , interval]) => interval[measure]);
      traces.push({
        name: `${set}: candidate`, legendgroup: set, showlegend: false, visible, mode: "lines+markers", x: shown.map(([n]) => n), y,
        line: {color: shade, width: 1.5, dash: "dot"},
        marker: {color: shade, size: 9, line: {width: 1.5, color: shade},
          symbol: shown.map(([, , , outcome]) => SYMBOLS[kindOf(outcome)] ?? "star")},
        error_y: {type: "data", symmetric: false, color: shade, thickness: 1, width: 3,
          array: y.map((value, n) => 100 * around[n].high - value),
          arrayminus: y.map((value, n) => value - 100 * around[n].low)},
        text: shown.map(([, , interval, outcome]) => `${outcome}, 95 % ${rangeText(interval[measure])}`),
        hovertemplate: "%{y:.2f} %{text}",
      });
      const reign = [[0, y[0]]];
      for (const round of rounds) {
        const row = round.scores[set];
        const who = round.accepted ? row?.candidate : row?.champion;
        if (who) reign.push([round.number, 100 * rate(who[measure])]);
      }
      traces.push({name: set, legendgroup: set, visible, mode: "lines",
        x: reign.map(([n]) => n), y: reign.map(([, value]) => value), hoverinfo: "skip",
        line: {color: shade, width: 3, shape: "hv"}});
    });
    const changed = rounds.filter((round) => round.details.changes.some(({field}) => field.startsWith("plan.")));
    const few = changed.length <= 12 && innerWidth > 700;
    return {traces,
      xaxis: {...roundAxis(rounds), range: [-0.4, Math.max(1, ...rounds.map(({number}) => number)) + 0.4]},
      yaxis: {title: {text: `${MEASURES[measure]} %`}, rangemode: "normal"},
      shapes: changed.map(({number}) => ({type: "line", x0: number - 0.5, x1: number - 0.5, yref: "paper",
        y0: 0, y1: 1, line: {color: color("--dim"), width: 1, dash: "dot"}})),
      annotations: few ? changed.map(({number}) => ({x: number - 0.5, y: 1, yref: "paper", text: "plan changed",
        textangle: -90, xanchor: "right", yanchor: "top", showarrow: false,
        font: {size: 11, color: color("--dim")}})) : [],
    };
  }, {height: 400, wide: true, note: "Thick: the champion in use. Markers: the candidate, ● accepted, ✕ refused, " +
    "◇ undecided, ★ the untouched model. Bars: 95 % intervals. Dotted uprights: the plan changed. " +
    "Touch a name to show or hide a set."});
}

/** Bars of seconds by round, in the unit that suits the highest. */
function stacked(title, rounds, parts, options = {}) {
  const found = rounds.map(parts);
  const names = [...new Set(found.flatMap(Object.keys))];
  const highest = Math.max(...found.map((each) => Object.values(each).reduce((sum, part) => sum + part, 0)), 0);
  const [unit, size] = highest < 120 ? ["seconds", 1] : highest < 7200 ? ["minutes", 60] : ["hours", 3600];
  return figure(title, () => ({
    traces: names.map((name) => ({type: "bar", name, x: rounds.map(({number}) => number),
      y: found.map((each) => (each[name] ?? 0) / size), hovertemplate: `%{y:.3~g} ${unit}`})),
    xaxis: roundAxis(rounds), yaxis: {title: {text: unit}},
  }), options);
}

function lines(title, rounds, series, axis, options = {}) {
  return figure(title, () => ({
    traces: Object.entries(series).map(([name, at]) => ({name, mode: "lines+markers",
      x: rounds.map(({number}) => number), y: rounds.map(at), connectgaps: false,
      hovertemplate: "%{y:.2f}"})),
    xaxis: roundAxis(rounds), yaxis: {title: {text: axis}}, ...options.layout,
  }), options);
}

function curves(found) {
  return figure("Training", () => ({
    traces: found.map((curve) => ({name: curve.name, mode: "lines", x: curve.step, y: curve.loss,
      hovertemplate: "%{y:.3f}"})),
    xaxis: {title: {text: "step"}}, yaxis: {title: {text: "loss (whisper: nats a token)"}},
  }));
}

/** What was right or wrong on the set that says when to stop; ★ are the weights that were kept. */
function looks({set_name: set, step, error_rate: rate}) {
  const best = rate.indexOf(Math.min(...rate));
  return figure(`Errors on ${set} while training`, () => ({
    traces: [
      {name: set, mode: "lines+markers", x: step, y: rate.map((each) => 100 * each), hovertemplate: "%{y:.2f} %"},
      {name: "kept", mode: "markers", x: [step[best]], y: [100 * rate[best]],
        marker: {symbol: "star", size: 14}, hovertemplate: "%{y:.2f} %"}],
    xaxis: {title: {text: "step"}}, yaxis: {title: {text: "errors, % of units"}},
  }));
}
