"""What a grade, `thin_data` and `stale_features` mean: defined once, written down, and said alike on every path."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.config.sections import Config
from features.config.task_kinds.registry import TASK_KINDS
from features.timeline import DAY_US, FOREVER, instant
from models.grades import EDGES, FLAT, MIN_CUSTOMERS, MIN_MINORITY, is_stale, valid_us
from models.score_record import FLAGS
from serving import batch
from serving import score as in_python
from serving.batch import score_base
from serving.scoring.as_of import LogEnd
from serving.scoring.online import Customer, Online, ScoreQuery
from serving.scoring.score_journeys import ScoringOptions, score_journeys
from serving.scoring.served_model import ServedBundle
from tests.support import bundles
from tests.support.ingested_shop import EMOJI, base, rows
from tests.support.strategies import CUTOFFS, Event, World, world
from training.metrics.grade import grade

AS_OF = CUTOFFS[1]
DOCS = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")
SERVED = (ServedBundle(bundles.churn((2, 90)), "1"), ServedBundle(bundles.offer(), "1"))
OLD, FRESH = Event(AS_OF - 50 * DAY_US), Event(AS_OF - DAY_US, "view")


@pytest.mark.parametrize(
    ("low", "customers", "rarer", "at_most", "given"),
    [
        (0.10, 100, 10, "A", "A"),
        (0.0999, 100, 10, "A", "B"),
        (0.03, 100, 10, "A", "B"),
        (0.0299, 100, 10, "A", "C"),
        (1e-9, 100, 10, "A", "C"),
        (0.0, 100, 10, "A", "D"),
        (-0.1, 100, 10, "A", "D"),
        (None, 100, 10, "A", "D"),
        (0.5, 99, 10, "A", "D"),
        (0.5, 100, 9, "A", "D"),
        (0.5, 100, 10, "C", "C"),
        (0.5, 100, 10, "D", "D"),
        (-0.1, 100, 10, "C", "D"),
    ],
)
def test_the_grade_follows_the_lower_end_of_the_skill(
    low: float | None, customers: int, rarer: int, at_most: str, given: str
) -> None:
    assert grade(low, customers=customers, minority=rarer, at_most=at_most) == given


def test_the_page_says_what_the_code_says() -> None:
    for name, kind in TASK_KINDS.items():
        assert f"| `{name}` | {kind.baseline} |" in DOCS
    assert FLAT.partition(":")[0] in DOCS
    assert all(f"| {name} | at least {edge:.2f} |" in DOCS for name, edge in EDGES if edge)
    assert f"fewer than {MIN_CUSTOMERS} customers in the test, or fewer than {MIN_MINORITY} of" in DOCS
    assert all(f"| `{flag}` |" in DOCS for flag in FLAGS)


@pytest.mark.parametrize(
    ("horizon", "old_us", "stale"),
    [
        (90, 7 * DAY_US - 1, False),
        (90, 7 * DAY_US, True),  # on the very instant at which a score expires
        (7, 7 * DAY_US, True),
        (2, 2 * DAY_US - 1, False),
        (2, 2 * DAY_US, True),
        (90, -FOREVER // 2, False),
    ],
)
def test_features_are_stale_when_a_score_as_old_would_have_expired(horizon: int, old_us: int, stale: bool) -> None:
    assert bool(is_stale(AS_OF - old_us, AS_OF, horizon)) is stale
    assert valid_us(horizon) == min(horizon, 7) * DAY_US


def stale(of: World, told_days_before: float, customer: str = "anna") -> dict[tuple[str, int], bool]:
    """Which heads raise the flag for a customer, when the log told the last thing some days before the as-of."""
    told = AS_OF - round(told_days_before * DAY_US)
    records = score_journeys(of.journeys(), SERVED, ScoringOptions(AS_OF, 1, log_end_us=told)).records()
    return {
        (record["task"], record["horizon_days"]): "stale_features" in record["flags"]
        for record in records
        if record["customer_id"] == customer
    }


@pytest.mark.parametrize(
    ("before", "flagged"),
    [
        (0, (False, False, False)),
        (1.9, (False, False, False)),
        (2, (True, False, False)),
        (6.9, (True, False, False)),
        (7, (True, True, True)),
        (400, (True, True, True)),
    ],
)
def test_a_short_horizon_is_stale_earlier(before: float, flagged: tuple[bool, ...]) -> None:
    assert stale(world(OLD), before) == dict(zip([("churn", 2), ("churn", 90), ("offer", 14)], flagged, strict=True))


def test_an_event_of_the_customer_within_the_span_cures_it_for_that_customer_alone() -> None:
    both = world(OLD, FRESH, Event(OLD.time, customer="bob"))
    assert not any(stale(both, 30).values())
    assert all(stale(both, 30, "bob").values())


@pytest.mark.parametrize("unseen", [Event(AS_OF + 1), Event(AS_OF - 1, known=AS_OF + 1)])
def test_an_event_that_cannot_be_seen_yet_cures_nothing(unseen: Event) -> None:
    assert all(stale(world(OLD, unseen), 30).values())


def test_of_a_stranger_and_of_who_is_not_asked_about_it_is_said_too() -> None:
    outside = Event(AS_OF - 390 * DAY_US, customer="bob")
    assert all(stale(world(OLD, outside, strangers=["zoë"]), 30, "zoë").values())
    assert all(stale(world(OLD, outside), 30, "bob").values())


DAYS = np.array([100, 101, 111, 112])  # the longest silence is of 9 days


@pytest.mark.parametrize(
    ("complete", "as_of", "until"),
    [
        (None, 112.5, 113),  # the day of the newest event counts whole
        (None, 500, 113),
        (None, 111.9, 112),  # what comes after the as-of says nothing
        (None, 110, 102),
        (113, 500, 113),
        (122, 500, 122),  # a silence as long as there was one
        (122, 120, 120),
        (122.01, 500, 113),  # a longer one is not believed
        (122.01, 122, 122),
        (109, 110, 109),
        (109.1, 109, 109),  # a week is always believed
        (109.1, 110, 102),  # and nine days had not been seen then
    ],
)
def test_the_log_tells_up_to_its_newest_day_and_its_silence_is_vouched_for(
    complete: float | None, as_of: float, until: float
) -> None:
    def us(day: float) -> int:
        return round(day * DAY_US)

    assert LogEnd(DAYS, None if complete is None else us(complete)).at(us(as_of)) == us(until)


def test_a_log_that_tells_nothing_yet_is_stale() -> None:
    assert is_stale(LogEnd(np.zeros(0, np.int64), None).at(AS_OF), AS_OF, 90)
    assert is_stale(LogEnd(DAYS, AS_OF).at(99 * DAY_US), 99 * DAY_US, 90)


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Online:
    return base(tmp_path_factory.mktemp("base"), rows())


LAST = max(instant(row["at"]) for row in rows())


def completed(online: Online, until: str | None) -> Config:
    log = online.config.log.model_copy(update={"complete_until": until})
    return online.config.model_copy(update={"log": log})


@pytest.mark.parametrize(
    ("complete", "as_of", "flagged"),
    [
        (None, None, False),
        (None, "2025-05-01", False),
        (None, "2025-06-01", True),
        ("2025-05-03", None, False),
        ("2025-06-01", None, True),  # a month of silence in a log of three events a day
        ("2025-06-01", "2025-04-01", False),
    ],
)
def test_the_file_http_and_python_say_it_alike(
    online: Online,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    complete: str | None,
    as_of: str | None,
    flagged: bool,
) -> None:
    for module in (batch, in_python):
        monkeypatch.setattr(module, "champions", lambda _config, _tasks: online.served)
    config = completed(online, complete)
    written = score_base(config, None, as_of, tmp_path / "scores.parquet")
    frames = in_python.score(config, as_of=as_of), in_python.score(config, customers=[EMOJI], as_of=as_of)
    service = Online(config, online.store, online.served)
    (asked,) = service.scores([Customer(EMOJI)], ScoreQuery(as_of=as_of))
    said = [flags_of(record) for record in asked.records()]
    in_file = [flags_of(row) for row in pq.read_table(written.path).to_pylist() if row["customer_id"] == EMOJI]
    whole, named = ([flags_of(row) for row in frame.to_dict("records")] for frame in frames)
    assert said == in_file == named == [flags for flags in whole if flags[0] == EMOJI]
    assert {"stale_features" in flags for _, _, _, *flags in whole} == {flagged}


def flags_of(record: Any) -> tuple[str, ...]:
    return (record["customer_id"], record["task"], str(record["horizon_days"]), *record["flags"])


def test_own_events_cure_it_as_ingesting_them_would(online: Online, tmp_path: Path) -> None:
    fresh = {"at": "2025-05-30T12:00:00", "what": "purchase", "money": 9.5, "channel": "web"}
    later = base(tmp_path, [*rows(), {"who": EMOJI, **fresh}])
    question = ScoreQuery(as_of="2025-06-01")
    sent = next(online.scores([Customer(EMOJI, [fresh])], question)).records()
    ingested = next(later.scores([Customer(EMOJI)], question)).records()
    old = next(online.scores([Customer(EMOJI, [{**fresh, "at": "2025-05-01T12:00:00"}])], question)).records()
    told = [flags_of(record) for record in sent]
    assert told == [flags_of(record) for record in ingested]
    assert not any("stale_features" in flags for flags in told)
    assert all("stale_features" in record["flags"] for record in old)


def test_the_log_of_these_tests_ends_when_they_think_it_does() -> None:
    assert instant("2025-04-25") < LAST < instant("2025-04-28")
