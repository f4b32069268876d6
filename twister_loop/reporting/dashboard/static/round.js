// One round: gates, scores, transcripts, data, voices, training, time, plan and machine.
"use strict";

/** Objections longer than this are folded. */
const MAX_REASONS = 4;
/** An error bar is full at 40 % errors: most rates are far below 100 %. */
const FULL_BAR = 0.4;

const setKind = (round, set) => Object.values(round.scores[set])[0].kind;

/** Names of sets by kind; all sets of a kind together come before the single ones. */
const setNames = (rounds) => {
  const kinds = new Map(rounds.flatMap((round) => Object.keys(round.scores).map((set) => [set, setKind(round, set)])));
  const rank = (set) => 2 * KINDS.indexOf(kinds.get(set)) + (set !== `all ${kinds.get(set)} sets`);
  return [...kinds.keys()].sort((first, second) => rank(first) - rank(second));
};

/** Texts have no duration, so they are only counted. */
const amount = ({utterances, duration: seconds}, noun = "utterance") =>
  plural(utterances, noun) + (noun === "text" ? "" : `, ${duration(seconds)}`);

function section(title, ...content) {
  return el("section", {}, el("h3", {}, title), content);
}

function roundSections(round, view) {
  return [gateSection(round), scoreSection(round, view), termSection(round), transcripts(round, view), dataSection(round),
    voiceSection(round), trainingSection(round), timeSection(round, view), sourceSection(round, view)];
}

const changeList = (changes) => el("ul.plain.changes", {}, changes.map(({field, before, now}) => el("li", {},
  el("code", {}, field), " ", quoted("del", before), " → ", quoted("ins", now))));

function gateSection(round) {
  const {gates, changes} = round.details;
  const unchanged = round.number === 1 ? "This is the first round." : "Nothing: plan, data and machine are the same.";
  return el("section.two", {},
    el("div", {}, el("h3", {}, "Gates"), removalLine(round), approvalLine(round),
      rollbackLine(round), gates.length
      ? el("ul.plain", {}, gates.map((gate) => gateItem(round, gate)))
      : el("p.dim", {}, "The plan has no gates."), lostTermLines(round), lookLine(round), setChangeLines(round)),
    el("div", {}, el("h3", {}, "Changed since the previous round"),
      changes.length ? changeList(changes) : el("p.dim", {}, unchanged)));
}

function gateItem(round, {gate, options}) {
  const objection = round.verdict?.objections.find((candidate) => candidate.gate === gate);
  const [outcome, text] = round.verdict === undefined ? ["in progress", "not run yet"]
    : !objection ? ["accepted", "passed"]
    : objection.undecided ? ["undecided"] : ["refused"];
  // Empty lists are the default, which means all sets; null is a choice that depends on the set.
  const stated = Object.entries(options)
    .filter(([, option]) => option !== null && !(Array.isArray(option) && !option.length))
    .map(([name, option]) => `${name} ${JSON.stringify(option)}`).join(", ");
  return el("li.gate", {},
    badge(outcome, text),
    el("div", {}, el("strong", {}, gate), el("span.dim", {}, ` ${stated}`),
      objection ? reasonList(objection.reason) : null));
}

/** Sets on which the candidate recalls fewer key terms, which no gate decides by. */
function lostTermLines({verdict}) {
  return verdict?.lost_terms?.length ? el("ul.plain", {}, verdict.lost_terms.map((loss) => quoted("li", loss))) : null;
}

/** How many candidates the sets have judged: the best of many looks better than it is. */
function lookLine({looks}) {
  if (!looks) return null;
  return el("p", {}, quoted("span", capitalized(looks)),
    el("span.dim", {}, ": candidates that this run has judged on these recordings, this one included."));
}

/** Held-out sets that are not what they were in earlier rounds. */
function setChangeLines({set_changes: changes}) {
  if (!changes?.length) return null;
  return [el("p", {}, "Changed sets; all models of this round are measured on them as they are now:"),
    el("ul.plain", {}, changes.map((change) => quoted("li", change)))];
}

function approvalLine({awaits_approval: awaiting, approval}) {
  if (awaiting) {
    return el("p", {}, "This candidate awaits approval: ", el("code", {}, "twister approve RUN"), " or ",
      el("code", {}, "twister refuse RUN --note WHY"));
  }
  if (!approval) return null;
  const {approved, by, when, note} = approval;
  return el("p", {}, `${approved ? "Approved" : "Refused"} by `, quoted("span", by), ` on ${when}. `, quoted("span", note));
}

function rollbackLine({rollback}) {
  if (!rollback) return null;
  const {to, by, when, note} = rollback;
  return el("p", {}, `Rolled back to ${to ? `round ${to}` : "the untouched model"} by `, quoted("b", by), ` on ${when}`,
    note ? [": ", quoted("span", note)] : null, ". No later round goes on from this one.");
}

function removalLine({removals}) {
  if (!removals?.length) return null;
  return el("p", {}, `Speech was removed from this round on request (${removals.join(", ")}). Its scores still `
    + "count that speech; intervals, transcripts and audio are of what is left.");
}

/** The reason of an objection, one line for each set if it names sets ("dev: ...; test: ..."). */
function reasonList(reason) {
  const parts = reason.split("; ");
  const lines = parts.every((part) => part.includes(": ")) ? parts : [reason];
  const list = (shown) => el("ul.plain", {}, shown.map((line) => quoted("li", line)));
  if (lines.length <= MAX_REASONS) return list(lines);
  const first = MAX_REASONS - 1;
  return [list(lines.slice(0, first)),
    el("details", {}, el("summary", {}, `and ${lines.length - first} more`), list(lines.slice(first)))];
}

function scoreSection(round, {measure, kind, query}) {
  const sets = setNames([round]).filter((set) =>
    (kind === "all" || setKind(round, set) === kind) && (!query || set.toLowerCase().includes(query)));
  const name = measureName(sets.map((set) => round.scores[set]), measure);
  const both = hasWindows(round);
  const rows = sets.flatMap((set) => scoreRows(round, set, measure, {both, isNamed: !Object.values(MEASURES).includes(name)}));
  const scores = [round.scores, round.full_window].flatMap(Object.values).flatMap(Object.values);
  const distinct = (textOf) => [...new Set(scores.map(textOf))].join("; ");
  const rates = [`${name}, %`, "against untouched", "against champion"];
  const heads = ["set", "model", ...rates, "S / D / I", ...(both ? [...rates, "right timestamps"] : [])];
  const groups = both ? [["", 2], [OWN_CONTEXT, 4], [STANDARD, 4]] : null;
  const notes = scoreNotes(round);
  return section(`${capitalized(name)} by set`,
    both ? el("p.dim", {}, `${DECODINGS_EXPLAINED} ${TIMESTAMPS_EXPLAINED}`) : null,
    rows.length ? table(heads, rows, {numbers: [2, 3, 4, 6, 7, 8, 9], groups, label: "error rates by set"})
      : el("p.dim", {}, scores.length ? "No set matches the choice above." : "Nothing is evaluated yet."),
    el("p.legend", {}, el("i.s"), "substitutions ", el("i.d"), "deletions ", el("i.i"), "insertions"),
    notes.length ? el("ul", {}, notes.map((note) => el("li", {}, note))) : null,
    scores.length ? el("p.dim", {}, "Rates of several utterances or sets are summed counts. " +
      `Decoding: ${distinct(({decoding}) => decoding)}. Normalizer: ` +
      `${distinct(({normalizer, normalizer_digest: digest}) => `${normalizer} (${digest})`)}.`) : null);
}

function scoreRows(round, set, chosen, {both, isNamed}) {
  const scores = round.scores[set], windows = round.full_window[set] ?? {};
  const measure = measureOf(scores, chosen);
  return MODELS.filter((model) => scores[model]).map((model, place, models) => el("tr", {class: model},
    place === 0 ? setHead(scores, windows, measure, models.length) : null,
    el("td", {}, model),
    rateCells(round, set, model, measure, isNamed),
    el("td", {}, errorBar(scores[model][measure])),
    both ? rateCells(inWindows(round), set, model, measure, isNamed) : null,
    both ? el("td.n", {}, timestampShare(windows[model])) : null));
}

/** Name, kind and size of a set, beside the rows of its models. */
function setHead(scores, windows, measure, rows) {
  const {name, kind, utterances, [measure]: count} = anyScore(scores);
  const decoded = anyScore(windows)?.utterances ?? utterances;
  return el("th", {scope: "rowgroup", rowspan: rows}, quoted("span", name), longTag(scores),
    el("small.dim", {}, `${kind}, ${plural(utterances, "utterance")}, ${plural(length(count), UNITS[measure])}`),
    decoded < utterances ? el("small.dim", {}, `30 s windows: ${plural(decoded, "utterance")}`) : null);
}

/** Error rate of a model with its interval, and its changes; three empty cells if there is none. */
function rateCells({scores, intervals, changes, steps}, set, model, measure, isNamed) {
  const score = scores[set]?.[model];
  const name = isNamed ? el("span.dim", {}, `${MEASURES[measure]} `) : null;
  const change = (of) => score && model === "candidate" ? changePill(of[set][measure]) : null;
  return [
    el("td.n.start", {}, score ? [name, percent(rate(score[measure])),
      el("small.dim", {}, rangeText(intervals[set][model][measure]))] : null),
    el("td.n", {}, change(changes)), el("td.n", {}, change(steps))];
}

/** What a gain consists of: spelling of numbers, and texts that are in the training data. */
function scoreNotes(round) {
  const notes = Object.entries(round.spelling_share).filter(([, share]) => share).map(([set, share]) =>
    `${set}: ${percent(share, 0)} % of the corrected word errors were only numbers spelled differently.`);
  for (const [set, {untouched, candidate}] of Object.entries(round.new_texts)) {
    const {measure} = anyScore(round.scores[set]);
    const all = length(round.scores[set].candidate[measure]), unseen = length(candidate);
    if (unseen < all) notes.push(`${set}, only utterances whose text is not (nearly) in the training data ` +
      `(${unseen} of ${all} ${UNITS[measure]}s): ${MEASURES[measure]} ${percent(rate(untouched))} untouched, ${percent(rate(candidate))} candidate.`);
  }
  for (const [set, counts] of Object.entries(round.protection)) {
    const parts = [];
    if (counts.short_references) parts.push(`${counts.short_references} of ${counts.references} references are too short to be protected: ` +
      "pseudo-labels may say the same");
    if (counts.short_recordings) parts.push(`${counts.short_recordings} of ${counts.recordings} recordings are too short to be found in parts of the training data`);
    if (parts.length) notes.push(`${set}: ${parts.join("; ")}.`);
  }
  return notes;
}

/** Recall of the plan's key terms, and what it costs on all other words. */
function termSection({term_scores: termScores}) {
  if (!termScores?.length) return null;
  const rows = termScores.flatMap((scores) => {
    const models = MODELS.filter((model) => scores.models[model]);
    const place = [el("span", {}, quoted("span", scores.set_name), el("small.dim", {}, scores.kind)),
      scores.decoding === "clip" ? OWN_CONTEXT : STANDARD];
    if (!scores.models[models[0]].recall.total) return [[...place, "no term occurs", "", "", "", ""]];
    return models.map((model) => [...place, model, ...termCells(scores, model)]);
  });
  const heads = ["set", "decoding", "model", "terms recalled", "against untouched, points", "errors on other words, %",
    "against untouched"];
  return section("Key terms", table(heads, rows, {numbers: [3, 4, 5, 6], label: "key terms by set"}),
    el("p.dim", {}, "Terms recalled: occurrences of the plan's terms in the references that the transcript has at that " +
      "place. Other words: everything else, and all that was inserted. Intervals of 95 %."));
}

function termCells({models, changes, measure}, model) {
  const {recall, recall_interval: recallRange, others, others_interval: othersRange} = models[model];
  const change = model === "candidate" ? changes?.untouched : null;
  return [
    [`${recall.count} of ${recall.total}, ${percent(recall.count / recall.total, 1)} %`, el("small.dim", {}, rangeText(recallRange))],
    // A recall that rises is better, unlike an error rate.
    change ? [points(change.recall.rate), el("small.dim", {}, `${points(change.recall.low, 1)} … ${points(change.recall.high, 1)}`)] : "",
    [`${MEASURES[measure]} ${percent(rate(others))}`, el("small.dim", {}, rangeText(othersRange))],
    change ? changePill({...change.others, resampling_unit: "utterances or speakers"}) : ""];
}

/** Substitutions, deletions and insertions as numbers and as a bar whose length is the error rate. */
function errorBar(count) {
  const {substitutions, deletions, insertions} = count;
  const tokens = Math.max(length(count), 1);
  const width = (errors) => Math.min(100, 100 * errors / tokens / FULL_BAR);
  return el(".shares", {}, el("span", {}, `${substitutions} / ${deletions} / ${insertions}`),
    bar([["s", width(substitutions)], ["d", width(deletions)], ["i", width(insertions)]]));
}

function dataSection(round) {
  const nouns = {pool: "recordings in the pool", texts: "texts", human: "human utterances", replay: "utterances to replay"};
  const inputs = Object.entries(round.details.inputs).filter(([, count]) => count)
    .map(([name, count]) => `${grouped(count)} ${nouns[name]}`);
  const rows = funnelRows(round);
  return section("Data: from the pool to the mixture",
    inputs.length ? el("p.dim", {}, `Inputs: ${inputs.join(", ")}.`) : null,
    rows.length ? table(["stage", "kept", "rejected"], rows, {label: "kept and rejected data"})
      : el("p.dim", {}, "No stage is finished yet."),
    round.speakers ? el("p", {}, speakerText(round.speakers)) : null,
    round.rescored_labels === undefined ? null
      : el("p", {}, `Rescoring changed ${plural(round.rescored_labels, "pseudo-label")}.`),
    round.teacher ? el("p", {}, `Pseudo-labels by the teacher ${round.teacher}.`) : null,
    round.decoder_trial ? el("p", {}, decoderTrialText(round.decoder_trial)) : null,
    mixtureTable(round.mixture_sources));
}

function funnelRows(round) {
  const stages = Object.entries(round.funnels).map(([name, {kept, rejected}]) => [name.replaceAll("_", " "), kept, rejected]);
  for (const {name, kept, rejected} of round.voices) {
    if (kept) stages.push([`voice ${name}: filtered`, kept, rejected ?? {}]);
  }
  const size = (kept, rejected) => sum([kept, ...Object.values(rejected)].map(({utterances}) => utterances));
  const largest = Math.max(...stages.map(([, kept, rejected]) => size(kept, rejected)), 1);
  const width = ({utterances}) => 100 * utterances / largest;
  return stages.map(([name, kept, rejected]) => {
    const filters = Object.entries(rejected);
    const parts = [["kept", width(kept)], ...filters.map(([, tally]) => ["lost", width(tally)])];
    return [name, el("div", {}, amount(kept, name === "texts" ? "text" : "utterance"), bar(parts)),
      filters.length ? el("ul.plain", {}, filters.map(([filter, tally]) => el("li", {}, `${filter}: ${tally.utterances}`,
        tally.duration ? el("span.dim", {}, ` ${duration(tally.duration)}`) : null))) : "none"];
  });
}

function mixtureTable(sources) {
  const total = sum(sources.map(({taken}) => taken.duration));
  const rows = sources.map(({origin, lang, corpus, available, taken}) => [origin, lang ?? "unknown", corpus ?? "",
    grouped(taken.utterances), duration(taken.duration), `${Math.round(100 * taken.duration / Math.max(total, 1e-9))} %`,
    duration(available.duration)]);
  return rows.length ? table(["mixture: origin", "language", "corpus", "utterances", "duration", "share", "available"], rows,
    {numbers: [3, 4, 5, 6], label: "mixture"}) : null;
}

function speakerText({count, most, unknown, mixed, total}) {
  const named = Object.entries(most).map(([name, tally]) => `${name} ${duration(tally.duration)}`);
  const fewer = count > named.length ? `, and ${grouped(count - named.length)} with less speech` : "";
  const rest = unknown.utterances ? `; ${amount(unknown)} of no known speaker` : "";
  const shared = mixed?.utterances
    ? ` Cuts that probably hold several voices: ${percent(mixed.duration / total.duration)} % of the speech.` : "";
  return `${plural(count, "speaker")} in the pool: ${named.join(", ")}${fewer}${rest}.${shared}`;
}

function decoderTrialText({reference, clips, attempts, limit}) {
  // The trial ends with the first decoder that is good enough; the same rule as `DecoderTrial.chosen`.
  const last = attempts.at(-1);
  const passed = last && length(last.characters) && rate(last.characters) <= limit;
  const tried = attempts.map(({decoding, characters, identical}) =>
    `${decoding}: CER ${percent(rate(characters))} %, ${identical} of ${clips} transcripts identical`);
  return `Decoder of the pseudo-labels: ${passed ? last.decoding : reference}. Trial against ${reference}: ` +
    `${tried.join("; ")}; limit ${percent(limit)} %.`;
}

function voiceSection(round) {
  if (!round.voices.length) return null;
  const heads = ["voice", "trial", "CER of all synthesized", "synthesized", "kept", "kept: seen / unseen words"];
  return section("Voices", table(heads, round.voices.map(voiceRow), {numbers: [2], label: "voices"}),
    el("p.dim", {}, "CER: the champion's transcripts of the synthetic speech against the texts. Seen / unseen words: " +
      "share kept of sentences without / with a word that is in no pseudo-label."));
}

function voiceRow({name, trial, passed, character_errors: errors, synthesized, kept,
  kept_without_unseen_words: seen, kept_with_unseen_words: unseen}) {
  const share = (kept) => kept === undefined ? null : `${percent(kept, 0)} %`;
  return [name,
    trial ? el("span", {}, passed ? badge("accepted", "passed") : badge("refused", "failed"),
      ` CER ${percent(rate(trial.characters))} %, limit ${percent(trial.limit)} %; ${trial.synthesized} of ${trial.texts} texts synthesized`)
      : "no trial yet",
    errors ? `${percent(rate(errors), 1)} %` : "",
    synthesized ? amount(synthesized) : "", kept ? amount(kept) : "",
    [share(seen), share(unseen)].filter(Boolean).join(" / ")];
}

function trainingSection({details: {curves, early_stopping: earlyStopping}}) {
  return curves.length ? el("section", {}, lossFigure(curves),
    earlyStopping ? earlyStoppingFigure(earlyStopping) : null) : null;
}

function timeSection(round, {price, setPrice}) {
  const stages = Object.entries(round.stages);
  if (!stages.length) return null;
  const total = sum(Object.values(round.stages));
  const cores = round.details.environment?.cores;
  const cost = (seconds) => price ? (price * seconds / 3600).toFixed(2) : "";
  const rows = [...stages, ["total", total]].map(([stage, seconds]) => [stage, duration(seconds),
    bar([["kept", 100 * seconds / Math.max(total, 1e-9)]]),
    cores ? (cores * seconds / 3600).toFixed(2) : "", cost(seconds)]);
  return section("Time and cost",
    el("label.picker", {}, el("span", {}, "price of this machine per hour"),
      el("input", {type: "number", min: 0, step: 0.01, value: price || "", placeholder: "0.00",
        onchange: (event) => setPrice(Number(event.target.value))})),
    table(["stage", "time", "", "core hours", "cost"], rows, {numbers: [1, 3, 4], label: "time and cost of each stage"}));
}

/** Links to the manifests of the round; only a server can show them. */
function manifestList({folder: round}, {manifests, name}) {
  const folders = manifests?.[round] ?? [];
  const link = (folder) => `/browse?${new URLSearchParams({run: name, folder: `${round}/${folder}`})}`;
  return folders.length ? el("details", {}, el("summary", {}, `Manifests (${folders.length})`),
    el("ul.plain.columns", {}, folders.map((folder) => el("li", {}, el("a", {href: link(folder)}, folder))))) : null;
}

function sourceSection(round, view) {
  const {plan, environment} = round.details;
  return section("Plan, machine and files",
    manifestList(round, view),
    el("details", {}, el("summary", {}, "Plan"), quoted("pre", plan)),
    environment ? el("details", {}, el("summary", {}, "Versions and machine"), environmentTable(environment)) : null,
    el("p.dim", {}, "Folder: ", el("code", {}, round.folder), "; champion of this round: ", el("code", {}, round.champion), "."));
}

function environmentTable({python, system, processor, cores, packages}) {
  const facts = {python, system, processor, cores, ...packages};
  return table(["name", "version"], Object.entries(facts).map(([name, fact]) => [name, String(fact)]), {label: "versions"});
}
