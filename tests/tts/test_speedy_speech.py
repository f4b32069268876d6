"""Tests with a tiny SpeedySpeech in Coqui's real trainer, on clips of tones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("TTS")

import torch
from scipy.stats import betabinom

from tests.tones import LETTERS, NO_CHAMPION, read_losses, write_labeled_clips, write_texts
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.data.corpora._base import Corpus
from twister_loop.tts._base import Synthesizer
from twister_loop.tts._coqui import glow_tts_model as glow
from twister_loop.tts._coqui import model_files, voice_files
from twister_loop.tts._coqui import speedy_speech_model as speedy
from twister_loop.tts.speedy_speech import SpeedySpeechSynthesizer

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "configs" / "voices" / "ivr.it"
STEPS = 60
TINY = SpeedySpeechSynthesizer(
    hidden=16,
    encoder_blocks=2,
    decoder_blocks=4,  # with dilations 1, 2, 4 and 1
    steps=STEPS,
    batch=8,
    learning_rate=4e-3,
    save_every=10,
)


def weights_of(voice: Checkpoint) -> Path:
    return voice.location / "model.pth"


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_labeled_clips(tmp_path_factory.mktemp("filtered_labels"))


@pytest.fixture(scope="module")
def trained(
    labels: Manifest, texts: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    return TINY.train(None, labels, texts, NO_CHAMPION, tmp_path_factory.mktemp("voice") / "v", 7)


@pytest.fixture
def model(trained: Checkpoint) -> Any:
    return speedy.load_model(weights_of(trained)).eval()


def test_a_plan_finds_the_synthesizer_and_its_options_by_name() -> None:
    built = Synthesizer.build({"use": "speedy_speech", "steps": 3, "speed": 1})
    assert built == SpeedySpeechSynthesizer(steps=3, speed=1.0)
    with pytest.raises(ConfigError, match="encoder_blocks"):
        Synthesizer.build({"use": "speedy_speech", "encoder_blocks": 0})


def test_training_lowers_the_loss_and_leaves_a_voice_and_its_log(trained: Checkpoint) -> None:
    files = {path.name for path in trained.location.iterdir()}
    assert files == {"config.json", "model.pth", "training.jsonl", "train.log"}
    steps, losses = zip(*read_losses(trained.location), strict=True)
    assert list(steps) == list(range(STEPS))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_an_interrupted_training_resumes_to_the_same_voice(
    labels: Manifest,
    texts: Manifest,
    trained: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from twister_loop.tts._coqui import training

    check_loss = training.LossMonitor.check_loss

    def interrupt(self: training.LossMonitor, step: int, loss: float | None) -> None:
        if step == 34:
            raise KeyboardInterrupt
        check_loss(self, step, loss)

    monkeypatch.setattr(training.LossMonitor, "check_loss", interrupt)
    with pytest.raises(BaseException):  # noqa: B017  Coqui's trainer may turn an interrupt into an exit
        TINY.train(None, labels, texts, NO_CHAMPION, tmp_path / "v", 7)
    checkpoint = torch.load(tmp_path / "v" / "resume" / training.CHECKPOINT, weights_only=True)
    assert 20 < checkpoint["step"] <= 34
    monkeypatch.undo()
    resumed = TINY.train(None, labels, texts, NO_CHAMPION, tmp_path / "v", 7)
    assert read_losses(resumed.location) == read_losses(trained.location)
    assert weights_of(resumed).read_bytes() == weights_of(trained).read_bytes()


def test_texts_are_spoken_however_short_they_are(trained: Checkpoint, tmp_path: Path) -> None:
    texts = write_texts(tmp_path, "a", "la terra e il sole", "Sette!", "7", "...")
    letter, long, word, digit, dots = TINY.synthesize(trained, texts, tmp_path)
    assert long.error is word.error is None
    assert (long.origin, long.made_by, long.speaker) == ("synthetic", "speedy_speech", "ada")
    assert letter.error is None or letter.error.startswith("the speech is only")
    assert digit.error == "the voice cannot speak 7"
    assert dots.error == "there is nothing to speak"
    samples = audio.read(long.audio_filepath)
    assert long.duration == len(samples) / audio.SAMPLE_RATE > word.duration
    assert -30 < audio.measure_loudness(samples) < -15


def test_absurdly_long_speech_is_an_error(trained: Checkpoint, tmp_path: Path) -> None:
    [long] = replace(TINY, speed=1e-9).synthesize(trained, write_texts(tmp_path, "alba"), tmp_path)
    assert long.error == "the speech would be longer than 30 s"


def test_a_sample_depends_on_its_id_and_not_on_the_texts_beside_it(
    trained: Checkpoint, tmp_path: Path
) -> None:
    texts = [Utterance(id=f"sample-{n}", text="la terra e il sole") for n in range(4)]
    together = list(TINY.synthesize(trained, texts, tmp_path / "a"))
    [alone] = TINY.synthesize(trained, texts[2:3], tmp_path / "b")
    assert alone.audio_filepath.read_bytes() == together[2].audio_filepath.read_bytes()
    assert len({utterance.duration for utterance in together}) > 2
    even = replace(TINY, noise=0.0, speed=1.0).synthesize(trained, texts, tmp_path / "c")
    assert len({utterance.duration for utterance in even}) == 1


def test_a_later_round_continues_from_the_voice_with_new_letters(
    texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    clips = [
        replace(clip, text=f"{clip.text} ž")
        for clip in write_labeled_clips(tmp_path / "l", clips=30)
    ]
    labels = Manifest.write(clips, tmp_path / "grown")
    quick = replace(TINY, steps=1, hidden=64)
    later = quick.train(trained, labels, texts, NO_CHAMPION, tmp_path / "v", 8)
    old, new = (speedy.load_model(weights_of(voice)) for voice in (trained, later))
    assert model_files.model_characters(new) - model_files.model_characters(old) == {"ž"}
    assert new.args.hidden_channels == 16  # the size of the earlier voice
    for name, tensor in old.state_dict().items():
        if name != speedy.CHARACTER_EMBEDDING and tensor.is_floating_point():
            assert (tensor - new.state_dict()[name]).abs().max() < 0.2, name
    for letter in model_files.model_characters(old):
        old_row = old.emb.weight[old.tokenizer.characters.char_to_id(letter)]
        new_row = new.emb.weight[new.tokenizer.characters.char_to_id(letter)]
        assert (old_row - new_row).abs().max() < 0.01


def test_without_the_prior_the_aligner_computes_what_coqui_s_own_does(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    letters, frames = torch.randn(2, 9, 16), torch.randn(2, 30, 80)
    x_mask, y_mask = torch.ones(2, 1, 9), torch.ones(2, 1, 30)
    x_mask[1, :, 6:], y_mask[1, :, 20:] = 0, 0
    monkeypatch.setattr(speedy, "diagonal_log_prior", lambda *_: 0.0)
    with torch.no_grad():
        ours = model._forward_aligner(letters, frames, x_mask, y_mask)
        theirs = super(speedy.SpeedySpeech, model)._forward_aligner(letters, frames, x_mask, y_mask)
    assert torch.allclose(ours[1], theirs[1], atol=1e-5)
    assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[3], theirs[3])
    assert ours[2].shape == theirs[2].shape
    assert ours[0].sum(1).tolist() == [30, 20] and ours[0].min(1).values.tolist() == [1, 0]


def test_the_prior_is_beta_binomial_along_the_diagonal() -> None:
    x_mask, y_mask = torch.ones(2, 1, 7), torch.ones(2, 1, 12)
    x_mask[1, :, 4:], y_mask[1, :, 9:] = 0, 0
    prior = speedy.diagonal_log_prior(x_mask, y_mask).exp()
    for index, (letters, frames) in enumerate(((7, 12), (4, 9))):
        for frame in range(1, frames + 1):
            expected = betabinom(letters - 1, frame, frames - frame + 1).pmf(np.arange(letters))
            assert np.allclose(prior[index, frame - 1, :letters], expected, atol=1e-4)


def test_convolutions_see_the_first_and_last_frames_as_if_beside_silence(model: Any) -> None:
    """Coqui's own layers append zeros to their output instead."""
    frames = torch.randn(1, 16, 40)
    padded = torch.nn.functional.pad(frames, (20, 20))
    layer = model.decoder.decoder.res_conv_block.res_blocks[2].conv_bn_blocks[0]
    with torch.inference_mode():
        ours, beside_silence = layer(frames), layer(padded)[..., 20:60]
        theirs = type(layer).forward(layer, frames)
    assert torch.allclose(ours, beside_silence, atol=1e-6)
    assert torch.allclose(theirs[..., 6:-6], ours[..., 6:-6], atol=1e-6)
    assert not torch.allclose(theirs, ours, atol=1e-2)


def test_other_voices_are_refused_with_a_reason(trained: Checkpoint, tmp_path: Path) -> None:
    config = model_files.read_config(weights_of(trained))
    assert voice_files.explain_unfit_speedy_speech(config) is None
    for option, reason in (
        ("use_speaker_embedding", "has several speakers"),
        ("use_pitch", "needs pitch or energy as input"),
    ):
        setattr(config.model_args, option, True)
        assert voice_files.explain_unfit_speedy_speech(config) == f"the voice {reason}"
        setattr(config.model_args, option, False)
    config.model_args.use_aligner = False
    assert "has no aligner" in (voice_files.explain_unfit_speedy_speech(config) or "")
    glow.create_model(8000, 16, 2, 1, LETTERS).config.save_json(tmp_path / "config.json")
    torch.save({"model": {}}, tmp_path / "model.pth")
    with pytest.raises(ConfigError, match="is a glow_tts, not a speedy_speech"):
        speedy.load_model(tmp_path / "model.pth")
    (tmp_path / "config.json").write_text((trained.location / "config.json").read_text())
    with pytest.raises(EngineError, match=r"does not fit the config\.json beside it"):
        speedy.load_model(tmp_path / "model.pth")


def test_the_shipped_voice_is_small_and_can_speak_all_texts_of_the_demo() -> None:
    synthesizer = SpeedySpeechSynthesizer(start=SHIPPED, noise=0.0, speed=1.0)
    assert not list(synthesizer.validation_errors())
    assert (SHIPPED / "model.safetensors").stat().st_size < 15_000_000
    model = speedy.load_model(voice_files.find_weights(SHIPPED)).eval()
    spec = {"use": "textfile", "file": ROOT / "configs" / "texts" / "ivr.it.txt"}
    utterances = Corpus.build(spec).utterances()
    texts = [model_files.prepare_text(model, utterance.text or "") for utterance in utterances]
    assert len(texts) > 100
    assert not [text for text in texts if model_files.explain_unspeakable(model, text)]
    [(speaker, samples)] = synthesizer._synthesize_window(
        model, [Utterance(id="x", text="La conferenza inizia oggi.")]
    )
    assert isinstance(samples, np.ndarray) and speaker == "it-1"
    assert 1.0 < len(samples) / model.ap.sample_rate < 4.0
