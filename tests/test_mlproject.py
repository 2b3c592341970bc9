"""MLproject: every verb is an entry point, and what is given to MLflow is what the verb is given, whatever is in it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
from mlflow.projects.utils import load_project

import journeycast

ROOT = Path(__file__).parents[1]
PROJECT = load_project(str(ROOT))  # type: ignore[no-untyped-call]
VERBS: dict[str, Any] = typer.main.get_command(journeycast.app).commands  # type: ignore[attr-defined]
FLAGS = {
    verb: [one for one in command.params if getattr(one, "is_flag", False)]
    for verb, command in VERBS.items()
    if any(getattr(one, "is_flag", False) for one in command.params)
}
AWKWARD = 'it\'s; touch made $(touch made) `touch made` && "a\\b" * {x} é'
TELLING = "python() { printf '%s\\0' \"$@\"; }; "  # a Python that says what it was given


def given(entry: str, folder: Path, **parameters: str) -> list[str]:
    """The arguments of Python in `mlflow run -e entry -P …`: MLflow makes the command and gives it to the same bash."""
    named = {name.replace("_", "-"): value for name, value in parameters.items()}
    command = PROJECT.get_entry_point(entry).compute_command(named, None)
    done = subprocess.run(["bash", "-c", TELLING + command], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split("\0")[:-1]


def taken(verb: str, arguments: list[str]) -> dict[str, Any]:
    """What the verb makes of all that stands behind it; it refuses what it does not know."""
    found: dict[str, Any] = VERBS[verb].make_context(verb, arguments[arguments.index(verb) + 1 :]).params
    return found


def needed(verb: str) -> dict[str, str]:
    return {one.name: "one" for one in VERBS[verb].params if one.required}


def declared(verb: str) -> dict[str, Any]:
    parameters: dict[str, Any] = PROJECT.get_entry_point(verb).parameters
    return parameters


def test_every_verb_is_an_entry_point_and_the_demo_is_the_main_one() -> None:
    assert set(PROJECT._entry_points) == {*VERBS, "main"}
    assert PROJECT.get_entry_point("main").command == PROJECT.get_entry_point("demo").command


@pytest.mark.parametrize("verb", VERBS)
def test_an_entry_point_declares_what_its_verb_knows_and_all_that_it_must_be_given(verb: str) -> None:
    known = {name.lstrip("-") for one in VERBS[verb].params for name in (one.name, *one.opts)}
    assert set(declared(verb)) - known - {"config", "flags"} == set()
    assert ("flags" in declared(verb)) == (verb in FLAGS)
    assert {name for name, one in declared(verb).items() if one.default is None} == set(needed(verb))


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_takes_what_its_entry_point_gives_it(verb: str, tmp_path: Path) -> None:
    arguments = given(verb, tmp_path, **needed(verb))
    expected = ["-c", "journeycast.toml", verb] if "config" in declared(verb) else [verb]
    assert arguments[: len(expected) + 1] == ["journeycast.py", *expected]
    found = taken(verb, arguments)
    for name in needed(verb):
        assert found[name] in ("one", ["one"], ("one",), [Path("one")])


@pytest.mark.parametrize("verb", FLAGS)
def test_what_has_no_value_goes_through_flags(verb: str, tmp_path: Path) -> None:
    for flag in FLAGS[verb]:
        spelled = (flag.secondary_opts if flag.default else flag.opts)[0]
        found = taken(verb, given(verb, tmp_path, flags=spelled, **needed(verb)))
        assert found[flag.name] is not flag.default


def test_what_has_no_line_passes_through_by_its_name(tmp_path: Path) -> None:
    found = taken("train", given("train", tmp_path, task="churn value", as_of="2011-09-10", trials="30"))
    assert (list(found["task"]), found["as_of"], found["trials"]) == (["churn", "value"], "2011-09-10", 30)


@pytest.mark.parametrize("name", ["config", "out", "as-of"])
def test_no_value_reaches_the_shell(name: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    assert AWKWARD in given("score", tmp_path, **{name: AWKWARD})
    assert [one.name for one in tmp_path.iterdir()] == ["a file"]


@pytest.mark.parametrize(("verb", "name"), [("train", "task"), ("train", "flags"), ("init", "log"), ("ingest", "log")])
def test_what_is_split_is_not_run_either(verb: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    found = given(verb, tmp_path, **{name: AWKWARD})
    words = [AWKWARD] if name == "log" else AWKWARD.split()
    assert found[-len(words) :] == words
    assert [one.name for one in tmp_path.iterdir()] == ["a file"]


def test_files_of_the_log_are_parted_by_line_breaks(tmp_path: Path) -> None:
    assert given("init", tmp_path, log="my log.csv\n*.parquet")[-2:] == ["my log.csv", "*.parquet"]
