"""The telephone prompts, on a miniature in the form of the real packages."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import logging
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast, get_args

import numpy as np
import pytest
import soundfile

from twister_loop.core.cache import cache_folder
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import TEXT_ONLY, Utterance
from twister_loop.data.corpora import _asterisk
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.corpora._prompts import assign_share, comparison_key
from twister_loop.data.corpora.ivr import (
    ENGLISH,
    FRENCH,
    ITALIAN,
    MENARDI,
    PROMPT_SETS,
    SHARES,
    Ivr,
    PromptLanguage,
    Split,
)

RATE = 8_000

SENTENCES = {f"say/{n}": f"Questa è la frase numero {n} di tutte" for n in range(60)}
TWINS = {f"twin/{n}": f"questa è la frase, numero {n}, di tutte!" for n in range(60)}
"""The same texts as read, with other marks: each must stay with its twin."""
WORDS = {"digits/1": "uno", "letters/X": "ics", "vm-and": "e"}
ODD = {
    "tone": "[toni ascendenti]",
    "silence/1": "(1 secondo di silenzio)",
    "noted": "Questa frase ha una nota (in inglese)",
    "hidden-twin": "Questa è la frase numero 0 di tutte (enfatico)",
    "long": "Questa frase dura più di trenta secondi",
    "silent-film": "Nessuno ha registrato questa frase",
}
SECOND = [*SENTENCES, *WORDS, "tone", "only-hers"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without apt and dpkg."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def record(folder: Path, names: list[str], suffix: str = ".wav") -> None:
    for number, name in enumerate(names):
        path = folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = 31.0 if name == "long" else 0.1
        wave = 0.1 * np.sin(np.arange(int(seconds * RATE)) * (0.1 + number / 1000))
        if suffix == ".gsm":  # without a header, as telephones have it
            soundfile.write(path, wave, RATE, format="RAW", subtype="GSM610")
        else:
            soundfile.write(path, wave, RATE, subtype="PCM_16")


def listing(texts: dict[str, str]) -> bytes:
    lines = ["; Core sounds", "", *(f"{name}: {text}" for name, text in texts.items())]
    return ("\ufeff" + "\n".join(lines) + "\n").encode()


def trees(root: Path) -> dict[str, Path]:
    """Write what each of Debian's packages unpacks to; return the folders by package."""
    texts = {**SENTENCES, **TWINS, **WORDS, **ODD}
    recorded = [name.lower() for name in texts if name != "silent-film"]
    spoken = {
        "asterisk-core-sounds-it-wav": ("it_IT_m_Carlo", [*recorded, "unlisted"]),
        "asterisk-core-sounds-en-wav": ("en_US_f_Allison", ["one", "please", "beep"]),
        "asterisk-prompt-it-menardi-wav": ("it_IT_f_Menardi", SECOND),
        "asterisk-core-sounds-fr-wav": ("fr_CA_f_June", ["un", "deux"]),
    }
    english = {"one": "one", "please": "Please enter your number", "beep": "[a beep tone]"}
    french_texts = {"un": "un", "deux": "deux"}
    written = {"it": texts, "en": english, "fr": french_texts}
    for package, (folder, names) in spoken.items():
        record(root / package / "usr/share/asterisk/sounds" / folder, names)
    # The packages of Asterisk 1.2 have one folder a language, and links from folders of subjects.
    french = root / "asterisk-prompt-fr-armelle/usr/share/asterisk/sounds"
    record(french / "fr", ["digits/1", "only-hers"], suffix=".gsm")
    (french / "digits").mkdir()
    (french / "digits/fr").symlink_to("../fr/digits")
    for lang, texts in written.items():
        doc = root / f"asterisk-core-sounds-{lang}/usr/share/doc/asterisk-core-sounds-{lang}"
        doc.mkdir(parents=True)
        (doc / f"core-sounds-{lang}.txt.gz").write_bytes(gzip.compress(listing(texts)))
        (doc / "copyright").write_text("License: CC-BY-SA-3.0\n")
    return {tree.name: tree for tree in root.iterdir()}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Debian archive of real packages."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("needs apt-get and dpkg-deb")
    archive = tmp_path_factory.mktemp("archive")
    index = []
    for name, tree in trees(tmp_path_factory.mktemp("trees")).items():
        control = (
            f"Package: {name}\nVersion: 9.9-1\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@example.org>\nDescription: prompts\n"
        )
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(control)
        deb = archive / f"{name}_9.9-1_all.deb"
        build = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(tree), str(deb)]
        subprocess.run(build, check=True, capture_output=True)
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        size = deb.stat().st_size
        index.append(f"{control}Filename: ./{deb.name}\nSize: {size}\nSHA256: {digest}\n")
    (archive / "Packages").write_text("\n".join(index))
    return archive


@pytest.fixture
def debian(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive that apt knows of, and no other."""
    archive = shutil.copytree(packages, tmp_path / "archive")
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{archive} ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return archive


@pytest.fixture(scope="module")
def tarballs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tarballs of the project: sounds, list and licence in one folder."""
    tree = trees(tmp_path_factory.mktemp("trees"))
    site = tmp_path_factory.mktemp("site")
    for voice, lang in ((ITALIAN, "it"), (ENGLISH, "en")):
        [sounds] = (tree[voice.packages[0]] / "usr/share/asterisk/sounds").iterdir()
        [texts] = tree[voice.packages[1]].rglob("*.txt.gz")
        plain = sounds / f"core-sounds-{lang}.txt"
        plain.write_bytes(gzip.decompress(texts.read_bytes()))
        (sounds / f"LICENSE-asterisk-core-{lang}-1.6.1").write_text("CC-BY-SA 3.0\n")
        with tarfile.open(site / str(voice.tarball), "w:gz") as packed:
            packed.add(sounds, ".")
    return site


@pytest.fixture
def publisher(
    tarballs: Path, tmp_path: Path, no_tools: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """The project's download site, on a machine without apt; yields the paths it was asked for."""
    site = shutil.copytree(tarballs, tmp_path / "site")
    requests: list[str] = []

    class Site(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            requests.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=site))
    poll = {"poll_interval": 0.01}
    threading.Thread(target=server.serve_forever, kwargs=poll, daemon=True).start()
    monkeypatch.setattr(_asterisk, "TARBALLS", f"http://127.0.0.1:{server.server_port}")
    yield requests
    server.shutdown()
    server.server_close()


OF_FRENCH = {"pool", "pool_references", "texts", "development", "test"}


def read(split: Split, lang: PromptLanguage = "it") -> list[Utterance]:
    return list(Ivr(split, lang).utterances())


def test_no_text_is_in_two_splits(publisher: list[str]) -> None:
    text_of = {name.lower(): text for name, text in {**SENTENCES, **TWINS}.items()}
    splits: list[Split] = ["pool", "texts", "development", "test"]
    texts = {
        split: {
            comparison_key(text_of[name])
            for utterance in read(split)
            if (name := stem(utterance)) in text_of
        }
        for split in splits
    }
    assert sum(map(len, texts.values())) == len(SENTENCES) == len(set().union(*texts.values()))
    assert all(texts.values())


def stem(utterance: Utterance) -> str:
    return utterance.id.partition("/")[2]


def test_a_pool_has_audio_and_no_text(publisher: list[str]) -> None:
    pool = read("pool")
    assert {utterance.text for utterance in pool} == {None}
    assert {utterance.speaker for utterance in pool} == {"it-1"}
    assert all(utterance.audio_filepath.is_file() and utterance.duration > 0 for utterance in pool)


def test_all_speech_outside_the_other_splits_is_in_the_pool(publisher: list[str]) -> None:
    elsewhere = [*read("development"), *read("test"), *read("texts")]
    taken = {comparison_key(str(utterance.text)) for utterance in elsewhere}
    names = {stem(utterance) for utterance in read("pool")}
    assert {"digits/1", "letters/x", "vm-and", "long", "noted", "unlisted"} <= names
    assert not {"tone", "silence/1", "silent-film"} & names
    assert not {name for name, text in SENTENCES.items() if comparison_key(text) in taken} & names
    assert ("hidden-twin" in names) == (comparison_key(SENTENCES["say/0"]) not in taken)


def test_a_prompt_with_a_problem_and_a_held_out_text_is_not_in_the_pool(
    publisher: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twister_loop.data.corpora.ivr.SHARES", {"test": 1.0})
    names = {stem(utterance) for utterance in read("pool")}
    assert "hidden-twin" not in names
    assert "noted" in names


def test_held_out_sentences_have_audio_and_text(publisher: list[str]) -> None:
    for utterance in [*read("development"), *read("test")]:
        assert utterance.text == {**SENTENCES, **TWINS}[stem(utterance)]
        assert (utterance.origin, utterance.lang, utterance.speaker) == ("human", "it", "it-1")
        assert utterance.audio_filepath.is_file()


def test_texts_are_distinct_and_have_no_audio(publisher: list[str]) -> None:
    texts = read("texts")
    assert {utterance.audio_filepath for utterance in texts} == {TEXT_ONLY}
    assert {utterance.origin for utterance in texts} == {"synthetic"}
    assert len({comparison_key(str(utterance.text)) for utterance in texts}) == len(texts) > 0


def test_a_share_is_drawn_by_text_or_audio_and_is_a_part_of_a_larger_one(
    publisher: list[str],
) -> None:
    for split in ("pool", "test"):
        whole, half, tenth = (
            [utterance.id for utterance in Ivr(split, share=share).utterances()]
            for share in (1.0, 0.5, 0.1)
        )
        assert set(tenth) < set(half) < set(whole)
        assert 0.2 * len(whole) < len(half) < 0.8 * len(whole)
    # Equal texts stay together.
    texts = {comparison_key(str(utterance.text)) for utterance in Ivr("test").utterances()}
    drawn = [comparison_key(str(line.text)) for line in Ivr("test", share=0.5).utterances()]
    assert set(drawn) < texts and {drawn.count(text) for text in drawn} == {2}


@pytest.mark.parametrize("share", [0.0, 1.5, "half"])
def test_a_share_outside_its_range_is_refused(share: object) -> None:
    with pytest.raises(ConfigError, match="share"):
        Corpus.build({"use": "ivr", "split": "test", "share": share})


def test_what_would_be_fetched_is_known_before(debian: Path) -> None:
    second = Ivr("second_speaker")
    assert second.prompt_sets == (ITALIAN, MENARDI)
    assert Ivr("retention").prompt_sets == (ENGLISH,)
    assert not any(prompts.folder.exists() for prompts in second.prompt_sets)
    list(second.utterances())
    assert all(prompts.folder.is_dir() for prompts in second.prompt_sets)


def test_retention_is_all_english_sentences(publisher: list[str]) -> None:
    [only] = read("retention")
    assert (only.text, only.lang, only.speaker) == ("Please enter your number", "en", "en-1")


def test_english_is_divided_into_the_same_splits(publisher: list[str]) -> None:
    share = assign_share("Please enter your number", SHARES)
    splits: list[Split] = ["pool", "texts", "development", "test"]
    utterances = {split: read(split, "en") for split in splits}
    with_sentence = {split for split in splits if "please" in map(stem, utterances[split])}
    assert with_sentence == {share}
    assert "one" in map(stem, utterances["pool"])
    assert {utterance.lang for utterance in utterances["pool"]} == {"en"}


def test_the_second_speaker_has_no_prompt_of_the_held_out_splits(debian: Path) -> None:
    held_out = {stem(utterance) for utterance in [*read("development"), *read("test")]}
    only_texts = {name for name, text in SENTENCES.items() if assign_share(text, SHARES) == "texts"}
    second = read("second_speaker")
    names = {stem(utterance) for utterance in second}
    assert names == {name.lower() for name in SECOND} - held_out - only_texts - {"tone"}
    assert {utterance.text for utterance in second} == {None}
    assert {utterance.speaker for utterance in second} == {"it-menardi"}


def test_debian_and_the_project_give_the_same_content(
    debian: Path, request: pytest.FixtureRequest
) -> None:
    from_debian = _asterisk.hash_content(_asterisk.fetch(ITALIAN))
    shutil.rmtree(cache_folder())
    request.getfixturevalue("publisher")
    assert _asterisk.hash_content(_asterisk.fetch(ITALIAN)) == from_debian


def test_fetched_prompts_have_licence_and_attribution(
    debian: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = _asterisk.fetch(ITALIAN)
    assert "Carlo Flora" in (folder / "ATTRIBUTION").read_text()
    assert "CC-BY-SA 3.0" in (folder / "ATTRIBUTION").read_text()
    assert (folder / "copyright").is_file()
    assert "CC-BY-SA 3.0" in caplog.text


def test_another_version_is_used_with_a_warning(
    debian: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _asterisk.fetch(MENARDI)
    assert "differs from the measured version" in caplog.text
    assert "asterisk-prompt-it-menardi-wav_9.9-1_all" in caplog.text


def test_nothing_is_fetched_twice(debian: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read("pool")
    shutil.rmtree(debian)
    monkeypatch.setenv("PATH", "")
    assert read("pool") == before


def test_concurrent_fetches_download_once(publisher: list[str]) -> None:
    with ThreadPoolExecutor(4) as threads:
        folders = set(threads.map(_asterisk.fetch, [ENGLISH] * 4))
    assert len(folders) == len(publisher) == 1


def test_a_broken_download_leaves_nothing(publisher: list[str], tmp_path: Path) -> None:
    archive = tmp_path / "site" / str(ITALIAN.tarball)
    archive.write_bytes(archive.read_bytes()[:-20_000])
    with pytest.raises(ConfigError, match="cannot be fetched"):
        read("pool")
    assert [path.name for path in (cache_folder() / "asterisk").iterdir()] == [".lock"]


def test_a_download_without_the_list_of_texts_is_refused(
    publisher: list[str], tmp_path: Path
) -> None:
    record(tmp_path / "bare", ["one"])
    with tarfile.open(tmp_path / "site" / str(ITALIAN.tarball), "w:gz") as packed:
        packed.add(tmp_path / "bare", ".")
    with pytest.raises(ConfigError, match="list of texts is missing"):
        read("pool")


def test_a_fetch_works_after_a_killed_one(publisher: list[str], cache: Path) -> None:
    left = cache / "asterisk" / f".{ITALIAN.name}" / "whole" / "sounds"
    left.mkdir(parents=True)
    (left / "half.wav").write_bytes(b"RIFF")
    assert read("development")


def test_the_error_without_apt_and_network_has_the_remedies(
    no_tools: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_asterisk, "TARBALLS", "http://127.0.0.1:9")
    with pytest.raises(ConfigError) as caught:
        read("pool")
    message = str(caught.value)
    for part in ("it-carlo", "apt-get is not installed", "http://127.0.0.1:9", "TWISTER_CACHE"):
        assert part in message


def test_without_apt_the_second_speaker_is_refused_with_the_reason(publisher: list[str]) -> None:
    with pytest.raises(ConfigError, match="only Debian has it"):
        read("second_speaker")


def test_english_has_no_second_speaker() -> None:
    with pytest.raises(ConfigError, match="only it and fr have a second_speaker"):
        Ivr.build({"use": "ivr", "split": "second_speaker", "lang": "en"})


def test_prompts_in_gsm_are_found_beside_links_to_them(debian: Path) -> None:
    speech = read("second_speaker", "fr")
    assert [stem(utterance) for utterance in speech] == ["digits/1", "only-hers"]
    assert {utterance.audio_filepath.suffix for utterance in speech} == {".gsm"}
    assert all(utterance.duration == pytest.approx(0.1, abs=0.03) for utterance in speech)


def test_a_prompt_that_speaks_another_text_is_no_reference(
    debian: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = {stem(utterance) for utterance in [*read("development"), *read("test")]}
    misread = sorted(held_out)[0]
    changed = replace(ITALIAN, other_texts=frozenset([misread]))
    monkeypatch.setitem(cast(dict[str, object], PROMPT_SETS), "it", changed)
    references = {
        stem(utterance)
        for split in ("development", "test", "pool_references")
        for utterance in read(cast(Split, split))
    }
    assert misread not in references
    assert held_out - references == {misread}


def test_pool_references_have_the_texts_of_pool_audio(
    publisher: list[str],
) -> None:
    pool, references = read("pool"), read("pool_references")
    assert all(reference.text for reference in references)
    assert not any(utterance.text for utterance in pool)
    assert {reference.id for reference in references} < {utterance.id for utterance in pool}


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="split"):
        Ivr.build({"use": "ivr", "split": "train"})


@pytest.mark.pretrained
def test_the_real_prompts_have_the_measured_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWISTER_CACHE")
    if not (cache_folder() / "asterisk" / MENARDI.name).is_dir():
        pytest.skip("the real prompts are not in the cache; `make demo` fetches them")
    counts = {split: len(read(split)) for split in get_args(Split)}
    assert counts == {
        "pool": 416, "pool_references": 384, "second_speaker": 394, "texts": 31,
        "development": 49, "test": 82, "retention": 274,
    }  # fmt: skip
    if (cache_folder() / "asterisk" / FRENCH.name).is_dir():
        french = {split: len(read(split, "fr")) for split in get_args(Split) if split in OF_FRENCH}
        assert french == {
            "pool": 404, "pool_references": 358, "texts": 25, "development": 52, "test": 70,
        }  # fmt: skip
        assert _asterisk.hash_content(_asterisk.fetch(FRENCH)) == FRENCH.sha256
    for voice in (ITALIAN, MENARDI, ENGLISH):
        assert _asterisk.hash_content(_asterisk.fetch(voice)) == voice.sha256
