"""One self-contained HTML page a run; everything is escaped, for transcripts are untrusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ..manifest import Manifest
from ..measure import Stretch
from ..records import Score, Utterance
from ..scoreboard import Interval
from ..summary import RoundSummary, Summary, VoiceSummary, summarize
from .console import WHO, changed, funnel_lines, hours, parts, verdict

SAMPLES = 6
"""Sentences of every voice that the page plays."""
STYLE = """
:root{color-scheme:light dark}
:root{--line:#8884;--soft:#8882;--good:#1a7f37;--bad:#c62828;--doubt:#b26a00}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
tr.candidate td{font-weight:600}h2{margin-top:3rem}
.accepted{color:var(--good)}.refused{color:var(--bad)}.undecided,.waiting{color:var(--doubt)}
del{color:var(--bad)}ins{color:var(--good);text-decoration:none}.dim{opacity:.65}
.bar{display:inline-block;height:.7rem;background:#4078c0;border-radius:2px;vertical-align:middle}
.candidate .bar{background:#2da44e}code{background:var(--soft);padding:.1rem .3rem}
"""


def write(run: Path) -> Path:
    """Write `index.html` into the run from what lies there, and give its path."""
    summary = summarize(run)
    path = run / "index.html"
    scratch = path.with_name(".index.html")
    scratch.write_text(_page(run, summary), encoding="utf-8")
    scratch.replace(path)
    return path


def _page(run: Path, summary: Summary) -> str:
    name = escape(run.resolve().name)
    rounds = "".join(_round(run, each) for each in reversed(summary.rounds))
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{name}</title><style>{STYLE}</style><h1>{name}</h1>"
        f"<p>Champion: <code>{escape(summary.champion)}</code>. Error rates are summed counts; "
        "every model is decoded alike.</p>"
        f"{rounds}</html>"
    )


def _round(run: Path, each: RoundSummary) -> str:
    said = verdict(each)
    why = [str(each.approval)] if each.approval else []
    why += ["`twister approve` or `twister refuse` decides."] if each.waiting else []
    why += map(str, each.verdict.objections if each.verdict else ())
    notes = [
        f"{name}: WER {changed(change)} against the untouched model (95 % interval)."
        for name, change in each.changes.items()
    ]
    notes += [_new(name, each) for name in each.new_texts]
    notes += [
        f"On {name}, {share:.0%} of the word errors won were won by spelling numbers otherwise."
        for name, share in each.spelling_share.items()
        if share
    ]
    stages = [(stage, f"{seconds:.0f}") for stage, seconds in each.stages.items()]
    return (
        f"<h2>Round {each.number}: <span class='{said.split()[0]}'>{said}</span></h2>"
        f"{_list(why)}{_scores(each)}{_list(notes)}{_worst(each)}"
        f"<h3>From the pool to the mixture</h3>"
        f"{_table(('stage', 'kept', 'rejected'), funnel_lines(each))}"
        f"{''.join(_voice(voice) for voice in each.voices)}"
        f"{_samples(run / each.folder)}"
        f"<h3>Seconds</h3>{_table(('stage', 'seconds'), stages, numbers=(1,))}"
    )


def _new(name: str, each: RoundSummary) -> str:
    """The score apart for what was not nearly said in training."""
    scores, whole = each.new_texts[name], each.scores[name]["candidate"].words
    if scores["candidate"].length == whole.length:
        return f"{name}: no reference is nearly the text of anything that was trained on."
    return (
        f"{name}, only what was not nearly said in training ({scores['candidate'].length} of "
        f"{whole.length} words): WER {100 * scores['untouched'].rate:.2f} untouched, "
        f"{100 * scores['candidate'].rate:.2f} candidate."
    )


def _scores(each: RoundSummary) -> str:
    lines = []
    highest = max((s.words.rate for row in each.scores.values() for s in row.values()), default=1)
    for name, scores in each.scores.items():
        for who in WHO:
            if who in scores:
                usual = each.usual.get(name, {}).get(who)
                around = each.intervals[name][who]
                lines.append(_score(name, who, scores[who], usual, around, highest or 1))
    heads = ("set", "model", "WER %", "", "CER %", "S/D/I words", "WER % in 30 s")
    head = "".join(f"<th>{title}</th>" for title in heads)
    decodings = {score.decoding for row in each.scores.values() for score in row.values()}
    normalizers = {
        f"{score.normalizer} ({score.normalizer_digest})"
        for row in each.scores.values()
        for score in row.values()
    }
    return (
        f"<table><tr>{head}</tr>{''.join(lines)}</table><p class='dim'>Decoding: "
        f"{escape(', '.join(decodings))}. Normalizer: {escape(', '.join(normalizers))}.</p>"
    )


def _score(
    name: str, who: str, score: Score, usual: Score | None, around: Interval, highest: float
) -> str:
    about = f"{score.kind}, {score.utterances} utterances, {score.words.length} words, language "
    about += f"{score.lang} forced" if score.lang else "detected"
    first = f"{escape(name)}<br><span class='dim'>{escape(about)}</span>" if who == WHO[0] else ""
    bar = f"<span class='bar' style='width:{8 * score.words.rate / highest:.2f}rem'></span>"
    in_30 = f"{100 * usual.words.rate:.2f}" if usual else ""
    return (
        f"<tr class='{who}'><td>{first}</td><td>{who}</td>"
        f"<td class='n'>{100 * score.words.rate:.2f}"
        f"<br><span class='dim'>{100 * around.low:.1f} to {100 * around.high:.1f}</span></td>"
        f"<td>{bar}</td>"
        f"<td class='n'>{100 * score.characters.rate:.2f}</td>"
        f"<td class='n'>{parts(score.words)}</td><td class='n'>{in_30}</td></tr>"
    )


def _voice(voice: VoiceSummary) -> str:
    lines = [str(voice.trial)] if voice.trial else []
    if voice.kept and voice.spoken and voice.agreement:
        lines.append(
            f"Kept {hours(voice.kept)} of {hours(voice.spoken)}; agreement CER "
            f"{voice.agreement.rate:.1%} over all that was spoken."
        )
        shares = (
            ("with a word never heard in the pool", voice.with_new_words),
            ("in words heard in the pool", voice.without_new_words),
        )
        lines += [f"Kept of sentences {what}: {share:.0%}." for what, share in shares if share]
    return f"<h3>Voice {escape(voice.name)}</h3>{_list(lines)}"


def _worst(each: RoundSummary) -> str:
    """The utterances with most errors, with what was said and what was heard."""
    found = ""
    for name, utterances in each.worst.items():
        rows = "".join(
            f"<tr title='{escape(f'{one.text} → {one.pred_text}', quote=True)}'>"
            f"<td class='n'>{one.untouched}</td><td class='n'>{one.candidate}</td>"
            f"<td>{''.join(map(_stretch, one.stretches))}</td></tr>"
            for one in utterances
        )
        if rows:
            found += (
                f"<details><summary>{escape(name)}: worst utterances</summary><table><tr>"
                "<th class='n'>errors untouched<th class='n'>candidate"
                f"<th><del>said</del> <ins>heard</ins></tr>{rows}</table></details>"
            )
    return found


def _stretch(one: Stretch) -> str:
    if one.said == one.heard:
        return f"{escape(one.said)} "
    said = f"<del>{escape(one.said)}</del> " if one.said else ""
    heard = f"<ins>{escape(one.heard)}</ins> " if one.heard else ""
    return said + heard


def _samples(at: Path) -> str:
    """Some synthetic speech to listen to."""
    found = ""
    for folder in sorted(at.glob("voices/*/synthetic")):
        by_text: dict[str | None, Utterance] = {}
        for each in Manifest(folder):
            by_text.setdefault(each.text, each)
        some = list(by_text.values())[:SAMPLES]
        players = "".join(f"<li>{escape(each.text or '')}<br>{_player(at, each)}" for each in some)
        found += f"<h3>Spoken by {escape(folder.parent.name)}</h3><ul>{players}</ul>"
    return found


def _player(at: Path, each: Utterance) -> str:
    run = at.parent.resolve()
    path = each.audio_filepath.resolve()
    if not path.is_relative_to(run):
        return ""
    source = escape(path.relative_to(run).as_posix(), quote=True)
    return f"<audio controls preload='none' src='{source}'></audio>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=n' if number in numbers else ''}>{escape(cell)}</td>"
            for number, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}" for line in lines)
    return f"<ul>{items}</ul>" if items else ""
