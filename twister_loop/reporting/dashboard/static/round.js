// One round: gates, scores, where its data came from, what it cost, and what was heard.
"use strict";

const outcomeOf = (round) => round.outcome;
const setKind = (round, set) => Object.values(round.scores[set])[0].kind;
/** Names of sets: those of a kind together, and all of a kind as one before its parts. */
const setNames = (rounds) => {
  const kinds = new Map(rounds.flatMap((round) => Object.keys(round.scores).map((set) => [set, setKind(round, set)])));
  const rank = (set) => 2 * KINDS.indexOf(kinds.get(set)) + (set !== `all ${kinds.get(set)} sets`);
  return [...kinds.keys()].sort((one, other) => rank(one) - rank(other));
};
const amount = (tally) => `${plural(tally.utterances, "utterance")}, ${duration(tally.duration)}`;

function section(title, ...content) {
  return el("section", {}, el("h3", {}, title), content);
}

function roundSections(round, view) {
  return [gates(round), scores(round, view), utterances(round, view), data(round), voices(round),
    training(round), costs(round, view), behind(round, view)];
}

function gates(round) {
  const objections = new Map((round.verdict?.objections ?? []).map((each) => [each.gate, each]));
  const judged = round.verdict !== undefined;
  const options = (asked) => Object.entries(asked.options)
    .filter(([, value]) => !(Array.isArray(value) && !value.length))
    .map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(", ");
  const rows = round.details.gates.map((asked) => {
    const objection = objections.get(asked.gate);
    const [mark, said, kind] = !judged ? ["…", "not asked yet", "in-progress"]
      : !objection ? ["✓", "passed", "accepted"]
      : objection.undecided ? ["?", "undecided", "undecided"] : ["✗", "refused", "refused"];
    return el(`li.gate`, {},
      el("span", {class: `badge ${kind}`}, el("span", {"aria-hidden": "true"}, mark), ` ${said}`),
      el("div", {}, el("strong", {}, asked.gate), el("span.dim", {}, ` ${options(asked)}`),
        objection ? reasons(objection.reason) : null));
  });
  const changes = round.details.changes;
  const said = round.approval;
  const word = round.awaits_approval ? el("p", {}, "A person's word is awaited: ", el("code", {}, "twister approve RUN"), " or ",
      el("code", {}, "twister refuse RUN --note WHY"))
    : said ? el("p", {}, `${said.approved ? "Approved" : "Refused"} by `, quoted("span", said.by), ` on ${said.when}. `,
      quoted("span", said.note)) : null;
  return el("section.two", {},
    el("div", {}, el("h3", {}, "Gates"), word, rows.length ? el("ul.plain", {}, rows) : el("p.dim", {}, "The plan asks none.")),
    el("div", {}, el("h3", {}, "Changed since the round before"), changes.length
      ? el("ul.plain.changes", {}, changes.map(({field, before, now}) => el("li", {},
        el("code", {}, field), " ", quoted("del", before), " → ", quoted("ins", now))))
      : el("p.dim", {}, round.number === 1 ? "This is the first round." : "Nothing: plan, data and machine are the same.")));
}

/** What a gate said, set by set; the longest stories are folded up. */
function reasons(why) {
  const parts = why.split("; ");
  const each = parts.every((part) => part.includes(": ")) ? parts : [why];
  const list = (items) => el("ul.plain", {}, items.map((item) => quoted("li", item)));
  return each.length <= 4 ? list(each) : [list(each.slice(0, 3)),
    el("details", {}, el("summary", {}, `and ${each.length - 3} more`), list(each.slice(3)))];
}

function scores(round, {measure, kind, query}) {
  const sets = setNames([round]).filter((set) =>
    (kind === "all" || setKind(round, set) === kind) && (!query || set.toLowerCase().includes(query)));
  const inWindow = Object.keys(round.full_window).length > 0;
  const rows = sets.flatMap((set) => {
    const row = round.scores[set];
    return WHO.filter((who) => row[who]).map((who, place, whos) => {
      const count = row[who][measure];
      const usual = round.full_window[set]?.[who];
      const about = `${row[who].kind}, ${plural(row[who].utterances, "utterance")}, ` +
        `${plural(length(count), measure === "characters" ? "character" : measure === "words" ? "word" : "unit")}`;
      return el("tr", {class: `${who}${place === 0 ? " first" : ""}`},
        place === 0 ? el("th", {scope: "rowgroup", rowspan: whos.length}, quoted("span", set), el("small.dim", {}, about)) : null,
        el("td", {}, who),
        el("td.n", {}, percent(rate(count)), el("small.dim", {}, rangeText(round.intervals[set][who][measure]))),
        el("td.n", {}, who === "candidate" ? changePill(round.changes[set][measure]) : null),
        el("td.n", {}, who === "candidate" ? changePill(round.steps[set][measure]) : null),
        el("td", {}, shares(count)),
        inWindow ? el("td.n", {}, usual ? percent(rate(usual[measure])) : "",
          usual && usual.utterances < row[who].utterances ? el("small.dim", {}, `of ${usual.utterances}`) : null) : null);
    });
  });
  const notes = Object.entries(round.spelling_share).filter(([, share]) => share).map(([set, share]) =>
    `On ${set}, ${percent(share, 0)} % of the word errors won were won by spelling numbers otherwise.`);
  for (const [set, who] of Object.entries(round.new_texts)) {
    const whole = length(round.scores[set].candidate.words), left = length(who.candidate);
    if (left < whole) notes.push(`${set}, only what was not nearly said in training (${left} of ${whole} words): ` +
      `WER ${percent(rate(who.untouched))} untouched, ${percent(rate(who.candidate))} candidate.`);
  }
  const some = Object.values(round.scores).flatMap((row) => Object.values(row));
  const same = (pick) => [...new Set(some.map(pick))].join(", ");
  return section(`${MEASURES[measure]} by set`,
    rows.length ? table(["set", "model", `${MEASURES[measure]} %`, "against untouched", "against champion",
      "S / D / I", ...(inWindow ? ["in 30 s"] : [])], rows, {numbers: [2, 3, 4, 6], label: "error rates by set"})
      : el("p.dim", {}, some.length ? "No set is chosen above." : "Nothing is measured yet."),
    el("p.legend", {}, el("i.s"), "substituted ", el("i.d"), "deleted ", el("i.i"), "inserted"),
    notes.length ? el("ul", {}, notes.map((note) => el("li", {}, note))) : null,
    some.length ? el("p.dim", {}, `Rates are summed counts. Decoding: ${same((s) => s.decoding)}. ` +
      `Normalizer: ${same((s) => `${s.normalizer} (${s.normalizer_digest})`)}.`) : null);
}

/** Errors by their kind, as long as the rate is high. */
function shares(count) {
  const whole = Math.max(length(count), 1);
  const part = (name, value) => el(`i.${name}`, {style: {width: `${Math.min(100, 250 * value / whole)}%`}});
  const text = `${count.substitutions} / ${count.deletions} / ${count.insertions}`;
  return el(".shares", {}, el("span", {}, text), el(".bar", {"aria-hidden": "true"},
    part("s", count.substitutions), part("d", count.deletions), part("i", count.insertions)));
}

function data(round) {
  const given = Object.entries(round.details.inputs).filter(([, count]) => count)
    .map(([name, count]) => `${count.toLocaleString("en")} ${{pool: "recordings in the pool", texts: "texts", human: "human utterances", replay: "utterances to replay"}[name]}`);
  const lines = Object.entries(round.funnels).map(([name, funnel]) => [name, funnel.kept, funnel.rejected]);
  for (const voice of round.voices) {
    if (voice.kept) lines.push([`${voice.name}: synthetic`, voice.kept, voice.rejected ?? {}]);
  }
  const most = Math.max(...lines.map(([, kept, rejected]) =>
    kept.utterances + Object.values(rejected).reduce((sum, each) => sum + each.utterances, 0)), 1);
  const rows = lines.map(([name, kept, rejected]) => {
    const reasons = Object.entries(rejected);
    const width = (tally) => ({width: `${100 * tally.utterances / most}%`});
    return [name, el("div", {}, amount(kept), el(".bar", {"aria-hidden": "true"}, el("i.kept", {style: width(kept)}),
      reasons.map(([, tally]) => el("i.lost", {style: width(tally)})))),
      reasons.length ? el("ul.plain", {}, reasons.map(([why, tally]) => el("li", {}, `${why}: ${tally.utterances}`,
        tally.duration ? el("span.dim", {}, ` ${duration(tally.duration)}`) : null))) : "none"];
  });
  const whole = round.mixture_sources.reduce((sum, {taken}) => sum + taken.duration, 0);
  const mixture = round.mixture_sources.map(({origin, lang, corpus, available: atHand, taken}) => [origin, lang ?? "unknown", corpus ?? "",
    taken.utterances.toLocaleString("en"), duration(taken.duration), `${Math.round(100 * taken.duration / Math.max(whole, 1e-9))} %`,
    duration(atHand.duration)]);
  return section("From the pool to the mixture",
    given.length ? el("p.dim", {}, `Begun with ${given.join(", ")}.`) : null,
    rows.length ? table(["stage", "kept", "rejected"], rows, {label: "what was kept and rejected"}) : el("p.dim", {}, "Nothing yet."),
    round.speakers ? el("p", {}, speakers(round.speakers)) : null,
    round.rescored_labels != null ? el("p", {}, `${round.rescored_labels.toLocaleString("en")} labels took a word of the texts.`) : null,
    round.decoder_trial ? el("p", {}, `Labels are heard by ${labeledBy(round.decoder_trial)}. Tried against ${round.decoder_trial.reference}: `,
      round.decoder_trial.attempts.map((each) => `${each.decoding}: CER ${percent(rate(each.characters))} %, ${each.identical} of ${round.decoder_trial.clips} clips alike`).join("; "),
      `; limit ${percent(round.decoder_trial.limit)} %.`) : null,
    mixture.length ? table(["mixture: origin", "language", "corpus", "utterances", "time", "share", "of"], mixture,
      {numbers: [3, 4, 5, 6], label: "mixture"}) : null);
}

/** How many speakers were told apart, and who speaks most. */
function speakers({count, most, unknown}) {
  const named = Object.entries(most).map(([name, tally]) => `${name} ${duration(tally.duration)}`);
  const others = count > named.length ? `, and ${(count - named.length).toLocaleString("en")} who speak less` : "";
  const rest = unknown.utterances ? `; ${amount(unknown)} of no known speaker` : "";
  return `${plural(count, "speaker")} in the pool: ${named.join(", ")}${others}${rest}.`;
}

/** The last way that was tried, if it heard what the careful one hears. */
function labeledBy({reference, attempts, limit}) {
  const last = attempts.at(-1);
  return last && length(last.characters) && rate(last.characters) <= limit ? last.decoding : reference;
}

function voices(round) {
  if (!round.voices.length) return null;
  const rows = round.voices.map((voice) => {
    const trial = voice.trial;
    const share = (value) => value === undefined ? "" : `${percent(value, 0)} %`;
    return [voice.name,
      trial ? el("span", {}, badge(voice.passed ? "accepted" : "refused"),
        ` CER ${percent(rate(trial.characters))}, limit ${percent(trial.limit)}; ${trial.spoken} of ${trial.texts} texts spoken`) : "no trial yet",
      voice.character_errors ? `${percent(1 - Math.min(1, rate(voice.character_errors)), 1)} %` : "",
      voice.synthesized ? amount(voice.synthesized) : "", voice.kept ? amount(voice.kept) : "",
      el("span", {title: "of sentences in words heard in the pool / with a word never heard there"},
        [share(voice.kept_without_unseen_words), share(voice.kept_with_unseen_words)].filter(Boolean).join(" / "))];
  });
  return section("Voices", table(["voice", "trial", "agreement", "spoken", "kept", "kept: known / new words"], rows, {label: "voices"}),
    el("p.dim", {}, "Agreement: characters that the champion heard as they were to be spoken (1 − CER)."));
}

function training(round) {
  const {curves: found, early_stopping: watched} = round.details;
  return found.length ? el("section", {}, curves(found), watched ? looks(watched) : null) : null;
}

function costs(round, {price, setPrice}) {
  const stages = Object.entries(round.stages);
  if (!stages.length) return null;
  const whole = stages.reduce((sum, [, seconds]) => sum + seconds, 0);
  const cores = round.details.environment?.cores;
  const priced = (seconds) => price ? (price * seconds / 3600).toFixed(2) : "";
  const rows = [...stages, ["all of it", whole]].map(([name, seconds]) => [name, duration(seconds),
    el(".bar", {"aria-hidden": "true"}, el("i.kept", {style: {width: `${100 * seconds / Math.max(whole, 1e-9)}%`}})),
    cores ? (cores * seconds / 3600).toFixed(2) : "", priced(seconds)]);
  return section("Time and cost",
    el("label.picker", {}, el("span", {}, "an hour of this machine costs"),
      el("input", {type: "number", min: 0, step: 0.01, value: price || "", placeholder: "0.00",
        onchange: (event) => setPrice(Number(event.target.value))})),
    table(["stage", "time", "", "core hours", "cost"], rows, {numbers: [1, 3, 4], label: "time and cost of every stage"}));
}

/** On a server: every manifest of the round, to be paged through and searched. */
function manifests(round, {manifests, name}) {
  const found = manifests?.[round.folder] ?? [];
  const link = (folder) => `/browse?${new URLSearchParams({run: name, folder: `${round.folder}/${folder}`})}`;
  return found.length ? el("details", {}, el("summary", {}, `Manifests (${found.length})`),
    el("ul.plain.columns", {}, found.map((folder) => el("li", {}, el("a", {href: link(folder)}, folder))))) : null;
}

function behind(round, view) {
  const {plan, environment: machine} = round.details;
  return section("Behind it",
    manifests(round, view),
    el("details", {}, el("summary", {}, "The plan"), quoted("pre", plan)),
    machine ? el("details", {}, el("summary", {}, "Versions and machine"),
      table(["", ""], [["python", machine.python], ["system", machine.system], ["processor", machine.processor],
        ["cores", machine.cores], ...Object.entries(machine.packages)].map(([name, value]) => [name, String(value)]),
        {label: "versions"})) : null,
    el("p.dim", {}, "Folder: ", el("code", {}, round.folder), "; champion of this round: ", el("code", {}, round.champion), "."));
}
