"""A large run, made by the loop itself, and the cost of its page.

python benchmarks/dashboard.py FOLDER [ROUNDS] [SETS]

The recognizer and the voice are simulated: they read the text from the manifest, and the recognizer
makes fewer errors with each training. Everything else is real: stages, cache, reports, gates.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import socket
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import uvicorn
import yaml

from twister_loop import Manifest, Utterance, next_round
from twister_loop.asr._base import BoundRecognizer
from twister_loop.audio import io as audio
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.digests import folder_size
from twister_loop.core.errors import NothingNew
from twister_loop.core.types import Word
from twister_loop.data.mixture import MixOptions
from twister_loop.parts import Corpus, Recognizer, Synthesizer
from twister_loop.pipeline.plan import Labeler, Plan, VoicePlan
from twister_loop.pipeline.plan_reader import load
from twister_loop.reporting import dashboard
from twister_loop.reporting.dashboard import server
from twister_loop.reporting.dashboard.folder import Runs
from twister_loop.reporting.record_cache import clear_memory
from twister_loop.types import Checkpoint

WORDS = {
    "it": "il messaggio è stato cancellato premi due per ascoltare la segreteria della conferenza "
    "numero non valido attendere prego chiamata in arrivo operatore occupato codice segreto",
    "en": "please enter your password followed by the pound key all agents are busy thank you for "
    "calling the conference has been locked press one to return hello and goodbye",
    "ko": "안녕하세요 비밀번호를 입력하고 우물 정자를 눌러 주세요 상담원이 모두 통화 "
    "중입니다 잠시만 기다려 주십시오 회의가 잠겼습니다 다시 걸어 감사합니다",
    "zh": "请 输入 您的 密码 然后 按 井号键 所有 坐席 正忙 感谢 来电 会议 已 锁定 请 "
    "稍后 再拨 iPhone",
    "ar": "من فضلك أدخل كلمة السر ثم اضغط على مفتاح المربع جميع الموظفين مشغولون شكرا لاتصالك تم "
    "قفل الاجتماع حاول مرة أخرى لاحقا",
}
UTTERANCES = 25
"""Utterances of a held-out set."""


@dataclass(frozen=True)
class Sentences(Corpus):
    """Random sentences of a language, with noise of a fitting length as audio."""

    folder_: str
    lang: str
    count: int
    labeled: bool = True

    def utterances(self) -> Iterator[Utterance]:
        rng, words = random.Random(self.folder_), WORDS[self.lang].split()
        space = "" if self.lang == "zh" else " "
        for number in range(self.count):
            text = space.join(rng.choices(words, k=rng.randint(5, 11)))
            path = Path(self.folder_) / f"{number}.wav"
            if not path.is_file():
                audio.write(_noise(text, str(path)), path)
            yield Utterance(
                id=str(number),
                audio_filepath=path,
                duration=round(audio.read_duration(path), 3),
                text=text,
                lang=self.lang,
            )


@dataclass(frozen=True)
class Texts(Sentences):
    """Sentences of a corpus as texts, without audio."""

    def utterances(self) -> Iterator[Utterance]:
        for sentence in super().utterances():
            yield Utterance(id=sentence.id, text=sentence.text, lang=sentence.lang)


@dataclass(frozen=True)
class Unlabeled(Sentences):
    """The pool. Its text is hidden in the name of the speaker, where only `Simulated` looks."""

    def utterances(self) -> Iterator[Utterance]:
        for sentence in super().utterances():
            yield replace(sentence, text=None, speaker=sentence.text)


@dataclass(frozen=True)
class Simulated(Recognizer):
    """A recognizer with a word error rate that falls with each training."""

    def initial_checkpoint(self) -> Checkpoint:
        return Checkpoint("simulated", source="nothing", digest="0")

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        skill, seed = _skill(checkpoint)
        for utterance in speech:
            # Most utterances that are hard are hard for every candidate, as with real models: so
            # only 15 % of them depend on the seed of the training.
            luck = seed if random.Random(f"{utterance.id} {seed}").random() < 0.15 else ""
            rng = random.Random(f"{utterance.id} {luck}")
            rate = 0.05 + 0.25 * 0.93**skill
            text = utterance.text or utterance.speaker or ""
            lang = utterance.lang or "it"
            by_character = lang == "zh"
            units = list(text) if by_character else text.split()
            vocabulary = list(WORDS[lang]) if by_character else WORDS[lang].split()
            decoded = [word for unit in units for word in _decode_unit(unit, vocabulary, rate, rng)]
            transcript = ("" if by_character else " ").join(decoded).replace("  ", " ")
            confidence = round(-rate * rng.random() * 2, 4)
            yield replace(utterance, pred_text=transcript, confidence=confidence, no_speech=0.0)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        for utterance in speech:
            word = Word(word=utterance.text or "", start=0, end=1, logprob=0)
            yield replace(utterance, words=(word,))

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        rng, skill = random.Random(seed), _skill(start)[0]
        out.mkdir(parents=True, exist_ok=True)
        lines = (
            {"step": n, "epoch": 1, "loss": round(3 * 0.985**n + rng.random() * 0.3, 4)}
            for n in range(1, 401)
        )
        log = "".join(f"{json.dumps(line)}\n" for line in lines)
        (out / "training.jsonl").write_text(log)
        write_json({"skill": skill + rng.choice((0, 1, 2, 3)), "seed": seed}, out / "skill.json")
        return Checkpoint("simulated", out)


@dataclass(frozen=True)
class Speaking(Synthesizer):
    """A voice that synthesizes noise."""

    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        write_json({}, out / "voice.json")
        return Checkpoint("speaking", out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        for text in texts:
            path = out / f"{text.id}.wav"
            seconds = audio.write(_noise(text.text or "", text.id), path)
            yield replace(text, audio_filepath=path, duration=seconds, made_by="speaking")


def main() -> None:
    folder, rounds, sets = Path(sys.argv[1]), *(int(n) for n in (*sys.argv[2:], 50, 20)[:2])
    run = folder / "run"
    plan = _plan(folder, sets)
    started = time.perf_counter()
    logging.getLogger("twister_loop").setLevel(logging.ERROR)
    while (number := len(list(run.glob("round-[0-9]*/verdict"))) + 1) <= rounds:
        weight = round(1 + number % 7 / 10, 1)
        changed = replace(plan, mix=MixOptions(synthetic=weight), source=_source(weight))
        try:
            next_round(changed, run)
        except NothingNew:
            break
        dashboard.write_page(run)
    say(f"{rounds} rounds of {sets} sets are there after {time.perf_counter() - started:.0f} s")
    for occasion in ("first time in a process", "again"):
        with timed(f"page written, {occasion}"):
            page = dashboard.write_page(run)
    size = page.stat().st_size / 1e6
    say(f"page {size:.2f} MB; clips {folder_size(run / 'clips') / 1e6:.1f} MB beside it")
    say(f"cache of its rounds in .summaries {folder_size(run / '.summaries') / 1e6:.1f} MB")
    _time_browser(page.resolve().as_uri())
    _time_server(folder)
    _time_long_manifest(folder)


def _time_server(folder: Path) -> None:
    """Measure how long a run takes to open, over a real socket."""
    clear_memory()
    config = uvicorn.Config(server.create_app(Runs.open(folder / "run")), log_level="error")
    uvicorn_server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=uvicorn_server.run, args=([listening],), daemon=True)
        thread.start()
        while not uvicorn_server.started:
            time.sleep(0.01)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        for path in ("/api/runs", "/api/run/run", "/api/run/run", "/api/now/run"):
            with timed(f"GET {path}"):
                content = urlopen(f"{address}{path}").read()
            say(f"  {len(content) / 1e6:.2f} MB")
        _time_browser(f"{address}/run/run")
        uvicorn_server.should_exit = True
        thread.join(60)


def _time_browser(url: str) -> None:
    """Measure the time until the page is drawn with its plots, if there is a browser."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not (find_spec("playwright") and chromium):
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.goto("about:blank")
        with timed(f"drawn in Chromium: {url.split(':')[0]}"):
            page.goto(url)
            page.wait_for_selector("body[data-ready]")
        browser.close()


def _time_long_manifest(folder: Path) -> None:
    """Measure reading of a manifest of a million lines."""
    manifest = Manifest(folder / "million")
    manifest.folder.mkdir(exist_ok=True)
    with manifest.path.open("w") as file:
        for n in range(1_000_000):
            file.write(f'{{"id":"{n:07}","duration":2.0,"text":"please enter {n}","lang":"en"}}\n')
    tracemalloc.start()
    with timed("a page of a million lines"):
        manifest.read_page(0, 50)
    with timed("a search that reads 16 MB without a match"):
        manifest.read_page(0, 50, query="no line has this text")
    with timed("six samples from all over it"):
        manifest.draw(6, seed=1)
    say(f"memory at its peak {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB")
    shutil.rmtree(manifest.folder)


@contextmanager
def timed(task: str) -> Iterator[None]:
    started, cpu_started = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    say(f"{task}: {seconds:.2f} s, CPU time of this process {cpu:.2f} s")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _plan(folder: Path, sets: int) -> Plan:
    """Return the toy plan with other data and with simulated parts."""
    base = yaml.safe_load(_source(1.0))
    (folder / "data").mkdir(parents=True, exist_ok=True)
    audio.write(_noise("a", "a"), folder / "data" / "0.wav")
    (folder / "data" / "metadata.jsonl").write_text('{"file_name": "0.wav", "text": "a i e"}\n')
    (folder / "texts.txt").write_text("a\n")
    # Replaced below by simulated sets; a plan with these gates is not read without the kinds.
    held_out = {"development": {"dev": "data"}, "retention": {"old": "data"}}
    base |= {"pool": "data", "texts": "texts.txt", **held_out}
    (folder / "plan.yaml").write_text(yaml.safe_dump(base))
    plan = load(folder / "plan.yaml")
    kinds, langs = ("development", "test", "retention"), list(WORDS)
    simulated_sets = {}
    for number in range(sets):
        kind, lang = kinds[number % 3], langs[number % len(langs)]
        name = f"{lang}-{kind[:4].rstrip('e')}-{number + 1:02d}"
        simulated_sets[name] = (kind, Sentences(str(folder / "sets" / name), lang, UTTERANCES))
    pool = tuple(Unlabeled(str(folder / "pool" / lang), lang, 24) for lang in langs)
    texts = tuple(Texts(str(folder / "texts" / lang), lang, 8) for lang in langs)
    voices = (VoicePlan("splice", Speaking(), samples_per_text=2),)
    return replace(
        plan,
        asr=Simulated(),
        labeler=Labeler(Simulated()),
        pool=pool,
        texts=texts,
        sets=simulated_sets,
        voices=voices,
        language=None,
    )


def _source(weight: float) -> str:
    return f"""\
# Simulated: nothing decodes the audio.
rounds: 50
asr: {{use: toy}}
minimum_utterances: 1
full_window: false
normalizer: mixed
mix: {{synthetic: {weight}}}       # weights in hours
filters:
  pseudo: [duration, {{use: confidence, at_least: -0.3}}]
  synthetic: [duration, {{use: agreement, at_most: 0.25}}]
trial: {{at_most: 0.6}}
gates:
  - {{use: no_regression, at_most: 0.15, measure: mixed}}
  - {{use: retention, at_most: 0.15, measure: mixed}}
  - {{use: minimum_gain, at_least: 0.02, measure: mixed}}
  - {{use: sane_output, at_most: 0.08}}
"""


def _skill(checkpoint: Checkpoint) -> tuple[int, int]:
    if checkpoint.source:
        return 0, 0
    stored = read_json(checkpoint.location / "skill.json")
    return stored["skill"], stored["seed"]


def _decode_unit(unit: str, vocabulary: list[str], rate: float, rng: random.Random) -> list[str]:
    """Return the unit, or with probability `rate` a deletion, an insertion or a substitution."""
    if rng.random() > rate:
        return [unit]
    word, inserted, other_word = (rng.choice(vocabulary) for _ in range(3))
    return rng.choice(([], [word], [unit, inserted], [other_word]))


def _noise(text: str, seed: str) -> audio.Samples:
    """Return noise whose duration fits the text; different noise for each seed."""
    rng = np.random.default_rng(list(seed.encode()))
    return rng.normal(0, 0.05, 800 * (len(text) + 10)).astype(np.float32)


if __name__ == "__main__":
    main()
