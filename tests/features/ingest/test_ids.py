"""Ids mean the same in every format, in a profile and in a request; what joins or splits customers is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.errors import StoreError
from features.ingest.report import render
from features.ingest.run import ingest
from features.journeys import Journeys
from features.log.ids import NULL_WORDS
from features.store import manifest
from features.store.merge import merge
from tests.support.log_files import NOW, Row, config, event, opened, run, write

WRITTEN: dict[str, Callable[[int], Any]] = {
    "a.csv": str,
    "b.csv": "{}.0".format,
    "c.jsonl": int,
    "d.jsonl": float,
    "e.jsonl": "{}.000".format,
}
WRITTEN |= {"f.parquet": int, "g.parquet": float, "h.parquet": "{}.0".format}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_whole_float_is_the_same_customer_in_every_format_profile_and_request(tmp_path: Path, name: str) -> None:
    write(tmp_path / "log" / name, [event(who=WRITTEN[name](number)) for number in (12001, 7, 12001)])
    write(tmp_path / "crm.csv", [{"who": "12001.0", "plan": "gold"}, {"who": "7", "plan": "basic"}])
    shop = config(tmp_path, profile={"source": "crm.csv", "customer": "who"})
    run(shop)
    store = opened(shop)
    assert [str(customer) for part in store.buckets() for customer in part.customers] == ["12001", "7"]
    for spelling in (12001, 12001.0, "12001", "12001.0"):
        journey = merge(store.find("12001"), "12001.00", [event(who=spelling, at="2025-03-01")], shop)
        assert (journey.rows, len(journey.profile.known)) == (3, 1)


def test_orders_and_events_are_known_by_the_same_rule(tmp_path: Path) -> None:
    rows = [event(key=key, basket=basket) for key, basket in (("1", "9"), ("1.0", "9.0"), ("2", "9.00"))]
    write(tmp_path / "log" / "a.csv", rows)
    shop = config(tmp_path, id="key", order="basket")
    assert run(shop).statistics.repeated_ids == 1
    journey = opened(shop).find("anna")
    assert (journey.rows, _occasions(journey)) == (2, 1)
    again = merge(journey, "anna", [event(key=2.0, basket=9)], shop)
    assert (again.rows, _occasions(again)) == (2, 1)


@pytest.mark.parametrize("who", ["00123", "00123.0", "1000043.1700000043", "1.50", "1.0.0", "NA"])
def test_other_digits_stay_as_they_are_written(tmp_path: Path, who: str) -> None:
    write(tmp_path / "log" / "a.csv", [event(who=who)])
    shop = config(tmp_path)
    run(shop)
    assert opened(shop).find(who).rows == 1


def test_words_for_nothing_are_null_in_every_column(tmp_path: Path) -> None:
    good: list[Row] = [event(money=word, channel=word, seen=word, basket=word) for word in NULL_WORDS]
    write(tmp_path / "log" / "a.csv", [*good, event(channel="None"), event(channel="NA", money="NA")])
    shop = config(tmp_path, known="seen", order="basket", categories=["channel"])
    assert run(shop).quarantined == {}
    journey = opened(shop).find("anna")
    assert set(journey.category("channel").names) == {"NA", "None"}
    assert (journey.value > 0).sum() == 1
    assert _occasions(journey) == journey.rows


def test_a_store_of_older_rules_is_read_again_whole_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "log" / "a.csv", [event(who="12001.0")])
    shop = config(tmp_path)
    with monkeypatch.context() as older:
        for module in ("features.store.manifest", "features.ingest.run"):
            older.setattr(f"{module}.RULES", manifest.RULES - 1)
        run(shop)
    with pytest.raises(StoreError, match=r"rules by which cells are read .* have changed .*; run `ingest` again"):
        opened(shop)
    report = ingest(shop, clock=lambda: NOW)
    assert "read again every file: the rules by which cells are read (docs/formats.md) have changed" in render(report)
    assert (report.taken, report.statistics.customers) == (("log/a.csv",), 1)
    assert "read again" not in render(run(shop))


def _occasions(journey: Journeys) -> int:
    assert journey.occurrence is not None
    return len(set(journey.occurrence.tolist()))
