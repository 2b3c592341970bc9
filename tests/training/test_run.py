"""Trainings on small stores: floors and ceilings, tiny logs, determinism."""

from pathlib import Path

import pytest

from models.bundle import Bundle, save
from models.ladder.lightgbm import unpack_tree_parameters
from models.promotion import Promotion
from tests.support.log_files import Row, event, opened, run, write
from tests.support.training_shop import bundles, config, crowd
from training.run import prepare, train, train_task
from training.tuning.warm_start import champions_parameters


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    return bundles(tmp_path_factory.mktemp("crowd"), crowd())


def test_the_model_beats_the_rule_and_stays_under_the_truth(trained: dict[str, Bundle]) -> None:
    (answer,) = trained["churn"].predictors
    assert answer.rung.name in ("lightgbm", "btyd", "logistic", "average")
    own, other = answer.metrics["auroc"][0], answer.baseline_metrics["auroc"][0]
    assert other < own < 0.95  # nobody can know when an exponential clock rings
    assert answer.metrics["log_loss"][0] < answer.baseline_metrics["log_loss"][0]


def test_every_horizon_has_its_answer(trained: dict[str, Bundle]) -> None:
    assert [answer.horizon_days for answer in trained["buys"].predictors] == [7, 30]
    assert set(trained["buys"].facts["prior"]) == {"7", "30"}


def test_money_beats_its_rule_and_is_covered(trained: dict[str, Bundle]) -> None:
    (answer,) = trained["value"].predictors
    assert answer.rung.name in ("hurdle", "btyd", "average")
    assert answer.metrics["gini"][0] > answer.baseline_metrics["gini"][0]
    assert answer.metrics["coverage_90"][0] == pytest.approx(0.9, abs=0.08)


def test_a_mail_that_helps_nobody_is_not_sure_to_gain(trained: dict[str, Bundle]) -> None:
    actions = trained["offer"].actions
    assert actions is not None
    assert actions.low[actions.actions.index("web")] < 0
    assert actions.grade in ("C", "D")


def test_equal_data_and_seed_give_equal_bundles(tmp_path: Path) -> None:
    rows = crowd(120, 200)
    first = bundles(tmp_path / "a", rows, ("churn", "value", "offer"))
    again = bundles(tmp_path / "b", list(reversed(rows)), ("churn", "value", "offer"))
    for name, bundle in first.items():
        assert save(bundle, tmp_path / "one").name == save(again[name], tmp_path / "two").name


@pytest.mark.parametrize(
    ("rows", "grades"),
    [
        pytest.param([event("anna", "2024-01-01")], "D", id="one event"),
        pytest.param([event("anna", f"2024-01-{day:02}") for day in range(1, 29)], "D", id="one customer"),
        pytest.param([event(f"c{i}", "2024-01-01") for i in range(40)], "D", id="one instant"),
        pytest.param([event(f"c{i}", f"2024-0{1 + i % 6}-11") for i in range(400)], "CD", id="nobody returns"),
        pytest.param(
            [
                event(f"c{i}", f"2024-0{month}-{day:02}")
                for i in range(12)
                for month in range(1, 8)
                for day in (1, 11, 21)
            ],
            "D",
            id="everybody returns",
        ),
        pytest.param([event(f"c{i}", f"2024-0{1 + i % 6}-11", money=None) for i in range(30)], "D", id="no money"),
        pytest.param([event(f"c{i}", f"2024-0{1 + i % 6}-11", money=-3.0) for i in range(30)], "D", id="only refunds"),
    ],
)
def test_a_tiny_log_gives_a_rule_a_low_grade_and_a_sentence(tmp_path: Path, rows: list[Row], grades: str) -> None:
    rows = [*rows, event("zoe", rows[0]["at"], "mail", None) | {"kind": "web"}]
    for bundle in bundles(tmp_path, rows).values():
        for answer in bundle.predictors:
            assert answer.grade in grades
            assert answer.rung.name == "rule"
            assert answer.notes
            prior = bundle.facts["prior"][str(answer.horizon_days)]
            assert prior["low"] <= prior["score"] <= prior["high"]
        assert save(bundle, tmp_path / "bundles").is_dir()


def test_a_short_history_is_fitted_shorter_and_says_so(tmp_path: Path) -> None:
    (answer,) = bundles(tmp_path, crowd(150, 60), ("churn",))["churn"].predictors
    assert answer.fitted_days in (17, 18)
    assert answer.flags == ("extrapolated",)
    assert answer.grade in ("C", "D")
    assert "carried over" in answer.notes[1]


def test_nothing_after_the_as_of_reaches_a_bundle(tmp_path: Path) -> None:
    rows = crowd(120, 200)
    later = [event(f"c{i}", "2024-07-20", "purchase", 999.0) | {"kind": None} for i in range(100)]
    digests = []
    for name, given in (("past", rows), ("more", [*rows, *later])):
        folder = tmp_path / name
        shop = config(folder)
        write(folder / "log" / "rows.jsonl", given)
        run(shop)
        task = shop.task("churn")
        context, facts = prepare(shop, opened(shop), as_of="2024-07-01", trials=1, progress=lambda _: None)
        digests.append(save(train_task(context, task, facts)[0], tmp_path / "bundles").name)
    assert digests[0] == digests[1]


def test_a_training_before_the_first_event_knows_nothing_and_says_so(tmp_path: Path) -> None:
    shop = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", [event("anna", "2024-01-01", "mail") | {"kind": "web"}])
    run(shop)
    for task in shop.tasks.values():
        context, facts = prepare(shop, opened(shop), as_of="2020-01-01", trials=0, progress=lambda _: None)
        bundle, _ = train_task(context, task, facts)
        assert {answer.grade for answer in bundle.predictors} <= {"D"}
        assert save(bundle, tmp_path / "bundles").is_dir()


def test_a_first_training_serves_and_the_same_again_changes_nothing(tmp_path: Path) -> None:
    shop = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", crowd(60, 120))
    run(shop)
    (first,) = train(shop, opened(shop), ["churn"], trials=0, clock=lambda: 0)
    (again,) = train(shop, opened(shop), ["churn"], trials=0, clock=lambda: 0)
    assert first.promoted
    assert "no champion" in first.verdict.reason
    assert again.version == first.version
    assert "bit by bit" in again.verdict.reason


def test_a_later_training_meets_an_older_champion_on_rows_that_neither_has_seen(tmp_path: Path) -> None:
    shop = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", crowd(100, 200))
    run(shop)
    train(shop, opened(shop), ["churn", "offer"], as_of="2024-05-15", trials=0, clock=lambda: 0)
    later, offer = train(shop, opened(shop), ["churn", "offer"], trials=0, clock=lambda: 0)
    assert "which neither had seen" in later.verdict.reason
    assert later.promoted == later.verdict.passed
    assert "recorded skill" in offer.verdict.reason


def test_a_later_training_begins_with_how_the_champion_grew_and_the_same_one_does_not(tmp_path: Path) -> None:
    shop = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", crowd(200, 300))
    run(shop)
    (first,) = train(shop, opened(shop), ["value"], as_of="2024-08-15", trials=3, clock=lambda: 0)
    grown = {("value", 30): unpack_tree_parameters(first.bundle.facts["growth"]["30"])}
    succession = Promotion.open(shop)
    for as_of, wanted in (("2024-10-01", grown), ("2024-08-15", {})):
        context, _ = prepare(shop, opened(shop), as_of=as_of, trials=3, progress=lambda _: None)
        assert champions_parameters(succession, context.as_of, [shop.task("value")]) == wanted


def test_a_search_by_the_clock_is_told(tmp_path: Path) -> None:
    shop = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", crowd(200, 300))
    run(shop)
    (timed,) = train(shop, opened(shop), ["churn"], minutes=0.02, clock=lambda: 0)
    assert timed.bundle.facts["repeatable"] is False
    assert any("0.02 minutes" in note for note in timed.bundle.predictors[0].notes)
