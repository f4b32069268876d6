"""Words cut out of the lesson and joined anew, in the toy language."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from twister_loop import Checkpoint, EngineError, Utterance
from twister_loop.asr._base import BoundRecognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.tts.concatenative import ConcatenativeSynthesizer, Inventory

LESSON = ["press one to hear it", "you hear one again", "to go on press pund"]


@dataclass(frozen=True)
class Opinionated(ToyRecognizer):
    """Finds every sentence a little likelier in which one of these words stands."""

    likes: tuple[str, ...] = ()

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        for each in super().align(checkpoint, speech):
            liked = [
                replace(word, logprob=-0.01 if word.word in self.likes else word.logprob)
                for word in each.words
            ]
            yield replace(each, words=tuple(liked))


def lesson(folder: Path, texts: list[str], speakers: str = "aaa") -> Manifest:
    def recorded() -> Iterator[Utterance]:
        for number, text in enumerate(texts):
            path = folder / f"{number}.wav"
            duration = audio.write(toy_language.speak(text, toy_language.standard()), path)
            yield Utterance(
                id=f"u{number}",
                audio_filepath=path,
                duration=duration,
                text=text,
                lang="en",
                speaker=speakers[number],
            )

    return Manifest.write(recorded(), folder)


def texts(folder: Path, *lines: str) -> Manifest:
    spoken = (Utterance(id=f"t{n}", text=line, lang="en") for n, line in enumerate(lines))
    return Manifest.write(spoken, folder)


def learned(
    tmp_path: Path, wanted: Manifest, recognizer: ToyRecognizer | None = None, **options: object
) -> tuple[ConcatenativeSynthesizer, Checkpoint]:
    voice = ConcatenativeSynthesizer(**options)  # type: ignore[arg-type]
    champion = BoundRecognizer(recognizer or ToyRecognizer(), Checkpoint("toy"))
    speech = lesson(tmp_path / "filtered_labels", LESSON)
    return voice, voice.train(None, speech, wanted, champion, tmp_path / "voice", 1)


def heard(utterance: Utterance) -> str:
    return toy_language.hear(audio.load_utterance(utterance), toy_language.standard())[0]


def test_words_of_several_sentences_are_joined_to_a_new_one(tmp_path: Path) -> None:
    wanted = texts(tmp_path / "texts", "press one again", "You hear it.")
    voice, checkpoint = learned(tmp_path, wanted)
    first, second = voice.synthesize(checkpoint, wanted, tmp_path / "audio")
    assert first.error is None and first.made_by == "concatenative"
    for word in ("press", "one", "again"):
        assert sum(letter in heard(first) for letter in word) >= len(word) - 1
    assert second.duration == pytest.approx(audio.duration_of(second.audio_filepath))


def test_what_stands_together_in_the_lesson_is_taken_as_one_stretch(tmp_path: Path) -> None:
    wanted = texts(tmp_path / "texts", "press one to hear it")
    voice, checkpoint = learned(tmp_path, wanted)
    [spoken] = voice.synthesize(checkpoint, wanted, tmp_path / "audio")
    assert heard(spoken) == "press one to hear it"


def test_a_text_with_an_unknown_word_comes_back_with_the_word(tmp_path: Path) -> None:
    wanted = texts(tmp_path / "texts", "press zebra", "", "hear it")
    voice, checkpoint = learned(tmp_path, wanted, repair=None)
    first, second, third = voice.synthesize(checkpoint, wanted, tmp_path / "audio")
    assert first.error == "no clip of zebra" and second.error and not third.error
    inventory = Inventory.load(checkpoint.location)
    assert (inventory.texts, inventory.cannot_speak, inventory.missing) == (3, 1, ("zebra",))


def test_a_label_that_is_no_word_is_repaired_only_if_the_champion_prefers_the_word(
    tmp_path: Path,
) -> None:
    wanted = texts(tmp_path / "texts", "press pound")
    agrees, checkpoint = learned(tmp_path, wanted, Opinionated(likes=("pound",)), repair=0.78)
    [spoken] = agrees.synthesize(checkpoint, wanted, tmp_path / "audio")
    assert spoken.error is None
    [repair] = Inventory.load(checkpoint.location).repairs
    assert (repair.label, repair.word, repair.clips, repair.tried) == ("pund", "pound", 1, 1)


def test_a_repair_that_the_champion_does_not_prefer_is_refused_and_reported(
    tmp_path: Path,
) -> None:
    wanted = texts(tmp_path / "texts", "press pound")
    voice, checkpoint = learned(tmp_path, wanted, Opinionated(likes=("pund",)), repair=0.78)
    [silent] = voice.synthesize(checkpoint, wanted, tmp_path / "audio")
    assert silent.error == "no clip of pound"
    [repair] = Inventory.load(checkpoint.location).repairs
    assert (repair.clips, repair.tried) == (0, 1)


def test_a_label_that_is_a_word_is_never_repaired(tmp_path: Path) -> None:
    (tmp_path / "lexicon.txt").write_text("Pund\n")
    wanted = texts(tmp_path / "texts", "press pound")
    _, checkpoint = learned(
        tmp_path, wanted, Opinionated(likes=("pound",)), lexicon=tmp_path / "lexicon.txt"
    )
    assert not Inventory.load(checkpoint.location).repairs
    also_said = texts(tmp_path / "also", "press pound", "a pund of it")
    _, checkpoint = learned(tmp_path, also_said, Opinionated(likes=("pound",)))
    assert not Inventory.load(checkpoint.location).repairs


def test_the_same_id_gives_the_same_bytes_and_another_id_another_take(tmp_path: Path) -> None:
    wanted = texts(tmp_path / "texts", "again press")
    voice, checkpoint = learned(tmp_path, wanted)
    takes = [replace(each, id=f"t-{take}") for each in wanted for take in range(6)]
    first = list(voice.synthesize(checkpoint, takes, tmp_path / "a"))
    second = list(voice.synthesize(checkpoint, takes, tmp_path / "b"))
    sounds = [each.audio_filepath.read_bytes() for each in first]
    assert sounds == [each.audio_filepath.read_bytes() for each in second]
    assert len(set(sounds)) > 1


def test_one_speaker_is_preferred_to_two(tmp_path: Path) -> None:
    speech = lesson(tmp_path / "filtered_labels", ["go on", "press go", "on it"], speakers="abb")
    wanted = texts(tmp_path / "texts", "press go on it")
    voice = ConcatenativeSynthesizer()
    champion = BoundRecognizer(ToyRecognizer(), Checkpoint("toy"))
    checkpoint = voice.train(None, speech, wanted, champion, tmp_path / "voice", 1)
    [spoken] = voice.synthesize(checkpoint, wanted, tmp_path / "audio")
    assert spoken.speaker == "b"


def test_a_lesson_without_words_is_a_sentence(tmp_path: Path) -> None:
    voice = ConcatenativeSynthesizer(confidence=0.0)
    champion = BoundRecognizer(ToyRecognizer(), Checkpoint("toy"))
    with pytest.raises(EngineError, match="no word that could be cut out"):
        voice.train(
            None,
            lesson(tmp_path / "filtered_labels", LESSON),
            texts(tmp_path / "texts", "a"),
            champion,
            tmp_path / "voice",
            1,
        )
