"""Recognizers that begin from nothing, tiny and real."""

from __future__ import annotations

import itertools
import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.asr.whistles import TEXTS, spoken
from twister_loop.asr._base import Recognizer
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.data.filters._base import Filter
from twister_loop.evaluation import metrics

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")
pytest.importorskip("safetensors")
pytestmark = pytest.mark.model

TINY: dict[str, dict[str, Any]] = {
    "deepspeech2": {"hidden": 24, "layers": 2},
    "deepspeech2+attention": {"hidden": 24, "layers": 2, "attention": True, "heads": 2},
    "conformer": {
        "layers": 2, "decoder_layers": 1, "width": 32, "heads": 2, "inner": 64, "kernel": 7,
    },
    "transformer": {"layers": 2, "decoder_layers": 1, "width": 32, "heads": 2, "inner": 64},
    "las": {"layers": 1, "decoder_layers": 1, "hidden": 24, "heads": 2, "dropout": 0.1},
    "transducer": {"layers": 1, "decoder_layers": 1, "hidden": 24, "width": 32},
    "jasper": {"blocks": 2, "repeat": 2, "scale": 0.1, "dropout": 0.5},
}  # fmt: skip


def tiny(name: str, **options: Any) -> Any:
    given = {"batch": 4, "epochs": 2, "unit": "grapheme", **TINY[name], **options}
    return Recognizer.build({"use": name.partition("+")[0], **given})


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small wait for other threads longer than they compute.

    Of the module, so that it comes before what else is made once and leaves no other module slow.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    return spoken(TEXTS, tmp_path_factory.mktemp("whistles"))


@pytest.fixture(scope="module")
def lesson(speech: list[Utterance], tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return Manifest.write(speech, tmp_path_factory.mktemp("lesson"))


@pytest.fixture(scope="module")
def trained(lesson: Manifest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    """One checkpoint of each, hardly trained."""
    home = tmp_path_factory.mktemp("trained")
    parts = {name: tiny(name) for name in TINY}
    return {
        name: part.train(part.base(), lesson, home / name, seed=1) for name, part in parts.items()
    }


each = pytest.mark.parametrize("name", TINY)


@each
def test_before_it_has_learned_it_hears_nothing_and_says_so(
    name: str, speech: list[Utterance]
) -> None:
    part = tiny(name)
    heard = list(part.transcribe(part.base(), speech))
    assert [(one.id, one.pred_text, one.error) for one in heard] == [
        (one.id, "", None) for one in speech
    ]
    labeled = [replace(one, text=one.pred_text) for one in heard]
    for name in ("confidence", "repetition", "char_rate"):
        assert all(Filter.build({"use": name}).objection(one) for one in labeled)
    assert all("untrained" in str(one.error) for one in part.align(part.base(), speech))
    assert part.base() == part.base() != replace(part, seed=1).base()


@each
def test_what_lies_beside_a_clip_changes_nothing(
    name: str, trained: dict[str, Checkpoint], speech: list[Utterance]
) -> None:
    alone, together = (
        list(tiny(name, decode_batch=size).transcribe(trained[name], speech)) for size in (1, 8)
    )
    assert [one.pred_text for one in alone] == [one.pred_text for one in together]
    for one, other in zip(alone, together, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


@each
def test_silence_behind_a_batch_changes_neither_the_loss_nor_its_gradient(name: str) -> None:
    from twister_loop.asr._from_scratch.features import batch_of

    part = tiny(name, dropout=0.0)
    torch.manual_seed(0)
    model = part.network(20).train()
    speech, lengths = batch_of([torch.randn(97, 80), torch.randn(60, 80)])
    texts = [torch.tensor([1, 2, 3]), torch.tensor([4, 4])]
    found = []
    for given in (speech, torch.nn.functional.pad(speech, (0, 0, 0, 57))):
        loss = part.losses(model, given, lengths, texts)
        loss.backward()
        gradient = sum(float(each.grad.abs().sum()) for each in model.parameters())
        model.zero_grad()
        found.append((loss.item(), gradient))
    assert found[0] == pytest.approx(found[1], rel=1e-4)


@each
def test_a_trained_one_hears_and_the_names_of_its_files_are_the_usual(
    name: str, trained: dict[str, Checkpoint], speech: list[Utterance], tmp_path: Path
) -> None:
    folder = trained[name].location
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "model.safetensors", "tokens.json", "training.jsonl",
    }  # fmt: skip
    lines = [json.loads(line) for line in (folder / "training.jsonl").open()]
    assert [line["step"] for line in lines] == list(range(1, 7))
    assert lines[-1]["loss"] < lines[0]["loss"]
    missing = replace(speech[0], audio_filepath=tmp_path / "no.wav")
    failed = replace(speech[1], error="no voice could speak it")
    heard = list(tiny(name).transcribe(trained[name], [missing, failed, speech[2]]))
    assert ["not audio" in str(one.error) for one in heard] == [True, False, False]
    assert heard[2].pred_text is not None and heard[2].confidence is not None
    assert heard[1] == failed


@each
def test_training_goes_on_from_a_checkpoint_with_its_letters(
    name: str,
    trained: dict[str, Checkpoint],
    speech: list[Utterance],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    more = [*speech[:4], replace(speech[4], text="바xyz다"), replace(speech[5], text="!?")]
    lesson = Manifest.write(more, tmp_path / "filtered_labels")
    after = tiny(name, max_steps=1).train(trained[name], lesson, tmp_path / "out", seed=2)
    digests = [read_json(one.location / "config.json")["tokens"] for one in (trained[name], after)]
    assert digests[0] == digests[1]
    assert "3 signs of the lesson are not in the vocabulary" in caplog.text
    assert "1 utterances of the lesson are left out: nothing is left of the text" in caplog.text


def test_the_checkpoint_knows_its_own_shape(
    trained: dict[str, Checkpoint], speech: list[Utterance]
) -> None:
    other = tiny("deepspeech2", hidden=99, unit="character", mels=40)
    assert list(other.transcribe(trained["deepspeech2"], speech)) == list(
        tiny("deepspeech2").transcribe(trained["deepspeech2"], speech)
    )
    with pytest.raises(EngineError, match="cannot read weights of deepspeech2"):
        list(tiny("conformer").transcribe(trained["deepspeech2"], speech))


def test_a_vocabulary_that_is_not_its_own_is_refused(
    trained: dict[str, Checkpoint], speech: list[Utterance], tmp_path: Path
) -> None:
    import shutil

    copy = shutil.copytree(trained["conformer"].location, tmp_path / "copy")
    broken = replace(trained["conformer"], location=copy)
    note = read_json(copy / "tokens.json")
    write_json({**note, "symbols": note["symbols"][::-1]}, copy / "tokens.json")
    with pytest.raises(EngineError, match=r"not the one that the weights .* trained with"):
        list(tiny("conformer").transcribe(broken, speech))
    (copy / "tokens.json").unlink()
    with pytest.raises(EngineError, match="no vocabulary"):
        list(tiny("conformer").transcribe(broken, speech))


@pytest.mark.parametrize("name", ["deepspeech2+attention", "conformer"])
def test_training_killed_and_resumed_gives_the_same_bytes(
    name: str, lesson: Manifest, tmp_path: Path
) -> None:
    part = tiny(name, epochs=8, save_every=4, average=2)
    part.train(part.base(), lesson, tmp_path / "whole", seed=3)
    script = (
        "import torch; torch.set_num_threads(1)\n"
        "from pathlib import Path, PosixPath\n"
        "from twister_loop.asr._base import Recognizer\n"
        "from twister_loop.core.manifest import Manifest\n"
        f"part = Recognizer.find({part.name!r})(**{vars(part)!r})\n"
        f"part.train(part.base(), {lesson!r}, {tmp_path / 'killed'!r}, seed=3)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        log = tmp_path / "killed/training.jsonl"
        while process.poll() is None:
            if log.is_file() and log.read_bytes().count(b"\n") >= 7:
                process.kill()
            time.sleep(0.002)
    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "killed/resume/state.pt").is_file()
    part.train(part.base(), lesson, tmp_path / "killed", seed=3)
    for file in ("model.safetensors", "training.jsonl", "config.json", "tokens.json"):
        ours, theirs = (tmp_path / run / file for run in ("killed", "whole"))
        assert ours.read_bytes() == theirs.read_bytes()


def test_nothing_to_learn_from_is_a_sentence(speech: list[Utterance], tmp_path: Path) -> None:
    lesson = Manifest.write([replace(speech[0], text="")], tmp_path / "filtered_labels")
    part = tiny("deepspeech2")
    with pytest.raises(EngineError, match="needs transcribed speech"):
        part.train(part.base(), lesson, tmp_path / "out", seed=1)
    for options in ({"batch": 0}, {"decode": "best"}, {"unit": "syllable"}):
        with pytest.raises(ConfigError):
            tiny("conformer", **options)


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        ({"use": "deepspeech2"}, 24_756_656),
        ({"use": "deepspeech2", "cell": "lstm"}, 32_238_000),
        ({"use": "conformer"}, 47_228_321),
        ({"use": "transformer"}, 71_648_161),
        ({"use": "las"}, 46_817_409),
        ({"use": "transducer"}, 16_126_080),
        ({"use": "jasper"}, 334_697_680),
    ],
)
def test_the_full_presets_have_the_published_shape(spec: dict[str, Any], parameters: int) -> None:
    """2,000 tokens, as for the syllables of KsponSpeech; weights that take no memory."""
    part: Any = Recognizer.build(spec)
    with torch.device("meta"):
        model = part.network(2000)
    assert sum(one.numel() for one in model.parameters()) == parameters
    assert part.disk(part.base()) > 4 * 3 * parameters
    if spec["use"] == "conformer":
        assert (len(model.encoder.whole.layers), len(model.decoder.whole.layers)) == (12, 8)
        assert model.encoder.whole.config.intermediate_size == 2048
        assert (part.ctc_weight, model.encoder.whole.config.hidden_size) == (0.3, 256)
    if spec["use"] == "transformer":
        assert (len(model.encoder.layers.layers), len(model.decoder.whole.layers)) == (12, 6)
    if spec["use"] == "jasper":  # the paper has 333 M with fewer tokens
        assert [len(block.layers) for block in model.blocks] == [5] * 10
        widths = [block.layers[0].conv.out_channels for block in model.blocks]
        assert widths == [256, 256, 384, 384, 512, 512, 640, 640, 768, 768]
    if spec["use"] == "deepspeech2":
        convolutions = (model.first.conv, model.second.conv)
        assert [one.kernel_size for one in convolutions] == [(41, 11), (21, 11)]
        assert [one.stride for one in convolutions] == [(2, 2), (2, 1)]
        assert model.layers[0].rnn.input_size == 32 * 20


@pytest.mark.parametrize("kind", ["filter_bank", "log_mel", "log_spectrogram", "mfcc"])
def test_features_have_a_hundred_frames_a_second_and_no_scale(
    kind: str, speech: list[Utterance]
) -> None:
    from twister_loop.asr._from_scratch.features import features, size_of
    from twister_loop.audio import io as audio

    samples = audio.load_utterance(speech[0])
    made = features(samples, kind, 80)  # type: ignore[arg-type]
    assert made.shape[1] == size_of(kind, 80)  # type: ignore[arg-type]
    assert abs(len(made) - 100 * speech[0].duration) <= 3
    assert made.mean(0).abs().max() < 1e-4
    quieter = features(samples * np.float32(0.25), kind, 80)  # type: ignore[arg-type]
    assert (made - quieter).abs().mean() < 0.1


@pytest.mark.parametrize("unit", ["character", "grapheme", "subword"])
def test_what_is_written_is_read_back_in_every_unit(unit: Any, tmp_path: Path) -> None:
    from twister_loop.asr._from_scratch.tokenizer import Tokens

    texts = ["한글 소리를 듣고", "소리 나는 대로 적는다", "값을 읽었다", "하나 둘 셋 넷"] * 3
    tokens = Tokens.learn(unit, texts, 60)
    tokens.save(tmp_path)
    again = Tokens.load(tmp_path, tokens.digest)
    assert again == tokens and len(again) > 1
    for text in texts:
        numbers = again.encode(text)
        assert 0 not in numbers
        assert again.decode(numbers) == text
        assert "".join(word for word, _ in again.words(text)) == text.replace(" ", "")
    assert again.strange("xy한") == (2 if unit != "subword" else again.strange("xy한"))
    if unit == "grapheme":
        assert len(again.encode("값")) == 3


def texts_of(logprobs: np.ndarray) -> dict[tuple[int, ...], float]:
    """Every text with its probability, by adding up all paths."""
    found: dict[tuple[int, ...], float] = {}
    frames, tokens = logprobs.shape
    for path in itertools.product(range(tokens), repeat=frames):
        text = tuple(token for token, _ in itertools.groupby(path) if token)
        chance = math.exp(sum(logprobs[place, token] for place, token in enumerate(path)))
        found[text] = found.get(text, 0.0) + chance
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_likeliest_text_of_all(seed: int) -> None:
    from twister_loop.asr._from_scratch import ctc

    rng = np.random.default_rng(seed)
    logprobs = torch.from_numpy(rng.normal(0, 1.5, (5, 4))).log_softmax(-1).numpy()
    chances = texts_of(logprobs)
    best = max(chances, key=lambda text: chances[text])
    first, *others = ctc.beam(logprobs, 200)
    assert tuple(first.tokens) == best
    assert math.exp(first.logprob) == pytest.approx(chances[best])
    assert all(math.exp(one.logprob) == pytest.approx(chances[tuple(one.tokens)]) for one in others)
    greedy = ctc.greedy(logprobs)
    path = logprobs.argmax(1)
    assert greedy.tokens == [int(token) for token, _ in itertools.groupby(path) if token]


@pytest.mark.parametrize("seed", range(5))
def test_forced_alignment_is_the_likeliest_path_that_says_the_text(seed: int) -> None:
    from twister_loop.asr._from_scratch import ctc

    rng = np.random.default_rng(seed)
    logprobs = torch.from_numpy(rng.normal(0, 1.5, (6, 3))).log_softmax(-1).numpy()
    for text in ([1, 2], [1, 1], [2], [1, 2, 1]):
        paths = [
            path
            for path in itertools.product(range(3), repeat=6)
            if [token for token, _ in itertools.groupby(path) if token] == text
        ]
        best = max(paths, key=lambda p: sum(logprobs[n, t] for n, t in enumerate(p)))
        spans = ctc.forced(logprobs, text)
        assert spans is not None
        expected = []
        for token, run in itertools.groupby(enumerate(best), key=lambda place: place[1]):
            places = [number for number, _ in run]
            if token:
                expected.append((places[0], places[-1] + 1))
        assert [(first, end) for first, end, _ in spans] == expected
    assert ctc.forced(logprobs[:2], [1, 1]) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_transducer_adds_up_all_paths_of_a_text_and_of_nothing_else(seed: int) -> None:
    from twister_loop.asr._from_scratch.transducer_model import likelihoods

    torch.manual_seed(seed)
    texts = [torch.tensor([1, 2]), torch.tensor([2])]
    logprobs = torch.randn(2, 4, 3, 3).log_softmax(-1)  # (batch, frames, tokens + 1, vocabulary)
    for clip, (text, frames) in enumerate(zip(texts, (4, 3), strict=True)):
        chance = 0.0
        # A path says the tokens between the blanks, each in one of the frames.
        for places in itertools.combinations_with_replacement(range(frames), len(text)):
            said = 0.0
            for frame in range(frames):
                before = sum(place < frame for place in places)
                here = places.count(frame)
                for number in range(before, before + here):
                    said += float(logprobs[clip, frame, number, text[number]])
                said += float(logprobs[clip, frame, before + here, 0])
            chance += math.exp(said)
        found = likelihoods(logprobs, torch.tensor([4, 3]), texts)[clip]
        assert math.exp(found) == pytest.approx(chance, rel=1e-5)


@each
def test_words_are_found_in_the_audio(
    name: str, trained: dict[str, Checkpoint], speech: list[Utterance]
) -> None:
    two, empty, odd = list(
        tiny(name).align(
            trained[name],
            [speech[5], replace(speech[0], text=" "), replace(speech[0], text="zzz")],
        )
    )
    assert [word.word for word in two.words] == ["하나", "둘"]
    first, second = two.words
    assert 0 <= first.start < first.end <= second.start < second.end <= two.duration + 0.05
    assert first.logprob < 0
    assert empty.words == () and empty.error is None
    assert "no letter that is known" in str(odd.error)


def test_the_weights_after_every_epoch_can_be_kept_and_heard_with(
    lesson: Manifest, speech: list[Utterance], tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    part = tiny("deepspeech2", epochs=3, average=3).keeping_all_epochs()
    learned = part.train(part.base(), lesson, tmp_path / "out", seed=1)
    folders = sorted(learned.location.glob("epoch-*"))
    assert [each.name for each in folders] == ["epoch-01", "epoch-02", "epoch-03"]
    epochs = [load_file(each / "model.safetensors") for each in folders]
    for name, mean in load_file(learned.location / "model.safetensors").items():
        together = torch.stack([each[name].double() for each in epochs]).mean(0)
        assert torch.allclose(mean.double(), together, atol=1e-6)
    heard = part.transcribe(replace(learned, location=folders[0]), speech[:1])
    assert next(iter(heard)).pred_text is not None


PLAN = """
language: ko
pool: pool
human: human
development: {dev: dev}
minimum_utterances: 1
asr: {use: deepspeech2, hidden: 16, layers: 1, unit: grapheme, epochs: 1, batch: 2}
normalizer: korean
gates: [no_regression, significant, sane_output]
"""


SAID = {
    "pool": ["오늘 날씨가 좋다", "내일 비가 온다"],
    "human": ["한글 소리를 듣다", "나무와 바다를 보다", "하나 둘 셋 넷"],
    "dev": ["저녁에 노래를 하다", "구름이 달을 가리다"],
}


@pytest.fixture
def plan_path(tmp_path: Path) -> Path:
    for folder, said in SAID.items():
        spoken(said, tmp_path / folder)
        if folder != "pool":
            rows = [{"file_name": f"{n}.wav", "text": text} for n, text in enumerate(said)]
            lines = "".join(f"{json.dumps(row)}\n" for row in rows)
            (tmp_path / folder / "metadata.jsonl").write_text(lines)
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path / "plan.yaml"


def test_a_study_measures_every_epoch_and_what_begins_from_nothing(
    plan_path: Path, tmp_path: Path
) -> None:
    from twister_loop import load
    from twister_loop.pipeline.experiments.fine_tuning import run_study

    plan = load(plan_path)
    asr = replace(plan.asr, epochs=2, average=2)  # type: ignore[type-var]
    found = run_study(replace(plan, asr=asr), tmp_path / "study", [tiny("las", epochs=1)])
    models = ["zero-shot", "epoch 1", "epoch 2", "fine-tuned", "from scratch: las"]
    assert [row.model for row in found.rows] == models
    folders = [tmp_path / "study" / f"epoch-0{number}-report" for number in (1, 2)]
    one, two = (read_json(each / "made.json")["from"]["checkpoint"] for each in folders)
    assert one["digest"].endswith(" epoch-01") and one["digest"][:16] == two["digest"][:16]


def test_a_round_that_begins_from_nothing_learns_from_human_speech_and_is_judged(
    plan_path: Path, tmp_path: Path
) -> None:
    from twister_loop import load, refine

    [done] = refine(load(plan_path), tmp_path / "run")
    untouched = Manifest.load(done.folder / "untouched/development/dev")
    assert [one.pred_text for one in untouched] == ["", ""]
    assert read_json(done.folder / "untouched/report.json")["scores"][0]["characters"]["hits"] == 0
    lesson = list(Manifest.load(done.folder / "filtered_labels"))
    assert [one.text for one in lesson] == SAID["human"]
    reasons = read_json(done.folder / "filtered_labels/funnel.json")["rejected"]
    assert reasons == {"confidence": {"utterances": 2, "duration": pytest.approx(4.08, abs=3)}}
    assert done.candidate.engine == "deepspeech2"
    assert done.report.scores[0].decoding == "greedy CTC"
    assert not done.verdict.accepted  # after two steps it hears no more than before


@pytest.mark.overfit
@pytest.mark.timeout(900)
@each
def test_ten_clips_are_learned_by_heart(
    name: str, lesson: Manifest, speech: list[Utterance], tmp_path: Path
) -> None:
    steps = {"epochs": 150, "batch": 10, "learning_rate": 5e-3}
    if name.startswith("deepspeech2"):
        steps = {"epochs": 100, "batch": 5, "learning_rate": 4e-3}
    if name == "las":
        steps = {"epochs": 200, "batch": 5, "learning_rate": 4e-3}
    if name == "transducer":  # blanks come first, and tokens only after some hundred steps
        steps = {"epochs": 150, "batch": 2, "learning_rate": 4e-3}
    unit = "character" if name == "deepspeech2" else "grapheme"
    part = tiny(name, unit=unit, dropout=0.0, **steps)
    learned = part.train(part.base(), lesson, tmp_path / "out", seed=1)
    for decode in ("greedy", "beam"):
        heard = list(replace(part, decode=decode).transcribe(learned, speech))
        assert metrics.sum_counts([metrics.count_utterance_errors(one) for one in heard]).errors == 0
        assert [one.pred_text for one in heard] == TEXTS
