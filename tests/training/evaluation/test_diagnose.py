"""What is looked at beside the test, on a small shop that was trained for it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from tests.support.log_files import Row, event, opened, run, write
from tests.support.training_shop import config, crowd
from training.dataset.split import split
from training.evaluation.diagnostics import Diagnostics
from training.horizon import Trained, train_horizon
from training.run import prepare
from training.tracking.evidence import evidence
from training.tracking.figures import pictures
from training.tracking.plots import canvas


def studied(folder: Path, rows: Sequence[Row], *tasks: str) -> dict[str, Trained]:
    """Each task trained with its study."""
    shop = config(folder)
    write(folder / "log" / "rows.jsonl", rows)
    run(shop)
    context, _ = prepare(shop, opened(shop), as_of=None, trials=1, progress=lambda _: None)
    context = replace(context, diagnose=True)
    found = {}
    for task in map(shop.task, tasks):
        found[task.name] = train_horizon(context, task, split(task.horizons_days[0], context.first, context.end))
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    return studied(tmp_path_factory.mktemp("crowd"), crowd(150, 240), "churn", "value")


def study_of(trained: dict[str, Trained], task: str) -> Diagnostics:
    found = trained[task].diagnostics
    assert found is not None
    return found


@pytest.mark.parametrize("task", ["churn", "value"])
def test_all_customers_make_what_was_tested(trained: dict[str, Trained], task: str) -> None:
    tested, curve = trained[task].evaluation, study_of(trained, task).learning
    assert tested is not None
    assert curve[-1].share == 1
    assert curve[-1].rows == trained[task].rows["reporting"]
    assert curve[-1].loss[0] == pytest.approx(tested.metrics["loss"][0])
    assert [one.customers for one in curve] == sorted({one.customers for one in curve})


@pytest.mark.parametrize("task", ["churn", "value"])
def test_the_last_period_is_the_test_and_earlier_ones_lie_a_horizon_apart(
    trained: dict[str, Trained], task: str
) -> None:
    periods, tested = study_of(trained, task).periods, trained[task].evaluation
    assert tested is not None
    name = "gini" if task == "value" else "auroc"
    assert periods[-1].model[name][0] == pytest.approx(tested.metrics[name][0])
    assert periods[-1].baseline[name][0] == pytest.approx(tested.baseline_metrics[name][0])
    dates = np.array([one.name for one in periods], "datetime64[D]")
    assert len(dates) > 1
    assert (np.diff(dates).astype(int) >= trained[task].split.fitted_days).all()


def test_an_earlier_period_is_measured_with_what_was_known_before_it(trained: dict[str, Trained]) -> None:
    for part in study_of(trained, "churn").periods:
        own, other = part.model["log_loss"][0], part.baseline["log_loss"][0]
        assert own is not None
        assert other is not None
        assert own < 1.3 * other  # nobody can know when an exponential clock rings, and nothing was broken


def test_every_row_of_the_test_is_in_a_segment_of_either_kind(trained: dict[str, Trained]) -> None:
    segments = study_of(trained, "churn").segments
    assert sum(one.rows for one in segments) == 2 * trained["churn"].rows["test"]


def test_the_strongest_features_come_first(trained: dict[str, Trained]) -> None:
    found = study_of(trained, "churn").attributions
    assert found is not None
    strength = np.abs(found.shifts).mean(axis=0)
    assert (np.diff(strength) <= 0).all()
    assert found.values.shape == found.shifts.shape


def test_nothing_is_looked_at_where_nothing_was_tested(tmp_path: Path) -> None:
    assert studied(tmp_path, [event("anna", "2024-01-01") | {"kind": None}], "churn")["churn"].diagnostics is None


@pytest.mark.parametrize("task", ["churn", "value"])
def test_a_shop_of_three_customers_has_all_its_pictures(
    tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "DPI", 30)
    rows = [event(f"c{number}", f"2024-01-0{number + 1}") | {"kind": None} for number in range(3)]
    found = studied(tmp_path, rows, task)[task]
    bundle = Bundle(config(tmp_path).task(task), found.question.features, (found.predictor,))
    drawn = dict(pictures("shop", evidence(bundle, tmp_path, "", [found])))
    assert {"gains", "learning", "stability", "shap"} <= drawn.keys()
    assert all(picture.startswith(b"\x89PNG") for picture in drawn.values())
