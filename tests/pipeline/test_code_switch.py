"""The shipped plan for code-switching, run with toy data."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.core.manifest import Manifest

ROOT = Path(__file__).parents[2]
ITALIAN = ["a i e", "io e lei", "a lei e io", "eia eia", "o a lui", "oi oi a"]
ENGLISH = ["ae oe ie", "you are a", "ue ie oe a", "oo ee aa", "a eye", "you ao"]


def write_toy_plan(folder: Path) -> Path:
    """Write the plan with the toy recognizer and a toy voice, and a pool in two languages."""
    plan = yaml.safe_load((ROOT / "configs" / "ivr-code-switch.yaml").read_text())
    world = {
        "it": toy.speak(ITALIAN, folder / "it", labeled=False),
        "en": toy.speak(ENGLISH, folder / "en", labeled=False),
    }
    plan["pool"] = [
        {"use": "audiofolder", "folder": str(language_folder), "lang": lang}
        for lang, language_folder in world.items()
    ]
    (folder / "texts.txt").write_text("quark\nvexed judge\n")
    plan["texts"] = {"use": "textfile", "file": "texts.txt", "lang": "en"}
    for kind in ("development", "test", "retention"):
        texts = {"development": toy.DEVELOPMENT, "test": toy.TEST, "retention": toy.RETENTION}[kind]
        plan[kind] = {kind: str(toy.speak(texts, folder / kind))}
    plan |= {"asr": "toy", "voices": {"toy": "toy"}, "minimum_utterances": 1, "gates": []}
    plan["filters"] = {"pseudo": ["duration"], "synthetic": ["duration"]}
    # A letter takes 50 ms; there are too few sentences to leave a switch inside one to chance.
    # Every clip of these few, instead of a share of English.
    plan.pop("mix", None)
    plan["pack"] |= {"limit": 1.6, "gap": 0.05, "inside": 1.0}
    path = folder / "code-switch.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


def test_a_round_with_code_switched_packing_keeps_every_language_span(tmp_path: Path) -> None:
    round_folder = next_round(load(write_toy_plan(tmp_path)), tmp_path / "run").folder
    packed = list(Manifest(round_folder / "packed"))
    switched = [window for window in packed if len({piece.lang for piece in window.pieces}) == 2]
    assert 0.3 <= len(switched) / len(packed) <= 0.7
    for window in packed:
        spans = [(piece.start, piece.end, piece.text) for piece in window.pieces]
        assert all(start < end for start, end, _ in spans) and window.duration <= 1.6
        assert window.text == " ".join(text for _, _, text in spans)
    inside = [window for window in switched if window.pieces[0].id == window.pieces[-1].id]
    assert inside and all(window.lang == window.pieces[0].lang for window in inside)
