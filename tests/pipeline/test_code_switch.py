"""The shipped plan for code-switching, shrunk to the toy world."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.core.manifest import Manifest

ROOT = Path(__file__).parents[2]
ITALIAN = ["a i e", "io e lei", "a lei e io", "eia eia", "o a lui", "oi oi a"]
ENGLISH = ["ae oe ie", "you are a", "ue ie oe a", "oo ee aa", "a eye", "you ao"]


def shrunk(folder: Path) -> Path:
    """The plan with the toy recognizer, a voice in its language, and two languages to hear."""
    plan = yaml.safe_load((ROOT / "configs" / "code-switch.yaml").read_text())
    world = {
        "it": toy.speak(ITALIAN, folder / "it", labeled=False),
        "en": toy.speak(ENGLISH, folder / "en", labeled=False),
    }
    plan["pool"] = [
        {"use": "audiofolder", "folder": str(at), "lang": lang} for lang, at in world.items()
    ]
    (folder / "texts.txt").write_text("quark\nvexed judge\n")
    plan["texts"] = {"use": "textfile", "file": "texts.txt", "lang": "en"}
    for kind in ("development", "test", "retention"):
        texts = {"development": toy.DEVELOPMENT, "test": toy.TEST, "retention": toy.RETENTION}[kind]
        plan[kind] = {kind: str(toy.speak(texts, folder / kind))}
    plan |= {"asr": "toy", "voices": {"toy": "toy"}, "minimum_utterances": 1, "gates": []}
    plan["filters"] = {"pseudo": ["duration"], "synthetic": ["duration"]}
    # A letter takes 50 ms; there are too few sentences to leave a switch inside one to chance.
    plan["pack"] |= {"limit": 1.6, "gap": 0.05, "inside": 1.0}
    path = folder / "code-switch.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


def test_a_round_with_code_switched_packing_keeps_every_language_span(tmp_path: Path) -> None:
    at = next_round(load(shrunk(tmp_path)), tmp_path / "run").folder
    packed = list(Manifest(at / "packed"))
    switched = [each for each in packed if len({piece.lang for piece in each.pieces}) == 2]
    assert 0.3 <= len(switched) / len(packed) <= 0.7
    for each in packed:
        spans = [(piece.start, piece.end, piece.text) for piece in each.pieces]
        assert all(start < end for start, end, _ in spans) and each.duration <= 1.6
        assert each.text == " ".join(text for _, _, text in spans)
    inside = [each for each in switched if each.pieces[0].id == each.pieces[-1].id]
    assert inside and all(each.lang == each.pieces[0].lang for each in inside)
