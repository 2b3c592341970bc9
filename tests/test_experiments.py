"""What the tables of experiments/ rest on: paired intervals, Holm's correction, aggregates without a future."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from experiments.paired import ahead, holm
from training import metrics

FOLDER = Path(__file__).parents[1] / "experiments"
CUTOFF = "2024-06-01 00:00:00"


@pytest.fixture
def aggregates(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("peer_features")


def log(file: Path, rows: list[tuple[str, str, str, float, str]]) -> Path:
    frame = pd.DataFrame(rows, columns=["customer_id", "timestamp", "event_type", "value", "invoice_no"])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], format="ISO8601").astype("datetime64[us]")
    frame.to_parquet(file)
    return file


PAST = [
    ("anna", "2024-01-01 10:00", "purchase", 10.0, "1"),
    ("anna", "2024-05-02 00:00", "purchase", 20.0, "2"),  # exactly 30 days before
    ("anna", "2024-05-02 00:00:01", "purchase", 5.0, "2"),
    ("anna", "2024-06-01 00:00", "purchase", 40.0, "3"),  # on the cutoff
    ("anna", "2024-05-20 00:00", "return", -5.0, "4"),
    ("bob", "2024-03-01 00:00", "purchase", 7.0, "5"),
]
FUTURE = [("anna", "2024-06-01 00:00:00.000001", "purchase", 999.0, "6"), ("zoe", "2024-06-02", "purchase", 1.0, "7")]


def question(aggregates: ModuleType, file: Path) -> object:
    asked = aggregates.Question(file, ("purchase",), 30, 180, "invoice_no", ("purchase", "return"), others=("return",))
    return asked


def test_the_future_changes_no_aggregate(aggregates: ModuleType, tmp_path: Path) -> None:
    tables = [
        aggregates.aggregates(question(aggregates, log(tmp_path / f"{name}.parquet", rows)), CUTOFF)
        for name, rows in (("past", PAST), ("both", PAST + FUTURE))
    ]
    pd.testing.assert_frame_equal(*tables)
    assert list(tables[0].index) == ["anna", "bob"]


def test_aggregates_count_orders_by_their_first_row_and_know_the_cutoff(aggregates: ModuleType, tmp_path: Path) -> None:
    anna = aggregates.aggregates(question(aggregates, log(tmp_path / "log.parquet", PAST)), CUTOFF).loc["anna"]
    expected = {
        "orders_7d": 1,
        "orders_30d": 1,  # the one of 30 days before lies outside (cutoff - 30 days, cutoff]
        "orders_60d": 2,
        "orders_all": 3,
        "recency": 0,
        "recency_2": 30,
        "gap_back_1": 30,
        "value_back_1": 40,
        "value_60d": 65,
        "net_90d": 60,
        "return_30d": 1,
        "return_recency": 12,
    }
    assert {name: anna[name] for name in expected} == expected


def test_labels_of_what_is_learnt_end_before_what_it_is_judged_on(aggregates: ModuleType, tmp_path: Path) -> None:
    cases = importlib.import_module("cases")
    rows = [(f"c{day % 7}", str(pd.Timestamp("2022-01-01") + pd.Timedelta(days=day)), "purchase", 1.0, str(day))
            for day in range(700)]  # fmt: skip
    case = cases.Case(
        "none", "churn", "2023-10-01", question(aggregates, log(tmp_path / "log.parquet", rows)), "silence"
    )
    horizon, cutoffs = aggregates.cutoffs(case)
    past = aggregates.past(case, [aggregates.aggregates(case.question, at) for at in cutoffs], horizon, cutoffs)
    times = pd.to_datetime(cutoffs)
    assert horizon == 30
    assert times[-1] + pd.Timedelta(days=horizon) == pd.Timestamp(case.cutoff)
    earlier = times[np.unique(past.cutoff[past.earlier])]
    assert (earlier + pd.Timedelta(days=horizon) <= times[-1]).all()
    assert (past.cutoff[past.newest] == len(times) - 1).all()


def test_the_paired_interval_is_that_of_the_mean_difference() -> None:
    rng = np.random.default_rng(3)
    chance = rng.uniform(0.1, 0.9, 1500)
    came = (rng.random(1500) < chance).astype(np.float64)
    other = np.clip(chance + rng.normal(0, 0.15, 1500), 0.01, 0.99)
    found = ahead("log-loss", metrics.log_loss, came, chance, {"other": other})["other"]
    difference = metrics.log_losses(came, other) - metrics.log_losses(came, chance)
    error = difference.std() / np.sqrt(1500)
    assert found.by == pytest.approx(difference.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.08)  # 2,000 draws: a standard error of 3 %


def test_a_peer_that_says_the_same_is_neither_ahead_nor_behind() -> None:
    rng = np.random.default_rng(4)
    said, came = rng.random(300), (rng.random(300) < 0.5).astype(np.float64)
    found = ahead("AUROC", metrics.auroc, came, said, {"same": said * 2})["same"]
    assert (found.by, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_better_ranking_is_ahead_whichever_way_the_metric_points() -> None:
    rng = np.random.default_rng(5)
    chance = rng.uniform(0.05, 0.95, 800)
    came = (rng.random(800) < chance).astype(np.float64)
    noise = {"noise": rng.random(800)}
    for title, metric in (("AUROC", metrics.auroc), ("log-loss", metrics.log_loss)):
        found = ahead(title, metric, came, chance, noise)["noise"]
        assert found.low > 0
        assert found.p < 0.01


def test_holm_is_never_below_the_p_value_and_keeps_the_order() -> None:
    assert holm([0.04, 0.001, 0.03]) == pytest.approx([0.06, 0.003, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
