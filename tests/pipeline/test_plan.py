"""Reading of plans: every value is checked, and all errors are reported at once."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from twister_loop import load
from twister_loop.asr._base import Recognizer
from twister_loop.data.filters._base import Filter
from twister_loop.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def changed(world: Path, **changes: Any) -> Path:
    options = {**yaml.safe_load(world.read_text()), **changes}
    world.write_text(
        yaml.safe_dump({key: option for key, option in options.items() if option != ...})
    )
    return world


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poool": "data"}, "poool: unknown; did you mean 'pool'"),
        ({"rounds": "many"}, "rounds: must be a whole number from 1"),
        ({"rounds": 0}, "rounds: must be a whole number from 1 to 100000, not 0"),
        ({"pool": ...}, "pool: missing"),
        ({"asr": "toi"}, "asr: unknown recognizer 'toi'; did you mean 'toy'"),
        ({"asr": {"use": "toy", "leters": "a"}}, "leters: unknown; did you mean 'letters'"),
        ({"asr": {"use": "toy", "letters": 3}}, "letters: must be text, not 3"),
        ({"gates": ["no_regresion"]}, "gates.no_regresion: unknown gate 'no_regresion'"),
        ({"filters": {"pseudo": ["confidenc"]}}, "did you mean 'confidence'"),
        ({"filters": {"pseud": []}}, "pseud: unknown; did you mean"),
        (
            {"voices": {"a": {"use": "toy", "samples_per_text": 0}}},
            "voices.a.samples_per_text: must be a whole number from 1",
        ),
        ({"texts": []}, "texts: a voice needs texts to synthesize"),
        (
            {"gates": [{"use": "no_regression", "sets": ["dve"]}]},
            "gates: no_regression: the set 'dve' does not exist; did you mean 'dev'",
        ),
        (
            {"gates": [{"use": "sane_output", "sets": ["test"]}]},
            "gates: sane_output: the set 'test' is a test set, which gates never see",
        ),
        (
            {"gates": ["parity"]},
            "gates: parity needs another engine as `labeler`, such as ctranslate2",
        ),
        ({"labeler": {"use": "toy", "clips": "x"}}, "labeler.clips: must be a whole number"),
        ({"labeler": "toi"}, "labeler: unknown recognizer 'toi'; did you mean 'toy'"),
        ({"cluster": "daks"}, "cluster: unknown cluster 'daks'; did you mean 'dask'"),
        ({"cluster": {"use": "dask", "shard": 100}}, "shard: must be a multiple of 256, not 100"),
        ({"development": {}}, "development: gates need at least one set"),
        ({"test": {"dev": "data/test"}}, "test.dev: another set has this name"),
        ({"mix": {"pseudo": 1, "human": "x"}}, "mix.human: must be a number"),
        (
            {"mix": {"pseudo": float("inf")}},
            "pseudo: must be a number from 0 to 100, not inf",
        ),
        (
            {"mix": {"hours": {"dev": float("nan")}}},
            "hours.dev: must be a number from 0 up",
        ),
        (
            {"mix": {"temperature": {"language": float("inf")}}},
            "language: must be a number above 0",
        ),
        ({"gates": ["best_untouched"]}, "gates: best_untouched needs other models"),
        ({"gates": [{"use": "significant", "level": 95}]}, "level: "),
        (
            {"gates": [{"use": "no_regression", "level": 0}]},
            "must be a number from 0.5 to below 1",
        ),
        (
            {"gates": [{"use": "retention", "level": 1}]},
            "must be a number from 0.5 to below 1",
        ),
        (
            {"gates": [{"use": "no_regression", "at_most": -0.1}]},
            "must be a number from 0 to 1",
        ),
        (
            {"gates": [{"use": "significant", "decoding": "30s"}]},
            "decoding: must be one of",
        ),
        ({"full_window": 0}, "full_window: must be true or false, or a whole number from 200"),
        ({"full_window": 199}, "a whole number from 200 to 1000000000, not 199"),
        ({"full_window": "many"}, "full_window"),
        (
            {"full_window": False, "gates": [{"use": "sane_output", "decoding": "standard"}]},
            "gates: sane_output reads standard decoding, which `full_window: false` leaves out",
        ),
    ],
)
def test_an_invalid_plan_is_refused_with_key_and_reason(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(changed(world, **changes))
    assert message in str(refusal.value) and str(world) in str(refusal.value)


def test_all_errors_of_a_plan_are_reported_at_once(world: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(changed(world, asr="x", gates=["y"], voices={"z": "z"}))
    assert all(place in str(refusal.value) for place in ("asr:", "gates.y:", "voices.z:"))


@pytest.mark.parametrize("text", ["- a list", "a: [", "plain words"])
def test_a_file_that_is_no_plan_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"plan\.yaml"):
        load(path)


def test_a_missing_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read plan"):
        load(tmp_path / "none.yaml")


def test_paths_are_relative_to_the_plan(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    [corpus] = load(world).pool
    assert len(list(corpus.utterances())) == 3


@pytest.mark.parametrize("pool", ["~/data/pool", {"use": "audiofolder", "folder": "~/data/pool"}])
def test_a_path_may_begin_at_the_home_folder(
    world: Path, monkeypatch: pytest.MonkeyPatch, pool: Any
) -> None:
    monkeypatch.setenv("HOME", str(world.parent))
    plan = load(changed(world, pool=pool, terms="~/data/texts.txt"))
    assert plan.pool == load(changed(world, pool="data/pool")).pool and plan.terms


@pytest.mark.parametrize("key", ["pool", "asr"])
def test_the_home_folder_of_nobody_is_refused(world: Path, key: str) -> None:
    place = "~no-such-user/x"
    value = {"use": "whisper", "model": place} if key == "asr" else place
    with pytest.raises(ConfigError, match=f"{key}: .*{place}: this machine has no user"):
        load(changed(world, **{key: value}))


@pytest.mark.parametrize("written", ["./models/mine", "models/mine"])
def test_folders_of_models_are_relative_to_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    folder = tmp_path / "models/mine"
    folder.mkdir(parents=True)
    monkeypatch.chdir("/")
    [model, labeler] = (
        Recognizer.build({"use": use, "model": written}, tmp_path).model
        for use in ("whisper", "ctranslate2")
    )
    assert model == labeler == str(folder)
    asr = {"use": "whisper", "model": written}
    filter_ = Filter.build({"use": "second_model", "at_most": 0.1, "asr": asr}, tmp_path)
    assert filter_.asr == {"use": "whisper", "model": str(folder)}
    name = "openai/whisper-tiny"
    published = Recognizer.build({"use": "whisper", "model": name}, tmp_path)
    assert published.model == name
    with pytest.raises(ConfigError, match=r"model: there is no folder /.*/models/yours"):
        Recognizer.build({"use": "whisper", "model": "./models/yours"}, tmp_path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_plan_begins_with_the_command_that_runs_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    if path.stem == "toy":  # its data come with the command
        assert first == "# twister demo --toy"
        return
    if first.startswith("# twister check my.yaml, then: twister run my.yaml runs/mine"):
        return  # a plan to copy and to fill in
    command = "compare" if path.stem.startswith("compare") else "run"
    assert first.startswith(f"# twister {command} configs/{path.name} runs/")


@pytest.mark.model
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_plan_loads(path: Path) -> None:
    assert load(path).rounds >= 1


@pytest.mark.parametrize(
    "name", ["../../x", "..", ".hidden", "a/b", "a\\b", "", "x" * 61, "\x1b[31m"]
)
@pytest.mark.parametrize("place", ["development", "test", "retention", "voices", "references"])
def test_a_name_that_is_not_a_plain_folder_name_is_refused(
    world: Path, place: str, name: str
) -> None:
    part = "toy" if place in {"voices", "references"} else "data/test"
    with pytest.raises(ConfigError, match=rf"{place}\..*the name becomes a folder"):
        load(changed(world, **{place: {name: part}}))


@pytest.mark.parametrize("full_window", [True, False, 200, 5000])
def test_a_set_is_also_decoded_in_windows_as_a_whole_in_part_or_not(
    world: Path, full_window: bool | int
) -> None:
    assert load(world).full_window == 200
    plan = load(changed(world, full_window=full_window))
    assert plan.full_window is full_window or plan.full_window == full_window


def test_a_gate_may_read_standard_decoding(world: Path) -> None:
    gates = [{"use": "no_regression", "decoding": "standard"}]
    [gate] = load(changed(world, gates=gates)).gates
    assert gate.decoding == "standard"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["calls-2", "전화", "it_dev.v2", "0"])
def test_names_in_any_script_are_accepted(world: Path, name: str) -> None:
    assert name in load(changed(world, test={name: "data/test"})).sets


def test_a_set_name_cannot_collide_with_the_full_window_folder_of_another_set(world: Path) -> None:
    with pytest.raises(ConfigError, match="not end in '-full-window'"):
        load(changed(world, test={"dev-full-window": "data/test"}))


@pytest.mark.parametrize(
    "text", ["rounds: 2", "mix: {pseudo: 1, pseudo: 2}", "voices:\n  a: toy\n  a: toy"]
)
def test_a_duplicate_key_is_refused_with_both_line_numbers(world: Path, text: str) -> None:
    world.write_text(f"{world.read_text()}\nrounds: 1\n{text}\n")
    with pytest.raises(ConfigError, match=r"the key '\w+' stands in line \d+ and in line \d+"):
        load(world)


def test_a_plan_cannot_create_python_objects(world: Path) -> None:
    world.write_text(f"{world.read_text()}\nkeep: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load(world)


def test_a_labeler_of_another_model_is_refused(world: Path) -> None:
    asr = {"use": "whisper", "model": "openai/whisper-base"}
    plan = load(changed(world, asr=asr, labeler={"use": "ctranslate2"}))
    assert plan.labeler.recognizer.name == "ctranslate2"
    for use in ("ctranslate2", "whisper"):
        labeler = {"use": use, "model": "openai/whisper-large-v3"}
        with pytest.raises(ConfigError, match="labeler: it decodes with the champion's weights"):
            load(changed(world, asr=asr, labeler=labeler))


def test_development_sets_are_held_against_the_untouched_model_without_retention_sets(
    world: Path,
) -> None:
    gates = ["no_regression", "retention", "significant", "sane_output"]
    for changes in ({"gates": ...}, {"gates": ..., "retention": {}}):
        assert [gate.name for gate in load(changed(world, **changes)).gates] == gates
