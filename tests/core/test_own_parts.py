"""Parts from outside of the package: found by name, signed by their source, refused when wrong."""

import copy
import pickle
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import invalidate_caches
from pathlib import Path

import pytest

from tests.own_parts import write_parts
from twister_loop import Utterance
from twister_loop.core import part_origins
from twister_loop.core.artifacts import cache_key
from twister_loop.core.differences import describe_code_change, find_differences
from twister_loop.core.part_origins import FOLDER_PACKAGE, VARIABLE, use_parts_folder
from twister_loop.errors import ConfigError, EngineError
from twister_loop.parts import Filter, Gate, Normalizer


def forget_modules() -> None:
    """Have the next part that is built read its file again, as a new process does."""
    for name in [name for name in sys.modules if name.startswith((FOLDER_PACKAGE, "shouts"))]:
        del sys.modules[name]
    part_origins._installed_parts.cache_clear()
    invalidate_caches()


@pytest.fixture(autouse=True)
def _leave_nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the parts after a test, when `monkeypatch` has taken their folders back."""
    yield
    monkeypatch.undo()
    forget_modules()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    forget_modules()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "parts"))
    return write_parts(tmp_path / "parts")


def test_a_file_in_the_folder_is_a_part_by_its_name(folder: Path) -> None:
    wordy = Filter.build({"use": "wordy", "at_most": 2})
    assert wordy.name == "wordy" and "wordy" in Filter.list_names()
    assert "_limits" not in Filter.list_names() and "wordy" not in Gate.list_names()
    assert wordy.objection(Utterance(id="a", text="one two three")) == "3 words"
    assert not list(folder.rglob("__pycache__"))  # nothing is written into somebody's folder
    with pytest.raises(ConfigError, match=r"unknown filter 'wordly'; did you mean 'wordy'\?"):
        Filter.build({"use": "wordly"})
    with pytest.raises(ConfigError, match=r"filter wordy: at_most: must be a whole number"):
        Filter.build({"use": "wordy", "at_most": "many"})


@pytest.mark.usefixtures("folder")
def test_parts_of_the_package_have_the_key_that_they_always_had() -> None:
    assert cache_key(Filter.build({"use": "no_speech"})) == {"use": "no_speech", "at_most": 0.6}


@pytest.mark.parametrize("name", ["wordy.py", "_limits.py"])
def test_an_edit_of_a_part_or_of_what_it_imports_changes_its_key(folder: Path, name: str) -> None:
    before = cache_key(Filter.build({"use": "wordy"}))
    assert before["own_code"].keys() == {"from", "digest"}
    assert before["own_code"]["from"] == "a parts folder"
    # Another part beside it is none of its code.
    (folder / "filters" / "another.py").write_text("nothing = True\n")
    forget_modules()
    assert cache_key(Filter.build({"use": "wordy"})) == before
    (folder / "filters" / name).write_text((folder / "filters" / name).read_text() + "# edited\n")
    forget_modules()
    now = cache_key(Filter.build({"use": "wordy"}))
    [difference] = find_differences({"filters": [before]}, {"filters": [now]})
    assert (describe_code_change(*difference) or "").startswith(
        "the code of filters.wordy was edited (digest "
    )


def test_the_same_files_in_another_folder_have_the_same_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = cache_key(Filter.build({"use": "wordy"}))
    folder.rename(folder.with_name("moved"))
    monkeypatch.setenv(VARIABLE, str(folder.with_name("moved")))
    moved = Filter.build({"use": "wordy"})
    assert cache_key(moved) == key
    assert sys.modules[type(moved).__module__].__file__ == str(
        folder.with_name("moved") / "filters" / "wordy.py"
    )


def install(site: Path, name: str, value: str, source: str, version: str = "1.0") -> None:
    """Write what an installer writes: a module, and the metadata of its distribution."""
    metadata = site / f"shouts-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: shouts\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[twister_loop.gates]\n{name} = {value}\n")
    (site / "shouts.py").write_text(source)
    forget_modules()


GATES = """
from dataclasses import dataclass
from twister_loop.parts import Gate

@dataclass(frozen=True)
class Loud(Gate):
    def objection(self, evidence):
        return None

@dataclass(frozen=True)
class Louder(Loud):
    pass
"""


def test_an_installed_entry_point_is_a_part_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "loud", "shouts:Louder", GATES)
    loud = Gate.build({"use": "loud"})
    # The name is that of the entry point, whatever class and module are called.
    assert (loud.name, type(loud).__name__) == ("loud", "Louder")
    assert cache_key(loud)["own_code"]["from"] == "the distribution shouts 1.0"
    assert pickle.loads(pickle.dumps(loud)) == loud


def test_a_module_with_two_parts_has_to_say_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "loud", "shouts", GATES)
    with pytest.raises(ConfigError, match=r"expected one class that is a gate.*2 \(Loud, Louder\)"):
        Gate.build({"use": "loud"})


def test_a_name_that_is_taken_is_refused_with_both_places(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gates" / "lenient.py").rename(folder / "gates" / "retention.py")
    with pytest.raises(ConfigError, match=r"in the package twister_loop and .*retention\.py; ren"):
        Gate.build({"use": "retention"})
    Gate.build({"use": "significant"})  # no other name suffers
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "retention", "shouts:Loud", GATES)
    with pytest.raises(ConfigError, match=r"twister_loop and shouts:Loud of the distribution shou"):
        Gate.build({"use": "retention"})


BROKEN = {
    "syntax": ("def", r"wrong\.py cannot be imported: SyntaxError: .*line 1"),
    "missing package": (
        "import no_such_package",
        r"wrong\.py cannot be imported: ModuleNotFoundError: No module named 'no_such_package'",
    ),
    "no part": ("Filter = 1", r"expected one class that is a filter, and it defines none"),
    "not frozen": (
        "from twister_loop.parts import Filter\nclass Wrong(Filter):\n    pass",
        r"wrong\.py: Wrong: write `@dataclass\(frozen=True\)` above the class",
    ),
    "no method": (
        "from dataclasses import dataclass\nfrom twister_loop.parts import Filter\n"
        "@dataclass(frozen=True)\nclass Wrong(Filter):\n    pass",
        r"Wrong: a filter has to define objection",
    ),
    "reserved": (
        "from dataclasses import dataclass\nfrom twister_loop.parts import Filter\n"
        "@dataclass(frozen=True)\nclass Wrong(Filter):\n    name: str = 'a'\n"
        "    def objection(self, utterance):\n        return None",
        r"Wrong: no option can be called name",
    ),
}


@pytest.mark.parametrize(("source", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_part_that_cannot_be_used_is_named_with_its_file(
    folder: Path, source: str, message: str
) -> None:
    (folder / "filters" / "wrong.py").write_text(source)
    with pytest.raises(ConfigError, match=message):
        Filter.build({"use": "wrong"})


def test_a_part_travels_by_its_name_and_only_to_the_same_code(folder: Path) -> None:
    wordy = Filter.build({"use": "wordy", "at_most": 2})
    assert copy.copy(wordy) == wordy
    pickled = pickle.dumps(wordy)
    forget_modules()
    assert vars(pickle.loads(pickled)) == {"at_most": 2}
    (folder / "filters" / "_limits.py").write_text("LIMIT = 7\n")
    forget_modules()
    with pytest.raises(EngineError, match=r"the code of the filter 'wordy' is not the one that"):
        pickle.loads(pickled)


def test_a_class_that_no_other_process_finds_is_refused_when_it_is_recorded() -> None:
    @dataclass(frozen=True)
    class Inline(Gate):
        def objection(self, evidence: object) -> None:
            return None

    assert cache_key(Inline())["own_code"]["from"] == f"the module {__name__}"
    in_main = type("Inline", (Inline,), {"__module__": "__main__"})
    with pytest.raises(ConfigError, match=r"gate Inline is defined in __main__.*FOLDER/gates/NAME"):
        cache_key(in_main())


def test_the_digest_of_a_normalizer_changes_with_its_code(folder: Path) -> None:
    before = Normalizer.build({"use": "skeleton"}).digest()
    file = folder / "normalizers" / "skeleton.py"
    file.write_text(file.read_text() + "# edited\n")
    forget_modules()
    assert Normalizer.build({"use": "skeleton"}).digest() != before


def test_a_folder_without_parts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=r"--parts .*nowhere: there is no such folder"):
        use_parts_folder(tmp_path / "nowhere", ["filters"])
    (tmp_path / "filter").mkdir()
    with pytest.raises(ConfigError, match=r"it holds no parts; a part is a file FOLDER/KIND/NAME"):
        use_parts_folder(tmp_path, ["filters", "gates"])
