"""A tiny SpeedySpeech through Coqui's real trainer, on clips of tones."""

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
from twister_loop.tts._coqui import model_files
from twister_loop.tts._coqui import speedy_speech_model as speedy
from twister_loop.tts.speedy_speech import SpeedySpeechSynthesizer

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "configs" / "voices" / "ivr.it"
STEPS = 60
TINY = SpeedySpeechSynthesizer(
    hidden=16,
    encoder_blocks=2,
    decoder_blocks=4,  # of dilations 1, 2, 4 and 1
    steps=STEPS,
    batch=8,
    learning_rate=4e-3,
    save_every=10,
)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_labeled_clips(tmp_path_factory.mktemp("lesson"))


@pytest.fixture(scope="module")
def trained(
    lesson: Manifest, texts: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    return TINY.train(None, lesson, texts, NO_CHAMPION, tmp_path_factory.mktemp("voice") / "v", 7)


@pytest.fixture
def model(trained: Checkpoint) -> Any:
    return speedy.load_model(trained.location / "model.pth").eval()


def test_the_name_in_the_plan_finds_it_and_its_options() -> None:
    built = Synthesizer.build({"use": "speedy_speech", "steps": 3, "speed": 1})
    assert built == SpeedySpeechSynthesizer(steps=3, speed=1.0)
    with pytest.raises(ConfigError, match="encoder_blocks"):
        Synthesizer.build({"use": "speedy_speech", "encoder_blocks": 0})


def test_training_lowers_the_loss_and_leaves_a_voice_and_its_notes_alone(
    trained: Checkpoint,
) -> None:
    left = {each.name for each in trained.location.iterdir()}
    assert left == {"config.json", "model.pth", "training.jsonl", "train.log"}
    noted = read_losses(trained.location)
    assert [step for step, _ in noted] == list(range(STEPS))
    first, last = (np.mean([loss for _, loss in part]) for part in (noted[:10], noted[-10:]))
    assert last < 0.8 * first


def test_training_that_was_interrupted_goes_on_to_the_same_voice(
    lesson: Manifest,
    texts: Manifest,
    trained: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from twister_loop.tts._coqui import training

    check = training.LossMonitor.check_loss

    def stop(self: training.LossMonitor, step: int, loss: float | None) -> None:
        if step == 34:
            raise KeyboardInterrupt
        check(self, step, loss)

    monkeypatch.setattr(training.LossMonitor, "check_loss", stop)
    with pytest.raises(BaseException):  # noqa: B017  the trainer turns an interrupt into an exit
        TINY.train(None, lesson, texts, NO_CHAMPION, tmp_path / "v", 7)
    left = torch.load(tmp_path / "v" / "resume" / training.CHECKPOINT, weights_only=True)
    assert 20 < left["step"] <= 34
    monkeypatch.undo()
    resumed = TINY.train(None, lesson, texts, NO_CHAMPION, tmp_path / "v", 7)
    assert read_losses(resumed.location) == read_losses(trained.location)
    one, other = (each.location / "model.pth" for each in (trained, resumed))
    assert one.read_bytes() == other.read_bytes()


def test_it_speaks_whatever_is_asked_however_short(trained: Checkpoint, tmp_path: Path) -> None:
    asked = write_texts(tmp_path, "a", "la terra e il sole", "Sette!", "7", "...")
    letter, long, word, digit, dots = TINY.synthesize(trained, asked, tmp_path)
    assert long.error is word.error is None
    assert (long.origin, long.made_by, long.speaker) == ("synthetic", "speedy_speech", "ada")
    assert letter.error is None or letter.error.startswith("spoken, it takes only")
    assert digit.error == "the voice cannot speak 7"
    assert dots.error == "there is nothing to speak"
    samples = audio.read(long.audio_filepath)
    assert long.duration == len(samples) / audio.SAMPLE_RATE > word.duration
    assert -30 < audio.measure_loudness(samples) < -15


def test_what_would_be_absurdly_long_is_an_error(trained: Checkpoint, tmp_path: Path) -> None:
    [long] = replace(TINY, speed=1e-9).synthesize(trained, write_texts(tmp_path, "alba"), tmp_path)
    assert long.error == "spoken, it would take more than 30 s"


def test_a_take_is_drawn_by_its_id_and_whatever_it_is_spoken_with(
    trained: Checkpoint, tmp_path: Path
) -> None:
    takes = [Utterance(id=f"take-{at}", text="la terra e il sole") for at in range(4)]
    together = list(TINY.synthesize(trained, takes, tmp_path / "a"))
    [alone] = TINY.synthesize(trained, takes[2:3], tmp_path / "b")
    files = [each.audio_filepath for each in (together[2], alone)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len({each.duration for each in together}) > 2
    even = replace(TINY, noise=0.0, speed=1.0).synthesize(trained, takes, tmp_path / "c")
    assert len({each.duration for each in even}) == 1


def test_a_later_round_goes_on_from_the_voice_and_learns_of_new_letters(
    texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    grown = [
        replace(each, text=f"{each.text} ž")
        for each in write_labeled_clips(tmp_path / "l", clips=30)
    ]
    lesson = Manifest.write(grown, tmp_path / "grown")
    quick = replace(TINY, steps=1, hidden=64)
    later = quick.train(trained, lesson, texts, NO_CHAMPION, tmp_path / "v", 8)
    old, new = (speedy.load_model(each.location / "model.pth") for each in (trained, later))
    assert model_files.model_characters(new) - model_files.model_characters(old) == {"ž"}
    assert new.args.hidden_channels == 16  # the sizes of the earlier voice
    for name, weights in old.state_dict().items():
        if name != speedy.CHARACTER_EMBEDDING and weights.is_floating_point():
            assert (weights - new.state_dict()[name]).abs().max() < 0.2, name
    for each in model_files.model_characters(old):
        row = old.emb.weight[old.tokenizer.characters.char_to_id(each)]
        now = new.emb.weight[new.tokenizer.characters.char_to_id(each)]
        assert (row - now).abs().max() < 0.01


def test_the_aligner_is_coqui_s_own_but_for_the_prior(
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
    found = speedy.diagonal_log_prior(x_mask, y_mask).exp()
    for place, (letters, frames) in enumerate(((7, 12), (4, 9))):
        for frame in range(1, frames + 1):
            expected = betabinom(letters - 1, frame, frames - frame + 1).pmf(np.arange(letters))
            assert np.allclose(found[place, frame - 1, :letters], expected, atol=1e-4)


def test_a_sentence_begins_as_if_silence_were_before_it(model: Any) -> None:
    """Coqui's own layers say the first and last frames without looking at them."""
    sound = torch.randn(1, 16, 40)
    silence = torch.nn.functional.pad(sound, (20, 20))
    layer = model.decoder.decoder.res_conv_block.res_blocks[2].conv_bn_blocks[0]
    with torch.inference_mode():
        alone, among = layer(sound), layer(silence)[..., 20:60]
        theirs = type(layer).forward(layer, sound)
    assert torch.allclose(alone, among, atol=1e-6)
    assert torch.allclose(theirs[..., 6:-6], alone[..., 6:-6], atol=1e-6)
    assert not torch.allclose(theirs, alone, atol=1e-2)


def test_other_voices_are_refused_with_a_reason(trained: Checkpoint, tmp_path: Path) -> None:
    config = model_files.read_config(trained.location / "model.pth")
    assert speedy.explain_unfit(config) is None
    for option, why in (
        ("use_speaker_embedding", "has several speakers"),
        ("use_pitch", "is told pitch or energy"),
    ):
        setattr(config.model_args, option, True)
        assert speedy.explain_unfit(config) == f"the voice {why}"
        setattr(config.model_args, option, False)
    config.model_args.use_aligner = False
    assert "cannot find that out" in (speedy.explain_unfit(config) or "")
    glow.create_model(8000, 16, 2, 1, LETTERS).config.save_json(tmp_path / "config.json")
    torch.save({"model": {}}, tmp_path / "model.pth")
    with pytest.raises(ConfigError, match="is a glow_tts, not a speedy_speech"):
        speedy.load_model(tmp_path / "model.pth")
    (tmp_path / "config.json").write_text((trained.location / "config.json").read_text())
    with pytest.raises(EngineError, match=r"does not fit its config\.json"):
        speedy.load_model(tmp_path / "model.pth")


def test_the_voice_that_is_shipped_is_small_and_can_say_what_the_demo_asks() -> None:
    part = SpeedySpeechSynthesizer(start=SHIPPED, noise=0.0, speed=1.0)
    assert not list(part.validation_errors())
    assert (SHIPPED / "model.safetensors").stat().st_size < 15_000_000
    model = speedy.load_model(model_files.find_weights(SHIPPED)).eval()
    spec = {"use": "textfile", "file": ROOT / "configs" / "texts" / "ivr.it.txt"}
    asked = [
        model_files.prepare_text(model, each.text or "") for each in Corpus.build(spec).utterances()
    ]
    assert len(asked) > 100 and not [
        each for each in asked if model_files.explain_unspeakable(model, each)
    ]
    [said] = part._synthesize_window(model, [Utterance(id="x", text="La conferenza inizia oggi.")])
    assert isinstance(said.samples_or_error, np.ndarray) and said.speaker == "it-1"
    assert 1.0 < len(said.samples_or_error) / model.ap.sample_rate < 4.0
