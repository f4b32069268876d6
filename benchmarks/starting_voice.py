"""Long training of a voice on the data of a demo round: its labels and its spliced sentences.

python benchmarks/starting_voice.py RUN FOLDER [--voice speedy_speech] [--steps 5000]
python benchmarks/starting_voice.py RUN FOLDER --try             its last checkpoint, as it stands

RUN is a run of configs/ivr.yaml. The voice is trained on pseudo-labels of the pool only: spliced
sentences are their words in another order. A killed training resumes from its last checkpoint. At
the end the voice gets the trial of a round, with results for texts that are in the training data
and for those that are not. A voice that passes is written to FOLDER/published, to be published.
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
from twister_loop.tts._coqui import model_files, voice_files
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
    round_folder, folder = RunFolder.read(options.run).round_folders[-1], options.folder
    sources = [round_folder / "filtered_labels", *sorted(round_folder.glob("voices/*/synthetic"))]
    speech = chain.from_iterable(Manifest.load(source) for source in sources)
    labels = Manifest.write(
        (utterance for utterance in speech if utterance.text), folder / "filtered_labels"
    )
    asr = Recognizer.build({"use": "whisper"})
    champion = BoundRecognizer(asr, asr.initial_checkpoint())
    texts = Manifest.load(round_folder / "texts")
    settings = {
        name: vars(options)[name] for name in ("noise", "speed") if vars(options)[name] is not None
    }
    synthesizer = Synthesizer.build({
        "use": options.voice, "speaker": options.speaker, "save_every": 100,
        "steps": options.steps, **settings,
    })  # fmt: skip
    assert isinstance(synthesizer, CoquiSynthesizer), "only Coqui's voices have checkpoints to try"
    if options.attempt:
        names = [f"{name}-{setting:g}" for name, setting in settings.items()]
        trial = folder / "attempts" / "-".join([f"step-{last_checkpoint(folder)}", *names])
        voice = Checkpoint(engine=synthesizer.name, location=folder / "attempts")
    else:
        trial = folder / "trial"
        voice = synthesizer.train(None, labels, texts, champion, folder / "voice", seed=1)
    trial_result = try_voice(
        synthesizer, voice, "starting", texts, champion, None, VoiceTrialOptions(), 13, out=trial
    )
    logging.info("%s", trial_result)
    trained_texts = {label.text for label in labels}
    for in_training in True, False:
        group = [
            utterance
            for utterance in Manifest.load(trial)
            if (utterance.text in trained_texts) == in_training
        ]
        errors = metrics.sum_counts(
            [metrics.count_utterance_errors(utterance) for utterance in group]
        )
        name = "texts in training" if in_training else "other texts"
        logging.info("%s: %d, CER %.2f", name, len(group), errors.rate)
    for utterance in Manifest.load(trial):
        logging.info("  %s\n    %s", utterance.text, utterance.pred_text)
    if trial_result.passed and not options.attempt:
        model = synthesizer._load_model(voice.location / model_files.WEIGHTS)
        (folder / "published").mkdir(exist_ok=True)
        logging.info("%s", model_files.publish_model(model, folder / "published"))


def last_checkpoint(folder: Path) -> int:
    """Write the last checkpoint of a training as a voice; return its step."""
    resume = folder / "voice" / "resume"
    state = torch.load(resume / CHECKPOINT, map_location="cpu", weights_only=True)
    (folder / "attempts").mkdir(exist_ok=True)
    torch.save({"model": state["model"]}, folder / "attempts" / model_files.WEIGHTS)
    shutil.copy(resume / voice_files.CONFIG, folder / "attempts" / voice_files.CONFIG)
    return int(state["step"])


if __name__ == "__main__":
    main()
