"""The population at scoring is that of training, and the answers of several horizons never contradict each other."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.config.tasks import TaskConfig
from features.panel.build import Rows
from features.timeline import DAY_US, FOREVER
from models.tasks import population
from serving.batch import BatchRun
from serving.scoring.monotone import monotone
from serving.scoring.online import Online
from serving.scoring.score_journeys import ScoringOptions, score_known_customers
from serving.scoring.served_model import ServedBundle
from tests.serving.test_service import Client
from tests.support import bundles, ingested_shop
from tests.support.bundles import FEATURES, task_config
from tests.support.strategies import CUTOFFS, Event, World, worlds
from tests.training.dataset.test_truth_tables import CHURN, COFFEE, CONTRACT, LEADS, VALUE
from training.dataset import examples

OFFER = task_config(
    name="offer",
    kind="next_action",
    event="view",
    action="channel",
    nothing="shop",
    reward="purchase",
    horizon_days=30,
    active_event="purchase",
    active_days=60,
)
CANCELS = CONTRACT.model_copy(update={"active_event": ("purchase", "view")})
TASKS = {"churn": CHURN, "contract": CANCELS, "propensity": COFFEE, "leads": LEADS, "cltv": VALUE, "offer": OFFER}


def served(task: TaskConfig) -> ServedBundle:
    bundle_of_kind = {"churn": bundles.churn((30,)), "propensity": bundles.buys(), "cltv": bundles.value(30)}
    return ServedBundle(replace(bundle_of_kind.get(task.kind, bundles.offer()), task=task), "1")


def scored(shop: World, task: TaskConfig, as_of: int) -> list[str]:
    """Who gets a score of the task."""
    scores = score_known_customers(
        shop.journeys(), (served(task),), ScoringOptions(as_of, 1, model_from_the_future=True)
    )
    (head_scores,) = scores.by_head
    return sorted(scores.customers[head_scores.scored])


def trained_on(shop: World, task: TaskConfig, cutoff: int, now: int) -> list[str]:
    """Who has a row at the cutoff in a training that looks back from `now`."""
    journeys = shop.journeys().as_of(now)
    if task.kind == "next_action":  # its rows are decisions; the base is asked by the same function
        return sorted(journeys.customers[population(task, journeys, Rows.grid(len(journeys), np.array([cutoff])))])
    request = examples.PanelRequest(task, 30, FEATURES, FOREVER, 10**6)
    return sorted(examples.build_examples(lambda: [journeys], request, [cutoff]).customer)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@given(shop=worlds(), later=st.integers(0, 60 * DAY_US))
def test_who_is_scored_is_who_a_later_training_takes(task: TaskConfig, shop: World, later: int) -> None:
    for cutoff in CUTOFFS:
        assert scored(shop, task, cutoff) == trained_on(shop, task, cutoff, cutoff + later)


def test_the_base_at_training_is_the_base_that_is_scored() -> None:
    rng = np.random.default_rng(3)
    rows = [
        Event(int(CUTOFFS[0] - rng.integers(-20, 120) * DAY_US), event, customer=f"c{who}")
        for who in range(40)
        for event in rng.choice(["purchase", "view", "view", "cancel"], 4)
    ]
    shop = World(tuple(rows))
    for task in (CHURN, CANCELS, COFFEE, LEADS, VALUE):
        values = examples.base_values(lambda: [shop.journeys()], task, FEATURES, CUTOFFS[0], 10**6)
        assert 0 < len(values) == len(scored(shop, task, CUTOFFS[0])) < 40


HORIZONS = (7, 15, 30)
Scoring = Callable[[Online, Path], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Online:
    """Churn and propensity over three horizons, whose models were fitted apart and contradict each other."""
    both = bundles.churn(HORIZONS, **ingested_shop.FACTS), bundles.buys(HORIZONS, **ingested_shop.FACTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingested_shop, "BUNDLES", both)
        return ingested_shop.base(tmp_path_factory.mktemp("horizons"), ingested_shop.rows())


def over_http(online: Online, _: Path) -> list[dict[str, Any]]:
    names = [{"customer_id": name} for journeys in online.store.buckets() for name in journeys.customers]
    response = Client.of(online).post("/v1/score", json={"customers": [*names, STRANGER], "as_of": ingested_shop.AS_OF})
    records: list[dict[str, Any]] = response.json()["scores"]
    return records


def in_batch(online: Online, folder: Path) -> list[dict[str, Any]]:
    run = BatchRun(online.store, online.served, ingested_shop.options(online), folder)
    records: list[dict[str, Any]] = pq.read_table(run.publish(folder / "scores.parquet").path).to_pylist()
    return records


STRANGER = {"customer_id": "nobody knows me"}


@pytest.mark.parametrize("path", [over_http, in_batch])
def test_a_longer_horizon_never_contradicts_a_shorter_one(online: Online, tmp_path: Path, path: Scoring) -> None:
    by_customer: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in path(online, tmp_path):
        by_customer.setdefault((record["customer_id"], record["task"]), []).append(record)
    for (_, task), records in by_customer.items():
        assert [record["horizon_days"] for record in records] == list(HORIZONS)
        if records[0]["score"] is not None:
            assert_follow(task, records)
    assert sum(records[0]["score"] is not None for records in by_customer.values()) > 60


def assert_follow(task: str, records: list[dict[str, Any]]) -> None:
    """Silence gets no likelier with time, a purchase no less likely; interval and percentile go with the score."""
    for name in ("score", "low", "high"):
        values = [record[name] for record in records]
        assert values == sorted(values, reverse=task == "churn")
    bundle = bundles.churn(HORIZONS) if task == "churn" else bundles.buys(HORIZONS)
    for predictor, record in zip(bundle.predictors, records, strict=True):
        assert record["low"] <= record["score"] <= record["high"]
        assert record["percentile"] == predictor.percentile(np.array([record["score"]]))[0]


def test_without_care_they_would_contradict_each_other(online: Online) -> None:
    values = np.random.default_rng(1).gamma(1.0, 8.0, (200, len(FEATURES)))
    for model, contradicts in zip(online.served, (np.less, np.greater), strict=True):
        predictors = model.bundle.predictors
        predictions = [predictor.predict(values, FEATURES.position) for predictor in predictors]
        agreeing = monotone(predictors, predictions)
        assert any(contradicts(a.score, b.score).any() for a, b in pairwise(predictions))
        assert not any(contradicts(a.score, b.score).any() for a, b in pairwise(agreeing))
        assert all((m.low <= m.score).all() and (m.score <= m.high).all() for m in agreeing)
        assert (agreeing[0].score == predictions[0].score).all()  # the shortest stays as it is
