"""Tests of the concatenative synthesizer, with clips in the toy language."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from twister_loop import Utterance
from twister_loop.asr._base import BoundRecognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.tts.concatenative import ConcatenativeSynthesizer, Inventory
from twister_loop.types import Checkpoint

SENTENCES = ["press one to hear it", "you hear one again", "to go on press pund"]
CODEBOOK = toy_language.standard_codebook()
CHAMPION = BoundRecognizer(ToyRecognizer(), Checkpoint("toy"))


def write_labels(folder: Path, sentences: list[str], speakers: str = "aaa") -> Manifest:
    """Record every sentence, each by the speaker in the same place of `speakers`."""

    def record() -> Iterator[Utterance]:
        for number, text in enumerate(sentences):
            path = folder / f"{number}.wav"
            duration = audio.write(toy_language.synthesize(text, CODEBOOK), path)
            yield Utterance(
                id=f"u{number}",
                audio_filepath=path,
                duration=duration,
                text=text,
                lang="en",
                speaker=speakers[number],
            )

    return Manifest.write(record(), folder)


def write_texts(folder: Path, *lines: str) -> Manifest:
    texts = (Utterance(id=f"t{n}", text=line, lang="en") for n, line in enumerate(lines))
    return Manifest.write(texts, folder)


def train_voice(tmp_path: Path, texts: Manifest) -> tuple[ConcatenativeSynthesizer, Checkpoint]:
    synthesizer = ConcatenativeSynthesizer()
    labels = write_labels(tmp_path / "filtered_labels", SENTENCES)
    return synthesizer, synthesizer.train(None, labels, texts, CHAMPION, tmp_path / "voice", 1)


def transcribe(utterance: Utterance) -> str:
    return toy_language.transcribe(audio.load_utterance(utterance), CODEBOOK)[0]


def test_words_of_several_sentences_are_joined_to_a_new_one(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts", "press one again", "You hear it.")
    synthesizer, voice = train_voice(tmp_path, texts)
    first, second = synthesizer.synthesize(voice, texts, tmp_path / "audio")
    assert first.error is None and first.made_by == "concatenative"
    for word in ("press", "one", "again"):
        assert sum(letter in transcribe(first) for letter in word) >= len(word) - 1
    assert second.duration == pytest.approx(audio.read_duration(second.audio_filepath))


def test_words_spoken_side_by_side_are_read_as_one_stretch(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts", "press one to hear it")
    synthesizer, voice = train_voice(tmp_path, texts)
    [synthetic] = synthesizer.synthesize(voice, texts, tmp_path / "audio")
    assert transcribe(synthetic) == "press one to hear it"


def test_a_text_with_an_unknown_word_comes_back_with_an_error_that_names_it(
    tmp_path: Path,
) -> None:
    texts = write_texts(tmp_path / "texts", "press zebra", "", "hear it")
    synthesizer, voice = train_voice(tmp_path, texts)
    unknown, empty, usable = synthesizer.synthesize(voice, texts, tmp_path / "audio")
    assert unknown.error == "no clip of zebra"
    assert empty.error == "there is no word in it"
    assert usable.error is None
    inventory = Inventory.load(voice.location)
    assert (inventory.texts, inventory.cannot_speak, inventory.missing) == (3, 1, ("zebra",))


def test_a_misspelled_label_is_not_taken_for_a_similar_word_of_the_texts(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts", "press pound")
    synthesizer, voice = train_voice(tmp_path, texts)
    [synthetic] = synthesizer.synthesize(voice, texts, tmp_path / "audio")
    assert synthetic.error == "no clip of pound"


def test_the_same_id_gives_the_same_bytes_and_another_id_other_bytes(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts", "again press")
    synthesizer, voice = train_voice(tmp_path, texts)
    samples = [replace(text, id=f"t-{number}") for text in texts for number in range(6)]
    first = list(synthesizer.synthesize(voice, samples, tmp_path / "a"))
    second = list(synthesizer.synthesize(voice, samples, tmp_path / "b"))
    wavs = [synthetic.audio_filepath.read_bytes() for synthetic in first]
    assert wavs == [synthetic.audio_filepath.read_bytes() for synthetic in second]
    assert len(set(wavs)) > 1


def test_one_speaker_is_preferred_to_two(tmp_path: Path) -> None:
    sentences = ["go on", "press go", "on it"]
    labels = write_labels(tmp_path / "filtered_labels", sentences, speakers="abb")
    texts = write_texts(tmp_path / "texts", "press go on it")
    synthesizer = ConcatenativeSynthesizer()
    voice = synthesizer.train(None, labels, texts, CHAMPION, tmp_path / "voice", 1)
    [synthetic] = synthesizer.synthesize(voice, texts, tmp_path / "audio")
    assert synthetic.speaker == "b"


def test_texts_that_can_be_spoken_are_counted_before_training(tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "filtered_labels", SENTENCES)
    texts = write_texts(tmp_path / "texts", "Press one again!", "press zebra", "", "hear it")
    foreign = [replace(text, lang="it") for text in texts]
    synthesizer = ConcatenativeSynthesizer()
    assert synthesizer.count_speakable(labels, texts) == 2
    assert synthesizer.count_speakable(labels, foreign) == 0
    assert synthesizer.count_speakable(labels, [replace(text, lang=None) for text in texts]) == 2


def test_labels_without_a_usable_word_give_a_voice_that_speaks_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = write_labels(tmp_path / "filtered_labels", SENTENCES)
    texts = write_texts(tmp_path / "texts", "a")
    synthesizer = ConcatenativeSynthesizer(confidence=0.0)
    voice = synthesizer.train(None, labels, texts, CHAMPION, tmp_path / "voice", 1)
    assert "no word could be cut out" in caplog.text
    [synthetic] = synthesizer.synthesize(voice, texts, tmp_path / "audio")
    assert synthetic.error == "no clip of a"
