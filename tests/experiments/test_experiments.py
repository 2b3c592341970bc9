"""What the tables of experiments/ rest on: paired intervals, Holm's correction, aggregates without a future."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.flat_record import flat
from experiments.peers import hurdle, sql_features, tuned_lightgbm
from experiments.peers.last_year import last_year
from experiments.questions import CASES, Case
from experiments.results.figures import of_distribution
from experiments.results.paired import ahead, holm
from experiments.results.tables import section
from experiments.truth import Question
from training.metrics import metrics

CUTOFF = "2024-06-01 00:00:00"


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


def question(file: Path) -> Question:
    return Question(file, ("purchase",), 30, 180, "invoice_no", ("purchase", "return"), others=("return",))


def test_the_future_changes_no_aggregate(tmp_path: Path) -> None:
    past, both = (
        sql_features.aggregates(question(log(tmp_path / f"{name}.parquet", rows)), CUTOFF)
        for name, rows in (("past", PAST), ("both", PAST + FUTURE))
    )
    pd.testing.assert_frame_equal(past, both)
    assert list(past.index) == ["anna", "bob"]


def test_aggregates_count_orders_by_their_first_row_and_know_the_cutoff(tmp_path: Path) -> None:
    anna = sql_features.aggregates(question(log(tmp_path / "log.parquet", PAST)), CUTOFF).loc["anna"]
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


def test_labels_of_what_is_learnt_end_before_what_it_is_judged_on(tmp_path: Path) -> None:
    rows = [(f"c{day % 7}", str(pd.Timestamp("2022-01-01") + pd.Timedelta(days=day)), "purchase", 1.0, str(day))
            for day in range(700)]  # fmt: skip
    case = Case("none", "churn", "2023-10-01", question(log(tmp_path / "log.parquet", rows)), "silence")
    horizon, cutoffs = sql_features.cutoffs(case)
    past = sql_features.past(case, [sql_features.aggregates(case.question, at) for at in cutoffs], horizon, cutoffs)
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


def money_case(file: Path, kind: str) -> Case:
    return Case("none", "value", CUTOFF, question(file), kind)


def test_last_year_again_is_net_money_and_orders_of_365_days_at_the_pace_of_the_horizon(tmp_path: Path) -> None:
    long_ago = [("old", "2022-01-01", "purchase", 9.0, "8"), ("anna", "2023-06-02 00:00", "purchase", 100.0, "9")]
    file = log(tmp_path / "log.parquet", [*long_ago, *PAST, *FUTURE])  # 366 days: 2024 is a leap year
    who = pd.Index(["anna", "bob", "zoe"])
    year = 30 / 365
    for kind, expected in (("money", [70 * year, 7 * year, 0]), ("orders", [3 * year, 1 * year, 0])):
        found = last_year(money_case(file, kind), who)
        assert found == pytest.approx(expected)


def test_last_year_of_a_shorter_log_is_at_the_pace_of_the_log(tmp_path: Path) -> None:
    case = money_case(log(tmp_path / "log.parquet", PAST), "money")
    history = sql_features.history_days(case)
    assert history == pytest.approx(152)
    assert last_year(case, pd.Index(["anna"])) == pytest.approx([70 * 30 / history])


def test_orders_and_money_of_a_task_are_two_cases_with_titles_of_their_own(tmp_path: Path) -> None:
    file = log(tmp_path / "log.parquet", [*PAST, ("anna", "2024-06-03", "return", -2.5, "9"), *FUTURE])
    who = pd.Index(["anna", "bob"])
    money, orders = (money_case(file, kind) for kind in ("money", "orders"))
    assert list(money.label(who, CUTOFF)) == [996.5, 0.0]
    assert list(orders.label(who, CUTOFF)) == [1.0, 0.0]
    titles = [case.title for case in CASES]
    assert len(set(titles)) == len(titles)


def test_a_hurdle_is_the_chance_of_money_times_how_much_it_is_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def tuned(past: sql_features.Past, values: np.ndarray, objective: str = "binary") -> np.ndarray:
        seen[objective] = past.label.tolist()
        return np.full(len(values), past.label.mean())

    monkeypatch.setattr(tuned_lightgbm, "tuned", tuned)
    label, late = np.array([0.0, 30.0, -5.0, 10.0]), np.array([False, False, True, True])
    past = sql_features.Past(np.zeros((4, 2)), label, late * 1, 30, ("a", "b"), ~late, late)
    assert hurdle.tuned(past, np.zeros((3, 2))) == pytest.approx(np.full(3, 0.5 * 20))
    assert seen == {"binary": [0.0, 1.0, 0.0, 1.0], "gamma": [30.0, 10.0]}


def intervals(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns).rename(columns={"q10": "quantile 0.1", "q90": "quantile 0.9"})


def test_coverage_is_told_of_all_and_of_the_tenth_where_it_is_lowest() -> None:
    came = np.array([0.0] * 10 + [0.0, 5.0, 9.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0, 20.0])
    ten = [1.0] * 10, [2.0] * 10
    told = intervals(
        score=[*ten[0], *ten[1]],
        median=[0.0] * 10 + [18.0] * 10,
        low=[0.0] * 10 + [5.0] * 10,
        high=[1.0] * 10 + [20.0] * 10,
        q10=[0.0] * 20,
        q90=[0.0] * 10 + [19.0] * 10,
    )
    found = of_distribution(came, told)
    assert found["coverage 90"] == pytest.approx(19 / 20)
    assert found["coverage 90, lowest tenth"] == pytest.approx(0.9)
    assert found["coverage 90, highest tenth"] == pytest.approx(0.9)  # the silent one cannot hold too few
    assert found["coverage 80"] == pytest.approx(13 / 20)
    assert found["MAE of median"] == pytest.approx((18 + 13 + 9 + 7 * 2) / 20)
    assert found["Winkler 90"] == pytest.approx((10 * 1 + 10 * 15 + 20 * 5) / 20)


def test_rows_of_equal_score_in_another_order_have_the_same_coverage() -> None:
    rng = np.random.default_rng(6)
    score, came = rng.integers(0, 4, 200).astype(float), rng.gamma(1, 3, 200)
    told = intervals(
        score=list(score), median=list(score), low=[0.5] * 200, high=list(score + 4), q10=[1.0] * 200, q90=[5.0] * 200
    )
    order = rng.permutation(200)
    expected = of_distribution(came, told)
    assert of_distribution(came[order], told.iloc[order]) == pytest.approx(expected)


def test_a_customer_without_an_interval_is_an_error_not_a_miss() -> None:
    told = intervals(score=[1.0], median=[1.0], low=[np.nan], high=[2.0], q10=[0.0], q90=[2.0])
    with pytest.raises(ValueError, match="expected a low for each of 1 customers, 1 have none"):
        of_distribution(np.ones(1), told)


def test_details_of_a_score_become_columns_and_who_has_none_has_no_numbers() -> None:
    quantiles = np.array([{"level": 0.1, "value": 0.0}, {"level": 0.9, "value": 8.0}], object)
    told = {"p_none": 0.7, "orders": 0.4, "order_value": None, "median": 0.0, "quantiles": quantiles}
    plain = {"customer_id": ["a", "b"], "score": [2.0, np.nan], "low": [0.0, np.nan], "high": [9.0, np.nan]}
    frame = pd.DataFrame(plain | {"rung": "rule", "grade": "D", "details": [told, None]})
    table: Any = flat(frame)
    assert list(table.index) == ["a", "b"]
    assert table.loc["a", ["orders", "median", "quantile 0.1", "quantile 0.9"]].tolist() == [0.4, 0.0, 0.0, 8.0]
    assert table.loc["b", ["orders", "median", "quantile 0.9"]].isna().all()
    assert pd.isna(table.loc["a", "order_value"])


def test_a_table_of_money_says_how_the_intervals_hold() -> None:
    figures = {"RMSE": 9.0, "MAE": 3.0, "MAE of median": 2.0, "Gini": 0.7, "Spearman": 0.5, "bias": 0.1}
    ours = {"coverage 90": 0.912, "coverage 80": 0.85, "coverage 90, lowest tenth": 0.8, "Winkler 90": 1234.0}
    about = {"case": "x, `value`, 30 days ahead of 2024", "customers": 50, "learnt days": 30}
    about |= {"base at training": 1.0, "base at test": 2.0}
    rows = [about | figures | ours | {"contender": "journeycast"}, about | figures | {"contender": "zero"}]
    kept = pd.DataFrame(rows)
    told = section(kept, "money").splitlines()[-1]
    assert told.startswith("Our 90 % interval holds 91.2 % of outcomes, 80.0 % in the tenth")
    assert told.endswith("Winkler score is 1,234.0. The middle 80 % holds 85.0 %.")
    kept[list(ours)] = np.nan  # rows of before intervals were measured, beside newer ones in one file
    assert "Our" not in section(kept, "money")
