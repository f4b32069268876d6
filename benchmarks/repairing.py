"""What repairing labels with words of the texts gets right, by how much the texts are trusted.

python benchmarks/repairing.py      (the Italian pool as untouched Whisper base labels it)
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from twister_loop import Utterance
from twister_loop.lexicon import words_of
from twister_loop.manifest import Manifest
from twister_loop.parts import Corpus, Listener, Recognizer
from twister_loop.repairing import Repair, repair


def listed(folder: Path, split: str, **more: object) -> list[Utterance]:
    corpus = Corpus.build({"use": "ivr", "split": split})
    said = [each for each in corpus.utterances() if not each.rejected_by]
    return [replace(each, id=str(n), lang="it", **more) for n, each in enumerate(said)]  # type: ignore[arg-type]


def main() -> None:
    asr = Recognizer.build({"use": "whisper"})
    champion = Listener(asr, asr.base())
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        references = {
            each.audio_filepath: each.text or "" for each in listed(out, "pool_references")
        }
        pool = [each for each in listed(out, "pool") if each.audio_filepath in references]
        heard = (
            replace(each, text=each.pred_text, origin="pseudo")
            for each in champion.transcribe(replace(each, text=None) for each in pool)
        )
        labels = Manifest.write(heard, out / "labels")
        texts = Manifest.write(listed(out, "texts"), out / "texts")
        sys.stdout.write(
            "| trust | labels | repaired | rightly | wrongly |\n|---|---|---|---|---|\n"
        )
        for trust in (0.0, 1.0, 2.0, 4.0, 8.0):
            found = repair(Repair(trust=trust), labels, texts, champion, out=out / f"{trust}")
            changed = [each for each in found if each.repaired]
            right = 0
            for each in changed:
                said = words_of(references[each.audio_filepath], "it")
                new = set(words_of(each.text, "it")) - set(words_of(each.repaired, "it"))
                right += new <= set(said)
                sys.stderr.write(f"{trust}: {each.repaired!r} -> {new}; {' '.join(said)!r}\n")
            row = (f"{trust:g}", len(labels), len(changed), right, len(changed) - right)
            sys.stdout.write(f"| {' | '.join(map(str, row))} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
