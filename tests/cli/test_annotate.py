"""Mistakes on the command line of `annotate` end in one sentence, before anything is served."""

from pathlib import Path

import pytest

from tests.annotating import begin, build_plan, decide
from twister_loop.cli.annotate import _describe_end
from twister_loop.cli.main import main

pytest.importorskip("starlette")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--set", "dve"], "there is no set 'dve' in the plan (did you mean 'dev'?)"),
        (["--set", "human", "--by", "doubt", "--run", "none"], "none: no run here"),
        (["--set", "test", "--suggest"], "there are no suggestions for a test set"),
        (["--host", "0.0.0.0"], "set an access token in TWISTER_DASHBOARD_TOKEN"),
        (["--port", "70000"], "cannot listen on this address"),
    ],
)
def test_a_mistake_is_one_sentence(
    world: Path, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    assert main(["annotate", str(world), *options]) == 2
    [message] = capsys.readouterr().err.strip().splitlines()[-1:]
    assert message.startswith("twister: ") and reason in message


def test_the_end_tells_what_was_done_and_how_two_people_agree(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    session = begin(plan, annotator="ada")
    decide(session, session.next_clip(), "a e i o")
    decide(session, session.next_clip(), outcome="unusable", reason="private")
    [line] = _describe_end(session)
    assert line.startswith("development.calls: 1 of 5 clips, 0.0 min, in ")
    assert line.endswith("data/calls; 1 unusable, 0 for later")
    bob = begin(plan, second="bob")
    decide(bob, bob.next_clip(), "a e i u")
    assert "1 clips by both, WER 25.00%, CER 25.00%, 1 differences to settle" in [
        *_describe_end(bob)
    ][1].replace("two people: ", "")
