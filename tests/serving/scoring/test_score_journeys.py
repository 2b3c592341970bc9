"""The one scoring path: what may change a score, what must not, and that every form of it says the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

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
from serving.scoring.arrow_table import CODED_SCHEMA, record_batch
from serving.scoring.monotone import monotone
from serving.scoring.reasons import contributions
from serving.scoring.score_journeys import ScoringOptions, score_journeys, score_known_customers
from serving.scoring.scores import HEAD_FIELDS, NUMBERS
from serving.scoring.served_model import ServedBundle
from tests.support import bundles
from tests.support.bundles import FEATURES
from tests.support.ingested_shop import without_nulls
from tests.support.strategies import CUTOFFS, START, Event, Fact, World, events, world, worlds

AS_OF = CUTOFFS[1]
OPTIONS = ScoringOptions(AS_OF, log_position=3)
BUNDLES = (bundles.churn((30, 90, 180)), bundles.buys((7, 30)), bundles.value(), bundles.offer())
SERVED = tuple(ServedBundle(replace(bundle, digest=str(number) * 64), "1") for number, bundle in enumerate(BUNDLES))
ANNA = [Event(AS_OF - day * DAY_US, value=day / 4, channel="web") for day in (0, 3, 10, 40, 100)]
Records = dict[str, list[dict[str, Any]]]


def scored(shop: World, served: tuple[ServedBundle, ...] = SERVED, **options: Any) -> Records:
    """Score records of a world, by customer."""
    records: Records = {customer: [] for customer in shop.customers}
    for record in score_journeys(shop.journeys(), served, replace(OPTIONS, **options)).records():
        records[record["customer_id"]].append(record)
    return records


def record_of(shop: World, task: str, customer: str = "anna", **options: Any) -> dict[str, Any]:
    return next(record for record in scored(shop, **options)[customer] if record["task"] == task)


later = events().filter(lambda event: event.time > AS_OF or event.known_at > AS_OF)


@given(worlds(), st.lists(later, max_size=10))
def test_what_happens_or_becomes_known_after_the_as_of_changes_no_score(shop: World, future: list[Event]) -> None:
    before, after = scored(shop), scored(shop.adding(*future))
    assert {customer: after[customer] for customer in shop.customers} == before
    newcomers = [record for customer in after.keys() - before.keys() for record in after[customer]]
    assert all("new_customer" in record["flags"] for record in newcomers)


@given(worlds())
def test_other_customers_change_no_score(shop: World) -> None:
    together = scored(shop)
    for customer in shop.customers:
        assert scored(shop.only(customer))[customer] == together[customer]


@given(worlds(), st.randoms())
def test_the_order_of_rows_changes_no_score(shop: World, random: Any) -> None:
    rows = list(shop.events)
    random.shuffle(rows)
    assert scored(replace(shop, events=tuple(rows))) == scored(shop)


@given(worlds())
def test_json_and_parquet_say_the_same_to_the_bit(shop: World) -> None:
    scores = score_journeys(shop.journeys(), SERVED, replace(OPTIONS, reasons=True))
    table = pa.Table.from_batches([record_batch(scores)]).cast(SCHEMA)
    table.validate(full=True)
    assert [without_nulls(row) for row in table.to_pylist()] == list(scores.records())


@given(worlds())
def test_every_record_keeps_the_contract(shop: World) -> None:
    for record in score_journeys(shop.journeys(), SERVED, replace(OPTIONS, reasons=True)).records():
        details = record["details"] or {}
        checked = ScoreRecord.model_validate(record)
        assert list(record) == list(ScoreRecord.model_fields)
        assert checked.score is None or (
            checked.low is not None and checked.high is not None and checked.low <= checked.high
        )
        assert (checked.score is None) == ("not_in_population" in checked.flags)
        assert checked.details is None or details


def test_an_event_on_the_as_of_counts_and_one_a_microsecond_later_does_not() -> None:
    on, after = world(*ANNA[1:], Event(AS_OF, value=0.0)), world(*ANNA[1:], Event(AS_OF + 1, value=0.0))
    assert record_of(on, "churn")["score"] != record_of(after, "churn")["score"]
    assert scored(after) == scored(world(*ANNA[1:]))


@given(worlds())
def test_a_longer_horizon_never_contradicts_a_shorter_one(shop: World) -> None:
    for records in scored(shop).values():
        silent = [record["score"] for record in records if record["task"] == "churn" and record["score"] is not None]
        active = [
            record["score"] for record in records if record["task"] == "buys_again" and record["score"] is not None
        ]
        assert silent == sorted(silent, reverse=True)
        assert active == sorted(active)


def test_the_interval_and_the_percentile_follow_a_score_that_was_moved() -> None:
    predictors = BUNDLES[1].predictors
    values = np.tile(np.linspace(0, 40, 50)[:, None], (1, len(FEATURES)))
    predictions = [predictor.predict(values, FEATURES.position) for predictor in predictors]
    moved = monotone(predictors, predictions)
    assert (moved[1].score > predictions[1].score).any()
    assert (moved[1].low <= moved[1].score).all()
    assert (moved[1].score <= moved[1].high).all()
    assert (moved[1].percentile == predictors[1].percentile(moved[1].score)).all()


def test_a_customer_outside_the_population_has_no_score() -> None:
    record = record_of(world(Event(AS_OF - 400 * DAY_US)), "churn")
    assert (record["score"], record["low"], record["percentile"], record["band"], record["details"]) == (None,) * 5
    assert record["flags"] == ["not_in_population"]


def test_a_customer_nobody_knows_gets_the_prior() -> None:
    record = next(
        record
        for record in scored(World(strangers=("zoë",)))["zoë"]
        if (record["task"], record["horizon_days"]) == ("churn", 90)
    )
    assert record["flags"] == ["new_customer"]
    assert (record["score"], record["low"], record["high"], record["baseline"]) == (0.5, 0.4, 0.6, 0.45)
    assert record["percentile"] == pytest.approx(50, abs=1)


def test_without_a_prior_in_the_bundle_it_is_the_mean_of_the_base() -> None:
    prior = record_of(World(strangers=("anna",)), "buys_again")
    assert prior["score"] == pytest.approx(0.5)
    assert prior["low"] < prior["score"] < prior["high"]


def test_a_customer_of_the_profile_alone_is_known() -> None:
    records = scored(world(Fact(START, age=40.0)))["anna"]
    assert [record["flags"] for record in records if record["task"] in ("churn", "offer")] == [
        *([["not_in_population"]] * 3),
        ["thin_data"],
    ]


def test_a_customer_of_one_purchase_is_thin_data() -> None:
    assert record_of(world(ANNA[0]), "churn")["flags"] == ["thin_data"]
    assert record_of(world(*ANNA[:2]), "churn")["flags"] == []


def test_a_score_says_that_it_was_extrapolated() -> None:
    assert record_of(world(*ANNA), "value")["flags"] == ["extrapolated"]


def test_a_model_from_the_future_is_refused_unless_allowed() -> None:
    shop, before = world(Event(START - 2 * DAY_US)), START - DAY_US
    with pytest.raises(RequestError, match=r"trained as of 2020-01-01T00:00:00Z, which has seen what came after"):
        scored(shop, as_of_us=before)
    record = record_of(shop, "churn", as_of_us=before, model_from_the_future=True)
    assert "model_from_the_future" in record["flags"]
    assert record["score"] is not None


def test_next_best_action_ranks_everybody_with_gain_over_nothing() -> None:
    record = record_of(world(Event(AS_OF - 400 * DAY_US)), "offer")
    assert (record["action"], record["action_probability"], record["score"]) == ("mens", 1.0, 0.5)
    assert record["ranking"] == ["mens", "womens", "none"]
    assert [action["gain"] for action in record["details"]["actions"]] == [0.5, 0.0, 0.25]


def test_what_a_hurdle_knows_stands_in_the_details() -> None:
    record = record_of(world(*ANNA), "value")
    details = record["details"]
    assert details["orders"] * details["order_value"] == pytest.approx(record["score"])
    assert 0 < details["p_none"] < 1
    assert details["orders"] >= 1 - details["p_none"]
    quantiles = {quantile["level"]: quantile["value"] for quantile in details["quantiles"]}
    assert list(quantiles) == [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]
    assert list(quantiles.values()) == sorted(quantiles.values())
    assert details["median"] == quantiles[0.5]


def test_the_next_order_is_due_when_it_is_as_likely_to_have_come_as_not() -> None:
    often, lapsed = record_of(world(*ANNA), "value"), record_of(world(Event(AS_OF - 300 * DAY_US)), "value")
    p_none, ahead = often["details"]["p_none"], often["details"]["next_order_at"] - moment(AS_OF)
    assert p_none < 0.5 < lapsed["details"]["p_none"]
    assert p_none ** (ahead.total_seconds() / 86_400 / 90) == pytest.approx(0.5)
    assert "next_order_at" not in lapsed["details"]


def test_a_score_expires_after_a_week_or_a_shorter_horizon() -> None:
    horizons = {record["horizon_days"]: record["expires_at"] for record in scored(world(*ANNA))["anna"]}
    assert horizons[7] == horizons[90] == moment(AS_OF + 7 * DAY_US)
    short = (ServedBundle(bundles.churn((2,)), "1"),)
    assert scored(world(*ANNA), served=short)["anna"][0]["expires_at"] == moment(AS_OF + 2 * DAY_US)


def test_reasons_name_features_that_moved_the_score_the_strongest_first() -> None:
    record = record_of(world(*ANNA), "churn", reasons=True)
    assert 1 <= len(record["reasons"]) <= 3
    assert {reason["feature"] for reason in record["reasons"]} <= set(FEATURES.names)
    assert record_of(world(*ANNA), "churn")["reasons"] is None


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

    monkeypatch.setattr("serving.scoring.score_journeys.build", counted)
    scored(world(*ANNA))
    assert built.count(FEATURES) == 1


def test_the_base_holds_nobody_of_whom_nothing_is_known_yet() -> None:
    shop = world(*ANNA, Event(AS_OF + 1, customer="bob"), strangers=("zoë",))
    assert score_known_customers(shop.journeys(), SERVED, OPTIONS).customers.tolist() == ["anna"]


def test_nobody_has_no_scores() -> None:
    scores = score_journeys(World().journeys(), SERVED, OPTIONS)
    assert len(scores) == record_batch(scores).num_rows == 0


def test_a_loaded_bundle_scores_like_the_one_that_was_saved(tmp_path: Path) -> None:
    folders = [save(bundle, tmp_path) for bundle in BUNDLES]
    loaded = tuple(ServedBundle(load(folder, folder.name), "1") for folder in folders)
    saved = scored(world(*ANNA))["anna"]
    for record, expected in zip(scored(world(*ANNA), served=loaded)["anna"], saved, strict=True):
        assert {**record, "score_id": ""} == {**expected, "score_id": ""}


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
def test_a_score_id_says_what_it_was_made_from(score_id: ScoreId) -> None:
    assert read_score_id(str(score_id)) == score_id


@pytest.mark.parametrize("text", ["", "churn", "churn.90d.x.y.1.log", "churn.90d.0.1.1.moon"])
def test_a_text_that_is_no_score_id_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"expected a score_id such as 'churn\.90d"):
        read_score_id(text)


def test_the_fields_of_a_record_are_declared_once() -> None:
    assert SCHEMA.names == CODED_SCHEMA.names == list(ScoreRecord.model_fields)
    assert {field.name for field in SCHEMA if not field.nullable} == {
        name for name, info in ScoreRecord.model_fields.items() if type(None) not in get_args(info.annotation)
    }
    assert set(HEAD_FIELDS) | set(NUMBERS) <= set(ScoreRecord.model_fields)
    assert not set(HEAD_FIELDS) & set(NUMBERS)
