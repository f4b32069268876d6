"""Tests with a tiny VITS of the real class in Coqui's real trainer, on clips of tones."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("TTS")

import torch

from tests.tones import LETTERS, NO_CHAMPION, read_losses, write_labeled_clips
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.tts._base import Synthesizer
from twister_loop.tts._coqui import model_files, training, training_clips, voice_files
from twister_loop.tts._coqui import vits_model as vits
from twister_loop.tts.vits import VitsSynthesizer

pytestmark = pytest.mark.model

STEPS = 10
SIZES = dict[str, Any](hidden=16, layers=1, channels=16, periods=(), segment=8)
TINY = VitsSynthesizer(
    **SIZES, sample_rate=8000, steps=STEPS, batch=6, learning_rate=2e-3, save_every=5
)


def weights_of(voice: Checkpoint) -> Path:
    return voice.location / "model.pth"


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Clips of two speakers, and too few of a third."""
    folder = tmp_path_factory.mktemp("filtered_labels")
    clips = chain.from_iterable(
        write_labeled_clips(folder / speaker, count, speaker, first=ord(speaker[0]))
        for speaker, count in (("ada", 10), ("bob", 12), ("eve", 2))
    )
    return Manifest.write(clips, folder / "all")


@pytest.fixture(scope="module")
def trained(
    labels: Manifest, texts: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    return TINY.train(None, labels, texts, NO_CHAMPION, tmp_path_factory.mktemp("voice") / "v", 7)


def test_impossible_options_are_an_error_that_names_them() -> None:
    built = Synthesizer.build({"use": "vits", "speed": [0.8, 1.2], "noise": 1, "periods": [2]})
    assert built == VitsSynthesizer(speed=(0.8, 1.2), noise=1.0, periods=(2,))
    for options in ({"rhythm": [1, 0.5]}, {"speed": [0, 1]}, {"channels": 24}, {"periods": [1]}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            Synthesizer.build({"use": "vits", **options})


def test_training_lowers_the_loss_and_leaves_a_voice_with_its_speakers(
    trained: Checkpoint,
) -> None:
    files = {path.name for path in trained.location.iterdir()}
    assert files == {"config.json", "model.pth", "training.jsonl", "train.log"}
    steps, losses = zip(*read_losses(trained.location), strict=True)
    assert list(steps) == list(range(STEPS))
    assert sum(losses[-4:]) < sum(losses[:4])
    model = vits.load_model(weights_of(trained))
    assert model.config.speakers == ["ada", "bob"]
    assert model.state_dict()[vits.SPEAKER_EMBEDDING].shape[0] == 2


def test_an_interrupted_training_resumes_to_the_same_voice(
    labels: Manifest,
    texts: Manifest,
    trained: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_loss = training.LossMonitor.check_loss

    def interrupt(self: training.LossMonitor, step: int, loss: float | None) -> None:
        check_loss(self, step, loss)
        if step == 6:  # the discriminator has been trained in this step, the rest has not
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training.LossMonitor, "check_loss", interrupt)
        TINY.train(None, labels, texts, NO_CHAMPION, tmp_path, 7)
    checkpoint = torch.load(tmp_path / "resume" / training.CHECKPOINT, weights_only=True)
    assert checkpoint["step"] == 5 and len(checkpoint["optimizer"]) == 2
    resumed = TINY.train(None, labels, texts, NO_CHAMPION, tmp_path, 7)
    assert read_losses(resumed.location) == read_losses(trained.location)
    assert weights_of(resumed).read_bytes() == weights_of(trained).read_bytes()


def test_every_text_is_spoken_by_one_of_the_speakers_the_same_way_every_time(
    trained: Checkpoint, texts: Manifest, tmp_path: Path
) -> None:
    more_texts = [*texts, Utterance(id="no", text="7 ж")]
    spoken = list(TINY.synthesize(trained, more_texts, tmp_path / "a"))
    assert [utterance.id for utterance in spoken] == [text.id for text in more_texts]
    errors = [utterance.error for utterance in spoken]
    assert errors == [None] * 5 + ["the voice cannot speak 7 ж"]
    assert {utterance.speaker for utterance in spoken[:5]} == {"ada", "bob"}
    for utterance in spoken[:5]:
        assert (utterance.origin, utterance.made_by) == ("synthetic", "vits")
        samples = audio.load_utterance(utterance)
        assert utterance.duration == len(samples) / audio.SAMPLE_RATE > 0
        [alone] = TINY.synthesize(trained, [replace(utterance, error=None)], tmp_path / "b")
        assert alone.speaker == utterance.speaker
        assert alone.audio_filepath.read_bytes() == utterance.audio_filepath.read_bytes()
    samples_of_one_text = [Utterance(id=f"sample-{n}", text="alba") for n in range(6)]
    spoken = list(TINY.synthesize(trained, samples_of_one_text, tmp_path / "c"))
    assert {utterance.speaker for utterance in spoken} == {"ada", "bob"}
    assert len({utterance.audio_filepath.read_bytes() for utterance in spoken}) == 6


def test_another_speaker_sounds_different_and_a_lower_speed_is_slower(
    trained: Checkpoint, tmp_path: Path
) -> None:
    text = Utterance(id="one", text="la terra e il sole")
    steady = replace(TINY, noise=0.0, rhythm=0.0, speed=1.0)
    samples = {}
    for speaker in ("ada", "bob"):
        synthesizer = replace(steady, speakers=(speaker,))
        [utterance] = synthesizer.synthesize(trained, [text], tmp_path / speaker)
        assert utterance.speaker == speaker
        samples[speaker] = audio.load_utterance(utterance)
        [slow] = replace(synthesizer, speed=0.5).synthesize(trained, [text], tmp_path / "slow")
        assert slow.duration > 1.5 * utterance.duration
    have_one_length = len(samples["ada"]) == len(samples["bob"])
    assert not have_one_length or abs(samples["ada"] - samples["bob"]).max() > 1e-3


def test_absurdly_long_or_short_speech_is_an_error(trained: Checkpoint, tmp_path: Path) -> None:
    texts = [Utterance(id="x", text="no")]
    [long] = replace(TINY, speed=1e-9).synthesize(trained, texts, tmp_path)
    [short] = replace(TINY, speed=1e9).synthesize(trained, texts, tmp_path)
    assert long.error == "the speech would be longer than 30 s"
    assert short.error is not None and short.error.startswith("the speech is only 0.0")


def test_a_later_round_adds_letters_and_speakers_and_keeps_the_earlier_ones(
    trained: Checkpoint, texts: Manifest, tmp_path: Path
) -> None:
    ada = write_labeled_clips(tmp_path / "a", 14)
    zoe = write_labeled_clips(tmp_path / "z", 8, "zoe", first=90)
    clips = [replace(clip, text=f"{clip.text} ž") for clip in (*ada, *zoe)]
    labels = Manifest.write(clips, tmp_path / "l")
    later_round = replace(TINY, steps=1, hidden=64, start=tmp_path / "nowhere")
    later = later_round.train(trained, labels, texts, NO_CHAMPION, tmp_path / "v", 8)
    old, new = (vits.load_model(weights_of(voice)) for voice in (trained, later))
    assert model_files.model_characters(new) - model_files.model_characters(old) == {"ž"}
    assert new.config.speakers == ["ada", "bob", "zoe"]
    assert new.args.hidden_channels == 16  # the size of the earlier voice
    change = new.emb_g.weight[:2] - old.emb_g.weight
    assert change.abs().max() < 0.01


def test_earlier_rows_stay_and_a_new_speaker_begins_at_their_mean(trained: Checkpoint) -> None:
    old = vits.load_model(weights_of(trained))
    speaker_rows, letter_rows = old.emb_g.weight.clone(), old.text_encoder.emb.weight.clone()
    to_old_row = old.tokenizer.characters.char_to_id
    old_rows = {letter: to_old_row(letter) for letter in model_files.model_characters(old)}
    new = vits.extend_model(old, "xyž", ["zoe", "bob"])
    assert new.config.speakers == ["ada", "bob", "zoe"]
    assert torch.equal(new.emb_g.weight[:2], speaker_rows)
    assert torch.allclose(new.emb_g.weight[2], speaker_rows.mean(0))
    for letter, row in old_rows.items():
        new_row = new.tokenizer.characters.char_to_id(letter)
        assert torch.equal(new.text_encoder.emb.weight[new_row], letter_rows[row])


def test_a_voice_of_one_speaker_is_loaded_as_one_of_several_and_sounds_the_same(
    trained: Checkpoint, tmp_path: Path
) -> None:
    from TTS.tts.models.vits import Vits

    config = vits.load_model(weights_of(trained)).config
    for part in (config, config.model_args):
        part.use_speaker_embedding = False
    config.speakers = []
    torch.manual_seed(3)
    before = Vits(config).eval()
    model_files.save_model(before, tmp_path)
    after = vits.load_model(tmp_path / "model.pth").eval()
    assert after.config.speakers == [vits.UNNAMED_SPEAKER]
    token_ids = torch.tensor([before.tokenizer.text_to_ids("alba")])
    lengths = torch.tensor([token_ids.shape[1]])
    outputs = []
    for model, speaker_ids in ((before, None), (after, torch.tensor([0]))):
        torch.manual_seed(5)
        inputs = {"x_lengths": lengths, "speaker_ids": speaker_ids}
        outputs.append(model.inference(token_ids, inputs)["model_outputs"])
    assert torch.allclose(outputs[0], outputs[1], atol=1e-5)


def test_speakers_are_also_read_from_the_files_of_coqui_s_downloader(
    trained: Checkpoint, tmp_path: Path
) -> None:
    config = model_files.read_config(weights_of(trained))
    config.speakers = []
    config.save_json(tmp_path / "config.json")
    (tmp_path / "model_file.pth").symlink_to(weights_of(trained))
    weights = voice_files.find_weights(tmp_path)
    with pytest.raises(ConfigError, match=r"neither its config\.json nor speaker_ids\.json or"):
        vits.load_model(weights)
    (tmp_path / "speaker_ids.json").write_text("[]]")
    with pytest.raises(EngineError, match=r"speaker_ids\.json: not a JSON object of speakers"):
        vits.load_model(weights)
    (tmp_path / "speaker_ids.json").write_text('{"zoe": 1, "eva": 0}')
    assert vits.load_model(weights).config.speakers == ["eva", "zoe"]


def test_a_start_that_cannot_be_trained_further_is_refused_with_the_plan(
    trained: Checkpoint, tmp_path: Path
) -> None:
    assert Synthesizer.build({"use": "vits", "start": str(trained.location)})
    (tmp_path / "model.pth").write_bytes(b"")
    for name, start, message in (
        ("vits", tmp_path / "gone", r"start: the file .*gone does not exist"),
        ("vits", tmp_path, r"start: .*model\.pth: there is no config\.json beside it"),
        ("glow_tts", trained.location, "start: the voice is a vits, not a glow_tts"),
    ):
        with pytest.raises(ConfigError, match=message):
            Synthesizer.build({"use": name, "start": str(start)})


def test_clips_without_a_speaker_count_as_one_speaker_s(labels: Manifest) -> None:
    unnamed = [replace(clip, speaker=None) for clip in labels]
    clips = TINY._select_clips(unnamed, None)
    assert {clip.speaker for clip in clips} == {vits.UNNAMED_SPEAKER}
    assert len(clips) == len(labels)
    assert {clip.speaker for clip in TINY._select_clips(labels, None)} == {"ada", "bob"}


def test_too_few_clips_or_a_missing_speaker_are_an_error_that_counts_them(
    labels: Manifest,
) -> None:
    few = [clip for clip in labels if clip.speaker != "bob"]
    with pytest.raises(ConfigError, match=r"at least 20 .* there are 10 \(clips .* ada 10, eve 2"):
        training_clips.select_clips_of_speakers(few)
    with pytest.raises(ConfigError, match=r"5 of every speaker, there are 22 of .* ada, bob, eve"):
        training_clips.select_clips_of_speakers(labels, ["ada", "bob", "eve"])


def test_a_loss_that_is_not_a_number_stops_the_training(
    labels: Manifest, texts: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"failed at step [01]: .*smaller learning_rate"):
        replace(TINY, learning_rate=1e12).train(None, labels, texts, NO_CHAMPION, tmp_path, 7)


def test_sizes_fit_together_at_every_rate() -> None:
    scales = vits.Scales(speed=1.0, noise=0.5, rhythm=0.5)
    for sample_rate in (16000, 22050, 48000):
        model = vits.create_model(sample_rate, 16, 1, 16, (), 8, LETTERS, ["ada"]).eval()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            samples = vits.synthesize_samples(model, "alba", "ada", scales, 30.0)
        assert samples is not None and len(samples) % model.ap.hop_length == 0
        assert 0.010 < model.ap.hop_length / sample_rate < 0.017


def test_the_reason_why_it_is_experimental_is_public() -> None:
    assert "nobody has listened" in VitsSynthesizer.experimental
