"""A tiny VITS of the real class through Coqui's real trainer, on clips of tones."""

from __future__ import annotations

from dataclasses import replace
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
from twister_loop.tts._coqui import model_files, training, training_clips
from twister_loop.tts._coqui import vits_model as vits
from twister_loop.tts.vits import VitsSynthesizer

pytestmark = pytest.mark.model

STEPS = 10
SIZES = dict[str, Any](hidden=16, layers=1, channels=16, periods=(), segment=8)
TINY = VitsSynthesizer(
    **SIZES, sample_rate=8000, steps=STEPS, batch=6, learning_rate=2e-3, save_every=5
)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Of two speakers, and of a third of whom there is next to nothing."""
    folder = tmp_path_factory.mktemp("lesson")
    many = [("ada", 10), ("bob", 12), ("eve", 2)]
    clips = [write_labeled_clips(folder / name, count, name, ord(name[0])) for name, count in many]
    return Manifest.write((each for of_one in clips for each in of_one), folder / "all")


@pytest.fixture(scope="module")
def trained(
    lesson: Manifest, texts: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    return TINY.train(None, lesson, texts, NO_CHAMPION, tmp_path_factory.mktemp("voice") / "v", 7)


def test_options_that_cannot_be_are_a_sentence() -> None:
    built = Synthesizer.build({"use": "vits", "speed": [0.8, 1.2], "noise": 1, "periods": [2]})
    assert built == VitsSynthesizer(speed=(0.8, 1.2), noise=1.0, periods=(2,))
    for wrong in ({"rhythm": [1, 0.5]}, {"speed": [0, 1]}, {"channels": 24}, {"periods": [1]}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Synthesizer.build({"use": "vits", **wrong})


def test_training_lowers_the_loss_and_leaves_a_voice_that_knows_its_speakers(
    trained: Checkpoint,
) -> None:
    left = {each.name for each in trained.location.iterdir()}
    assert left == {"config.json", "model.pth", "training.jsonl", "train.log"}
    noted = read_losses(trained.location)
    assert [step for step, _ in noted] == list(range(STEPS))
    first, last = (sum(loss for _, loss in each) / 4 for each in (noted[:4], noted[-4:]))
    assert last < first
    model = vits.load_model(trained.location / "model.pth")
    assert model.config.speakers == ["ada", "bob"]
    assert model.state_dict()[vits.SPEAKER_EMBEDDING].shape[0] == 2


def test_training_that_was_broken_off_goes_on_to_the_same_voice(
    lesson: Manifest,
    texts: Manifest,
    trained: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = training.LossMonitor.check_loss

    def broken(self: training.LossMonitor, step: int, loss: float | None) -> None:
        looked(self, step, loss)
        if step == 6:  # when the discriminator has learned and the rest has not
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training.LossMonitor, "check_loss", broken)
        TINY.train(None, lesson, texts, NO_CHAMPION, tmp_path, 7)
    left = torch.load(tmp_path / "resume" / training.CHECKPOINT, weights_only=True)
    assert left["step"] == 5 and len(left["optimizer"]) == 2
    resumed = TINY.train(None, lesson, texts, NO_CHAMPION, tmp_path, 7)
    assert read_losses(resumed.location) == read_losses(trained.location)
    one, other = (each.location / "model.pth" for each in (trained, resumed))
    assert one.read_bytes() == other.read_bytes()


def test_every_text_is_spoken_by_somebody_the_same_way_every_time(
    trained: Checkpoint, texts: Manifest, tmp_path: Path
) -> None:
    asked = [*texts, Utterance(id="no", text="7 ж")]
    spoken = list(TINY.synthesize(trained, asked, tmp_path / "a"))
    assert [each.id for each in spoken] == [each.id for each in asked]
    assert [each.error for each in spoken] == [None] * 5 + ["the voice cannot speak 7 ж"]
    assert {each.speaker for each in spoken[:5]} == {"ada", "bob"}
    for each in spoken[:5]:
        assert (each.origin, each.made_by) == ("synthetic", "vits")
        assert each.duration == len(audio.load_utterance(each)) / audio.SAMPLE_RATE > 0
        [alone] = TINY.synthesize(trained, [replace(each, error=None)], tmp_path / "b")
        assert alone.speaker == each.speaker
        assert alone.audio_filepath.read_bytes() == each.audio_filepath.read_bytes()
    takes = [Utterance(id=f"take-{at}", text="alba") for at in range(6)]
    said = list(TINY.synthesize(trained, takes, tmp_path / "c"))
    assert {each.speaker for each in said} == {"ada", "bob"}
    assert len({each.audio_filepath.read_bytes() for each in said}) == 6


def test_the_same_take_sounds_otherwise_by_another_speaker_and_is_slower_where_asked(
    trained: Checkpoint, tmp_path: Path
) -> None:
    line = Utterance(id="one", text="la terra e il sole")
    steady = replace(TINY, noise=0.0, rhythm=0.0, speed=1.0)
    heard = {}
    for name in ("ada", "bob"):
        of_one = replace(steady, speakers=(name,))
        [said] = of_one.synthesize(trained, [line], tmp_path / name)
        assert said.speaker == name
        heard[name] = audio.load_utterance(said)
        [slow] = replace(of_one, speed=0.5).synthesize(trained, [line], tmp_path / "slow")
        assert slow.duration > 1.5 * said.duration
    same = len(heard["ada"]) == len(heard["bob"])
    assert not same or abs(heard["ada"] - heard["bob"]).max() > 1e-3


def test_what_is_spoken_absurdly_long_or_short_is_an_error(
    trained: Checkpoint, tmp_path: Path
) -> None:
    asked = [Utterance(id="x", text="no")]
    [long] = replace(TINY, speed=1e-9).synthesize(trained, asked, tmp_path)
    [short] = replace(TINY, speed=1e9).synthesize(trained, asked, tmp_path)
    assert long.error == "spoken, it would take more than 30 s"
    assert short.error is not None and short.error.startswith("spoken, it takes only 0.0")


def test_a_later_round_knows_new_letters_and_speakers_and_who_it_knew(
    trained: Checkpoint, texts: Manifest, tmp_path: Path
) -> None:
    clips = [
        *write_labeled_clips(tmp_path / "a", 14),
        *write_labeled_clips(tmp_path / "z", 8, "zoe", 90),
    ]
    grown = Manifest.write([replace(each, text=f"{each.text} ž") for each in clips], tmp_path / "l")
    later = replace(TINY, steps=1, hidden=64, start=tmp_path / "nowhere")
    made = later.train(trained, grown, texts, NO_CHAMPION, tmp_path / "v", 8)
    old, new = (vits.load_model(each.location / "model.pth") for each in (trained, made))
    assert model_files.model_characters(new) - model_files.model_characters(old) == {"ž"}
    assert new.config.speakers == ["ada", "bob", "zoe"]
    assert new.args.hidden_channels == 16  # the sizes of the earlier voice
    moved = new.emb_g.weight[:2] - old.emb_g.weight
    assert moved.abs().max() < 0.01


def test_rows_of_the_known_stay_and_a_new_speaker_begins_at_their_mean(trained: Checkpoint) -> None:
    old = vits.load_model(trained.location / "model.pth")
    speakers, letters = old.emb_g.weight.clone(), old.text_encoder.emb.weight.clone()
    places = {
        each: old.tokenizer.characters.char_to_id(each)
        for each in model_files.model_characters(old)
    }
    new = vits.extend_model(old, "xyž", ["zoe", "bob"])
    assert new.config.speakers == ["ada", "bob", "zoe"]
    assert torch.equal(new.emb_g.weight[:2], speakers)
    assert torch.allclose(new.emb_g.weight[2], speakers.mean(0))
    for each, place in places.items():
        row = new.text_encoder.emb.weight[new.tokenizer.characters.char_to_id(each)]
        assert torch.equal(row, letters[place])


def test_a_voice_of_one_speaker_goes_on_as_one_of_several_and_sounds_as_before(
    trained: Checkpoint, tmp_path: Path
) -> None:
    from TTS.tts.models.vits import Vits

    alone = vits.load_model(trained.location / "model.pth").config
    for each in (alone, alone.model_args):
        each.use_speaker_embedding = False
    alone.speakers = []
    torch.manual_seed(3)
    before = Vits(alone).eval()
    model_files.save_model(before, tmp_path)
    after = vits.load_model(tmp_path / "model.pth").eval()
    assert after.config.speakers == [vits.UNNAMED_SPEAKER]
    ids = torch.tensor([before.tokenizer.text_to_ids("alba")])
    lengths = torch.tensor([ids.shape[1]])
    said = []
    for model, who in ((before, None), (after, torch.tensor([0]))):
        torch.manual_seed(5)
        said.append(model.inference(ids, {"x_lengths": lengths, "speaker_ids": who}))
    assert torch.allclose(said[0]["model_outputs"], said[1]["model_outputs"], atol=1e-5)


def test_speakers_are_also_found_where_coqui_s_downloader_puts_them(
    trained: Checkpoint, tmp_path: Path
) -> None:
    config = model_files.read_config(trained.location / "model.pth")
    config.speakers = []
    config.save_json(tmp_path / "config.json")
    (tmp_path / "model_file.pth").symlink_to(trained.location / "model.pth")
    weights = model_files.find_weights(tmp_path)
    with pytest.raises(ConfigError, match=r"neither its config\.json nor speaker_ids\.json or"):
        vits.load_model(weights)
    (tmp_path / "speaker_ids.json").write_text("[]]")
    with pytest.raises(EngineError, match=r"speaker_ids\.json: not names of speakers"):
        vits.load_model(weights)
    (tmp_path / "speaker_ids.json").write_text('{"zoe": 1, "eva": 0}')
    assert vits.load_model(weights).config.speakers == ["eva", "zoe"]


def test_a_start_that_cannot_be_gone_on_with_is_refused_with_the_plan(
    trained: Checkpoint, tmp_path: Path
) -> None:
    assert Synthesizer.build({"use": "vits", "start": str(trained.location)})
    (tmp_path / "model.pth").write_bytes(b"")
    for use, start, sentence in (
        ("vits", tmp_path / "gone", r"start: .*gone is not there"),
        ("vits", tmp_path, r"start: .*model\.pth: no config\.json beside it"),
        ("glow_tts", trained.location, "start: the voice is a vits, not a glow_tts"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            Synthesizer.build({"use": use, "start": str(start)})


def test_clips_without_a_speaker_are_one_speaker_s(lesson: Manifest) -> None:
    nameless = [replace(each, speaker=None) for each in lesson]
    chosen = TINY._select_clips(nameless, None)
    assert {each.speaker for each in chosen} == {vits.UNNAMED_SPEAKER} and len(chosen) == len(
        lesson
    )
    assert {each.speaker for each in TINY._select_clips(lesson, None)} == {"ada", "bob"}


def test_too_few_clips_or_a_speaker_who_is_not_there_are_a_sentence(lesson: Manifest) -> None:
    few = [each for each in lesson if each.speaker != "bob"]
    with pytest.raises(ConfigError, match=r"at least 20 .* there are 10 \(clips .* ada 10, eve 2"):
        training_clips.select_clips_of_speakers(few)
    with pytest.raises(ConfigError, match=r"5 of every speaker, there are 22 of .* ada, bob, eve"):
        training_clips.select_clips_of_speakers(lesson, ["ada", "bob", "eve"])


def test_a_loss_that_is_not_a_number_stops_with_a_sentence(
    lesson: Manifest, texts: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"failed at step [01]: .*smaller learning_rate"):
        replace(TINY, learning_rate=1e12).train(None, lesson, texts, NO_CHAMPION, tmp_path, 7)


def test_sizes_fit_together_at_every_rate() -> None:
    for rate in (16000, 22050, 48000):
        model = vits.create_model(rate, 16, 1, 16, (), 8, LETTERS, ["ada"]).eval()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            spoken = vits.synthesize_samples(model, "alba", "ada", (1.0, 0.5, 0.5), 30.0)
        assert spoken is not None and len(spoken) % model.ap.hop_length == 0
        assert 0.010 < model.ap.hop_length / rate < 0.017
