"""The card of a model: what it was made of and how, what it does better, and what worse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from ...core.artifacts import read_json
from ...core.types import Score
from ...pipeline.run_folder import round_number
from ..summary import RoundSummary, Summary

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def text(at: Path, summary: Summary, license: str | None) -> str:
    """Markdown with the front matter that the hub reads."""
    number = round_number(at)
    this = next(each for each in summary.rounds if each.number == number)
    plan = read_json(at / "plan.json")["plan"] if (at / "plan.json").is_file() else {}
    asr = plan.get("asr", {})
    base = str(asr.get("model", "an untouched Whisper"))
    return Template(_template()).substitute(
        front=_front(this, plan, base, license),
        name=Path(summary.run).resolve().name,
        number=number,
        base=base,
        language=plan.get("language") or "whatever is spoken",
        data="\n".join(_data(this)),
        voices="\n".join(_voices(this)) or "No voice passed its trial in this round.",
        figures="\n".join(_figures(this)),
        worse="\n".join(_worse(this)),
        decoding=", ".join(
            sorted({s.decoding for row in this.scores.values() for s in row.values()})
        ),
        normalizer=", ".join(
            sorted(
                {
                    f"{s.normalizer} ({s.normalizer_digest})"
                    for row in this.scores.values()
                    for s in row.values()
                }
            )
        ),
        license=_license(license),
        generate=_generate(plan.get("language")),
    )


def _template() -> str:
    return (files(__package__) / "card.md").read_text(encoding="utf-8")


def _front(this: RoundSummary, plan: dict[str, Any], base: str, license: str | None) -> str:
    """Of YAML; what is not known is left out."""
    lines = ["library_name: transformers", "pipeline_tag: automatic-speech-recognition"]
    languages = {lang for each in this.languages.values() for lang in each} - {"unknown"}
    if languages:
        lines += ["language:", *(f"- {lang}" for lang in sorted(languages))]
    if license:
        lines.append(f"license: {license}")
    if HUB_NAME.fullmatch(base) and not Path(base).exists():
        lines.append(f"base_model: {base}")
    lines += ["tags:", "- whisper", "- pseudo-labeling", "- synthetic-speech", "- twister-loop"]
    lines += ["metrics:", "- wer", "- cer"]
    return "\n".join(lines)


def _data(this: RoundSummary) -> Iterator[str]:
    yield "| origin | language | utterances | minutes |"
    yield "|---|---|---|---|"
    for origin, languages in this.languages.items():
        for lang, tally in languages.items():
            yield f"| {origin} | {lang} | {tally.utterances} | {tally.duration / 60:.1f} |"


def _voices(this: RoundSummary) -> Iterator[str]:
    for voice in this.voices:
        if voice.trial:
            yield f"- {voice.trial}"


def _figures(this: RoundSummary) -> Iterator[str]:
    usual = any("candidate" in row for row in this.full_window.values())
    heads = ["set", "utterances", "WER % before", "WER % now", "change, 95 % interval", "CER % now"]
    heads += ["WER % in 30 s"] if usual else []
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for name, row in this.scores.items():
        before, now = row["untouched"], row["candidate"]
        change = this.changes[name]["words"]
        window = this.full_window.get(name, {}).get("candidate")
        last = f" {_windowed(window, now)} |" if window else " |" if usual else ""
        yield (
            f"| {_cell(name)} ({now.kind}) | {now.utterances} | {_rate(before)} | {_rate(now)} "
            f"| {100 * change.rate:+.2f} ({100 * change.low:+.2f} to {100 * change.high:+.2f}) "
            f"| {100 * now.characters.rate:.2f} |{last}"
        )


def _windowed(window: Score, now: Score) -> str:
    some = f" ({window.utterances} utterances)" if window.utterances < now.utterances else ""
    return f"{100 * window.words.rate:.2f}{some}"


def _worse(this: RoundSummary) -> Iterator[str]:
    """Sets that lost in any measure, seen or not; then how many words were inserted."""
    found = False
    for name, row in this.scores.items():
        for measure, change in this.changes[name].items():
            if change.rate > 0:
                found = True
                seen = "seen" if change.is_significant else "may be chance"
                yield (
                    f"- {_cell(name)} ({row['candidate'].kind}), {measure}: "
                    f"{100 * change.rate:+.2f} points ({100 * change.low:+.2f} to "
                    f"{100 * change.high:+.2f}; {seen})"
                )
    if not found:
        yield "On none of the sets above; what they do not hold was not measured."


def _license(license: str | None) -> str:
    if license:
        return (
            f"These weights are under `{license}`, as whoever exported them said. Whether the "
            "licenses of the untouched model, of the recordings and of the texts allow that is "
            "for them to know."
        )
    return (
        "**No license was named when this was exported.** The licenses of the untouched model, of "
        "the recordings and of the texts apply; name one with `twister export --license`."
    )


def _generate(language: str | None) -> str:
    named = f', "language": "{language}"' if language else ""
    return f'{{"task": "transcribe"{named}}}'


def _rate(score: Score) -> str:
    return f"{100 * score.words.rate:.2f}"


def _cell(name: str) -> str:
    return name.replace("|", "\\|")
