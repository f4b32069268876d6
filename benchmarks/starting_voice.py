"""Train a voice for long on what a demo round has: its lesson, and what its splices said.

python benchmarks/starting_voice.py RUN FOLDER [--voice speedy_speech] [--steps 5000]
python benchmarks/starting_voice.py RUN FOLDER --try             its last checkpoint, as it stands

RUN is of configs/ivr.yaml. Nothing but the pool's pseudo-labels is learned from: spliced sentences
are their words in another order. Killed, it goes on from its last checkpoint. At the end it has the
trial that a round would give it, and says apart how the texts fared that the splices had said too;
one that passes is written to FOLDER/published, to be handed on.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from itertools import chain
from pathlib import Path

import torch

from twister_loop.asr._base import BoundRecognizer, Recognizer
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint
from twister_loop.evaluation import metrics
from twister_loop.pipeline.run_folder import RunFolder
from twister_loop.pipeline.stages.voices import VoiceTrialOptions, try_voice
from twister_loop.tts._base import Synthesizer
from twister_loop.tts._coqui import model_files
from twister_loop.tts._coqui.synthesizer import CoquiSynthesizer
from twister_loop.tts._coqui.training import CHECKPOINT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--speaker", default="it-1")
    parser.add_argument("--voice", default="speedy_speech")
    parser.add_argument("--noise", type=float)
    parser.add_argument("--speed", type=float)
    parser.add_argument("--try", dest="attempt", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    at, folder = RunFolder.read(options.run).round_folders[-1], options.folder
    parts = [at / "filtered_labels", *sorted(at.glob("voices/*/synthetic"))]
    said = chain.from_iterable(Manifest.load(each) for each in parts)
    lesson = Manifest.write((each for each in said if each.text), folder / "filtered_labels")
    asr = Recognizer.build({"use": "whisper"})
    champion, texts = BoundRecognizer(asr, asr.initial_checkpoint()), Manifest.load(at / "texts")
    spec: dict[str, object] = {"use": options.voice, "speaker": options.speaker, "save_every": 100}
    ways = {
        name: vars(options)[name] for name in ("noise", "speed") if vars(options)[name] is not None
    }
    speaker = Synthesizer.build({**spec, "steps": options.steps, **ways})
    assert isinstance(speaker, CoquiSynthesizer)
    if options.attempt:
        how = [f"{name}-{each:g}" for name, each in ways.items()]
        trial = folder / "attempts" / "-".join([f"step-{last_checkpoint(folder)}", *how])
        voice = Checkpoint(engine=speaker.name, location=folder / "attempts")
    else:
        trial = folder / "trial"
        voice = speaker.train(None, lesson, texts, champion, folder / "voice", seed=1)
    tried = try_voice(
        speaker, voice, "starting", texts, champion, VoiceTrialOptions(), 13, out=trial
    )
    logging.info("%s", tried)
    spliced = {each.text for each in lesson}
    for known in True, False:
        heard = [each for each in Manifest.load(trial) if (each.text in spliced) == known]
        count = metrics.sum_counts([metrics.count_utterance_errors(each) for each in heard])
        which = "also spliced" if known else "not spliced"
        logging.info("%s: %d, CER %.2f", which, len(heard), count.rate)
    for each in Manifest.load(trial):
        logging.info("  %s\n    %s", each.text, each.pred_text)
    if tried.passed and not options.attempt:
        model = speaker._load_model(voice.location / model_files.WEIGHTS)
        (folder / "published").mkdir(exist_ok=True)
        logging.info("%s", model_files.publish_model(model, folder / "published"))


def last_checkpoint(folder: Path) -> int:
    """Make a voice of the checkpoint that training left last; return its step."""
    resume = folder / "voice" / "resume"
    state = torch.load(resume / CHECKPOINT, map_location="cpu", weights_only=True)
    (folder / "attempts").mkdir(exist_ok=True)
    torch.save({"model": state["model"]}, folder / "attempts" / model_files.WEIGHTS)
    shutil.copy(resume / model_files.CONFIG, folder / "attempts" / model_files.CONFIG)
    return int(state["step"])


if __name__ == "__main__":
    main()
