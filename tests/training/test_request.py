"""The digest of a training: it changes with all that decides the bundle, and with nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from models.ladder.lightgbm import TreeParameters
from tests.support.log_files import event, opened, run, write
from tests.support.training_shop import config
from training.context import TrainingContext
from training.dataset.split import split
from training.request import SOURCES, code_version, request_digest, source_digest, study_name
from training.run import prepare

CHURN = "churn"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> TrainingContext:
    shop = config(tmp_path_factory.mktemp("shop"))
    write(
        shop.folder / "log" / "rows.jsonl",
        [event(f"c{i}", f"2024-0{1 + i % 6}-11") | {"kind": None} for i in range(40)],
    )
    run(shop)
    return prepare(shop, opened(shop), as_of=None, trials=2, progress=lambda _: None)[0]


def with_train(context: TrainingContext, **keys: object) -> TrainingContext:
    train = context.config.train.model_copy(update=keys)
    return replace(context, config=context.config.model_copy(update={"train": train}))


CHANGES: dict[str, Callable[[TrainingContext], TrainingContext]] = {
    "data": lambda one: replace(one, data="other"),
    "instant": lambda one: replace(one, as_of=one.as_of + 1),
    "seed": lambda one: replace(one, config=one.config.model_copy(update={"seed": 8})),
    "trials": lambda one: replace(one, budget=replace(one.budget, trials=3)),
    "minutes": lambda one: replace(one, budget=replace(one.budget, minutes=1.0)),
    "champion": lambda one: replace(one, champions={(CHURN, 30): TreeParameters()}),
    "rows": lambda one: with_train(one, max_rows=7),
}
NO_CHANGES: dict[str, Callable[[TrainingContext], TrainingContext]] = {
    "threads": lambda one: with_train(one, threads=9),
    "another task's champion": lambda one: replace(one, champions={("value", 30): TreeParameters()}),
    "workspace": lambda one: replace(one, config=one.config.model_copy(update={"workspace": "else"})),
    "telling": lambda one: replace(one, on_progress=print),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_decides_a_bundle_changes_its_origin(
    context: TrainingContext, change: Callable[[TrainingContext], TrainingContext]
) -> None:
    task = context.config.task(CHURN)
    assert request_digest(change(context), task) != request_digest(context, task)


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES)
def test_what_decides_nothing_does_not(
    context: TrainingContext, change: Callable[[TrainingContext], TrainingContext]
) -> None:
    task = context.config.task(CHURN)
    assert request_digest(change(context), task) == request_digest(context, task)


def test_each_question_has_its_origin(context: TrainingContext) -> None:
    task = context.config.task(CHURN)
    longer = task.model_copy(update={"active_days": 30})
    assert len({request_digest(context, one) for one in (*context.config.tasks.values(), longer)}) == 5


def test_a_study_is_named_to_be_read_and_each_horizon_has_its_own(context: TrainingContext) -> None:
    task = context.config.task("buys")
    names = [study_name(context, task, split(days, context.first, context.end)) for days in (7, 30)]
    assert names[0].startswith("shop.buys.7d.")
    assert len(names[0]) == len("shop.buys.7d.") + 16
    assert names[0] != names[1]
    carried = [study_name(context, task, split(days, context.first, context.end)) for days in (365, 730)]
    assert carried[0].split(".")[:3] == carried[1].split(".")[:3]  # both fitted on as many days as there are
    assert carried[0] != carried[1]


def test_the_code_version_changes_with_any_source_and_with_no_end_of_line(tmp_path: Path) -> None:
    for name in SOURCES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "some.py").write_bytes(b"one = 1\ntwo = 2\n")
    folders = [tmp_path / name for name in SOURCES]
    before = source_digest(folders)
    (tmp_path / "models" / "some.py").write_bytes(b"one = 1\r\ntwo = 2\r\n")
    (tmp_path / "models" / "note.md").write_text("no source")
    assert source_digest(folders) == before
    (tmp_path / "training" / "some.py").write_bytes(b"one = 1\ntwo = 3\n")
    changed = source_digest(folders)
    (tmp_path / "training" / "some.py").rename(tmp_path / "training" / "other.py")
    assert len({before, changed, source_digest(folders)}) == 3
    assert code_version().partition("+")[2] == code_version()[-12:]
