"""The one scoring path: what may change a score, what must not, and that every form of it says the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.arrays import Floats
from features.errors import InputError, RequestError
from features.journeys import Journeys
from features.language.feature_set import FeatureSet
from features.panel.build import Panel, Rows, build
from features.timeline import DAY_US, moment
from models.bundle import Bundle, load, save
from models.score_record import ScoreRecord
from serving.contract.arrow import SCHEMA
from serving.contract.score_id import ScoreId, read_score_id
from serving.scoring.arrow_table import record_batch
from serving.scoring.judge import ScoringOptions, judge, judge_everyone
from serving.scoring.monotone import monotone
from serving.scoring.reasons import contributions
from serving.scoring.served_model import Served
from tests.support import bundles
from tests.support.bundles import FEATURES
from tests.support.ingested_shop import without_silence
from tests.support.strategies import CUTOFFS, START, Event, Fact, World, events, world, worlds

AS_OF = CUTOFFS[1]
ASKED = ScoringOptions(AS_OF, log_position=3)
BUNDLES = (bundles.churn((30, 90, 180)), bundles.buys((7, 30)), bundles.value(), bundles.offer())
SERVED = tuple(Served(replace(bundle, digest=str(number) * 64), "1") for number, bundle in enumerate(BUNDLES))
ANNA = [Event(AS_OF - day * DAY_US, value=day / 4, channel="web") for day in (0, 3, 10, 40, 100)]
Records = dict[str, list[dict[str, Any]]]


def scored(of: World, served: tuple[Served, ...] = SERVED, **asked: Any) -> Records:
    """Score records of a world, by customer."""
    found: Records = {customer: [] for customer in of.customers}
    for record in judge(of.journeys(), served, replace(ASKED, **asked)).records():
        found[record["customer_id"]].append(record)
    return found


def one(of: World, task: str, customer: str = "anna", **asked: Any) -> dict[str, Any]:
    return next(record for record in scored(of, **asked)[customer] if record["task"] == task)


later = events().filter(lambda event: event.time > AS_OF or event.known_at > AS_OF)


@given(worlds(), st.lists(later, max_size=10))
def test_what_happens_or_becomes_known_after_the_as_of_changes_no_score(of: World, future: list[Event]) -> None:
    before, after = scored(of), scored(of.adding(*future))
    assert {customer: after[customer] for customer in of.customers} == before
    newcomers = [record for customer in after.keys() - before.keys() for record in after[customer]]
    assert all("new_customer" in record["flags"] for record in newcomers)


@given(worlds())
def test_other_customers_change_no_score(of: World) -> None:
    together = scored(of)
    for customer in of.customers:
        assert scored(of.only(customer))[customer] == together[customer]


@given(worlds(), st.randoms())
def test_the_order_of_rows_changes_no_score(of: World, random: Any) -> None:
    rows = list(of.events)
    random.shuffle(rows)
    assert scored(replace(of, events=tuple(rows))) == scored(of)


@given(worlds())
def test_json_and_parquet_say_the_same_to_the_bit(of: World) -> None:
    scores = judge(of.journeys(), SERVED, replace(ASKED, reasons=True))
    table = pa.Table.from_batches([record_batch(scores)]).cast(SCHEMA)
    table.validate(full=True)
    assert [without_silence(row) for row in table.to_pylist()] == list(scores.records())


@given(worlds())
def test_every_record_keeps_the_contract(of: World) -> None:
    for record in judge(of.journeys(), SERVED, replace(ASKED, reasons=True)).records():
        details = record["details"] or {}
        kept = ScoreRecord.model_validate(record)
        assert list(record) == list(ScoreRecord.model_fields)
        assert kept.score is None or (kept.low is not None and kept.high is not None and kept.low <= kept.high)
        assert (kept.score is None) == ("not_in_population" in kept.flags)
        assert kept.details is None or details


def test_an_event_on_the_as_of_counts_and_one_a_microsecond_later_does_not() -> None:
    on, after = world(*ANNA[1:], Event(AS_OF, value=0.0)), world(*ANNA[1:], Event(AS_OF + 1, value=0.0))
    assert one(on, "churn")["score"] != one(after, "churn")["score"]
    assert scored(after) == scored(world(*ANNA[1:]))


@given(worlds())
def test_a_longer_horizon_never_contradicts_a_shorter_one(of: World) -> None:
    for records in scored(of).values():
        silent = [record["score"] for record in records if record["task"] == "churn" and record["score"] is not None]
        active = [
            record["score"] for record in records if record["task"] == "buys_again" and record["score"] is not None
        ]
        assert silent == sorted(silent, reverse=True)
        assert active == sorted(active)


def test_the_interval_and_the_percentile_follow_a_score_that_was_moved() -> None:
    answers = BUNDLES[1].predictors
    values = np.tile(np.linspace(0, 40, 50)[:, None], (1, len(FEATURES)))
    said = [answer.predict(values, FEATURES.position) for answer in answers]
    moved = monotone(answers, said)
    assert (moved[1].score > said[1].score).any()
    assert (moved[1].low <= moved[1].score).all()
    assert (moved[1].score <= moved[1].high).all()
    assert (moved[1].percentile == answers[1].percentile(moved[1].score)).all()


def test_a_customer_outside_the_population_has_no_score() -> None:
    record = one(world(Event(AS_OF - 400 * DAY_US)), "churn")
    assert (record["score"], record["low"], record["percentile"], record["band"], record["details"]) == (None,) * 5
    assert record["flags"] == ["not_in_population"]


def test_a_customer_nobody_knows_gets_the_prior() -> None:
    record = next(
        r for r in scored(World(strangers=("zoë",)))["zoë"] if (r["task"], r["horizon_days"]) == ("churn", 90)
    )
    assert record["flags"] == ["new_customer"]
    assert (record["score"], record["low"], record["high"], record["baseline"]) == (0.5, 0.4, 0.6, 0.45)
    assert record["percentile"] == pytest.approx(50, abs=1)


def test_without_a_prior_in_the_bundle_it_is_the_mean_of_the_base() -> None:
    prior = one(World(strangers=("anna",)), "buys_again")
    assert prior["score"] == pytest.approx(0.5)
    assert prior["low"] < prior["score"] < prior["high"]


def test_a_customer_of_the_profile_alone_is_known() -> None:
    records = scored(world(Fact(START, age=40.0)))["anna"]
    assert [record["flags"] for record in records if record["task"] in ("churn", "offer")] == [
        *([["not_in_population"]] * 3),
        ["thin_data"],
    ]


def test_a_customer_of_one_purchase_is_thin_data() -> None:
    assert one(world(ANNA[0]), "churn")["flags"] == ["thin_data"]
    assert one(world(*ANNA[:2]), "churn")["flags"] == []


def test_a_score_says_that_it_was_extrapolated() -> None:
    assert one(world(*ANNA), "value")["flags"] == ["extrapolated"]


def test_a_model_from_the_future_is_refused_unless_allowed() -> None:
    of, before = world(Event(START - 2 * DAY_US)), START - DAY_US
    with pytest.raises(RequestError, match=r"trained as of 2020-01-01T00:00:00Z, which has seen what came after"):
        scored(of, as_of_us=before)
    record = one(of, "churn", as_of_us=before, model_from_the_future=True)
    assert "model_from_the_future" in record["flags"]
    assert record["score"] is not None


def test_next_best_action_ranks_everybody_with_gain_over_nothing() -> None:
    record = one(world(Event(AS_OF - 400 * DAY_US)), "offer")
    assert (record["action"], record["action_probability"], record["score"]) == ("mens", 1.0, 0.5)
    assert record["ranking"] == ["mens", "womens", "none"]
    assert [action["gain"] for action in record["details"]["actions"]] == [0.5, 0.0, 0.25]


def test_what_a_hurdle_knows_stands_in_the_details() -> None:
    record = one(world(*ANNA), "value")
    details = record["details"]
    assert details["orders"] * details["order_value"] == pytest.approx(record["score"])
    assert 0 < details["p_none"] < 1
    assert details["orders"] >= 1 - details["p_none"]
    quantiles = {quantile["level"]: quantile["value"] for quantile in details["quantiles"]}
    assert list(quantiles) == [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
    assert list(quantiles.values()) == sorted(quantiles.values())
    assert details["median"] == quantiles[0.5]


def test_the_next_order_is_due_when_it_is_as_likely_to_have_come_as_not() -> None:
    often, lapsed = one(world(*ANNA), "value"), one(world(Event(AS_OF - 300 * DAY_US)), "value")
    p_none, ahead = often["details"]["p_none"], often["details"]["next_order_at"] - moment(AS_OF)
    assert p_none < 0.5 < lapsed["details"]["p_none"]
    assert p_none ** (ahead.total_seconds() / 86_400 / 90) == pytest.approx(0.5)
    assert "next_order_at" not in lapsed["details"]


def test_a_score_expires_after_a_week_or_a_shorter_horizon() -> None:
    horizons = {r["horizon_days"]: r["expires_at"] for r in scored(world(*ANNA))["anna"]}
    assert horizons[7] == horizons[90] == moment(AS_OF + 7 * DAY_US)
    short = (Served(bundles.churn((2,)), "1"),)
    assert scored(world(*ANNA), served=short)["anna"][0]["expires_at"] == moment(AS_OF + 2 * DAY_US)


def test_reasons_name_features_that_moved_the_score_the_strongest_first() -> None:
    record = one(world(*ANNA), "churn", reasons=True)
    assert 1 <= len(record["reasons"]) <= 3
    assert {reason["feature"] for reason in record["reasons"]} <= set(FEATURES.names)
    assert one(world(*ANNA), "churn")["reasons"] is None


@pytest.mark.parametrize("bundle", [BUNDLES[0], BUNDLES[2]], ids=["probability", "hurdle"])
def test_contributions_add_up_to_how_far_two_customers_lie_apart(bundle: Bundle) -> None:
    values: Floats = np.random.default_rng(3).gamma(1.0, 8.0, (2, len(FEATURES)))
    rung = bundle.predictors[0].rung
    moved = contributions(rung, Panel(Rows.grid(2, np.array([AS_OF])), values, FEATURES)).sum(axis=1)
    trees = getattr(rung, "trees", None)
    if trees is not None:
        raw = trees.raw(values)
        assert moved[1] - moved[0] == pytest.approx(raw[1] - raw[0])
    else:
        assert np.sign(moved[1] - moved[0]) == np.sign(np.diff(rung.predict(values, FEATURES.position).mean)[0])


def test_bundles_with_the_same_features_share_one_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[FeatureSet] = []

    def counted(journeys: Journeys, rows: Rows, features: FeatureSet) -> Panel:
        built.append(features)
        return build(journeys, rows, features)

    monkeypatch.setattr("serving.scoring.judge.build", counted)
    scored(world(*ANNA))
    assert built.count(FEATURES) == 1


def test_the_base_holds_nobody_of_whom_nothing_is_known_yet() -> None:
    of = world(*ANNA, Event(AS_OF + 1, customer="bob"), strangers=("zoë",))
    assert judge_everyone(of.journeys(), SERVED, ASKED).customers.tolist() == ["anna"]


def test_nobody_has_no_scores() -> None:
    scores = judge(World().journeys(), SERVED, ASKED)
    assert len(scores) == record_batch(scores).num_rows == 0


def test_a_loaded_bundle_scores_like_the_one_that_was_saved(tmp_path: Path) -> None:
    folders = [save(bundle, tmp_path) for bundle in BUNDLES]
    loaded = tuple(Served(load(folder, folder.name), "1") for folder in folders)
    saved = scored(world(*ANNA))["anna"]
    for record, was in zip(scored(world(*ANNA), served=loaded)["anna"], saved, strict=True):
        assert {**record, "score_id": ""} == {**was, "score_id": ""}


@given(
    st.builds(
        ScoreId,
        st.from_regex(r"[A-Za-z0-9_-]+", fullmatch=True),
        st.integers(1, 9999),
        st.just("0" * 16),
        st.integers(-(10**15), 10**16),
        st.integers(0, 10**6),
        st.booleans(),
    )
)
def test_a_score_id_says_what_it_was_made_from(made: ScoreId) -> None:
    assert read_score_id(str(made)) == made


@pytest.mark.parametrize("text", ["", "churn", "churn.90d.x.y.1.log", "churn.90d.0.1.1.moon"])
def test_a_text_that_is_no_score_id_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"expected a score_id such as 'churn\.90d"):
        read_score_id(text)
