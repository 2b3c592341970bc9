"""Events of a request, merged: equal to the bit to a store that had ingested them."""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import RequestError
from features.store.merge import merge
from tests.support.digests import journey_digest
from tests.support.log_files import NOW, config, event, opened, run, write

SHOP: dict[str, Any] = {
    "known": "seen",
    "order": "bill",
    "id": "key",
    "text": "note",
    "categories": ["channel"],
    "numbers": ["pieces"],
    "timezone": "Europe/Paris",
}
days = st.integers(29, 31).map(lambda day: f"2025-03-{day}T02:30:00")
events = st.fixed_dictionaries(
    {
        "at": days,
        "what": st.sampled_from(["buy", "view", "Änderung", "zap"]),
        "money": st.sampled_from([None, -1, 0.0, -0.0, "2.5"]),
        "seen": st.one_of(st.none(), days),
        "bill": st.sampled_from([None, 1, "2"]),
        "key": st.sampled_from([None, "e1", "e2", 3]),
        "note": st.sampled_from([None, "good", "evil", "😀"]),
        "channel": st.sampled_from([None, "web", 4.5, True]),
        "pieces": st.sampled_from([None, 1.0, 2.0]),
    }
)


journeys = st.tuples(st.lists(events, max_size=5), st.lists(events, min_size=1, max_size=5))


@settings(max_examples=6)
@given(shops=st.lists(journeys, min_size=1, max_size=12), drop=st.booleans())
def test_merged_events_equal_ingested_ones(
    tmp_path_factory: pytest.TempPathFactory, shops: list[Any], drop: bool
) -> None:
    stored, whole = (config(tmp_path_factory.mktemp("shop"), **SHOP, drop_duplicates=drop) for _ in range(2))
    old = {f"c{i}": [of(row, f"c{i}") for row in rows] for i, (rows, _) in enumerate(shops)}
    new = {f"c{i}": [of(row, f"c{i}") for row in rows] for i, (_, rows) in enumerate(shops)}
    some = of({**dict.fromkeys(old_row_columns()), "at": "2025-01-01", "what": "buy"}, "someone")
    before, after = (list(chain.from_iterable(rows.values())) for rows in (old, new))
    write(stored.folder / "log" / "a.jsonl", [some, *before])
    write(whole.folder / "log" / "a.jsonl", [some, *before, *after])
    run(stored)
    run(whole)
    for customer, rows in new.items():
        merged = merge(opened(stored).find(customer), customer, rows, stored)
        assert journey_digest(merged) == journey_digest(opened(whole).find(customer))


def of(row: dict[str, Any], customer: str) -> dict[str, Any]:
    """The row as this customer's, with an id that no other customer has."""
    return {**row, "who": customer, "key": row["key"] and f"{customer} {row['key']}"}


def old_row_columns() -> list[str]:
    return ["who", "at", "what", "money", "seen", "bill", "key", "note", "channel", "pieces"]


def test_an_unknown_customer_has_only_what_the_request_brings(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(who="bob")])
    shop = config(tmp_path)
    run(shop)
    merged = merge(opened(shop).find("anna"), "anna", [event()], shop)
    assert (merged.customers.tolist(), merged.starts.tolist(), merged.value.tolist()) == (["anna"], [0, 1], [5.0])
    nothing = merge(None, "anna", [], shop)
    assert (nothing.customers.tolist(), nothing.rows, nothing.profile.starts.tolist()) == (["anna"], 0, [0, 0])


def test_names_nobody_has_yet_find_their_place(tmp_path: Path) -> None:
    write(tmp_path / "log" / "a.csv", [event(what="b", at="2025-01-02"), event(what="d", at="2025-01-01")])
    shop = config(tmp_path)
    run(shop)
    new = [event(what="c", at="2025-01-03"), event(what="a", at="2025-01-04"), event(what="e", at="2025-01-05")]
    merged = merge(opened(shop).find("anna"), "anna", new, shop)
    assert merged.event.names.tolist() == list("abcde")
    assert "".join(merged.event.names[merged.event.codes]) == "dbcae"
    assert merged.event.codes.dtype == np.int32


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"at": None}, r"events\[1\]\.at: empty; every event needs it"),
        ({"at": "soon"}, r"events\[1\]\.at: not an ISO 8601 date or time, got \"soon\""),
        ({"at": "1969-01-01"}, r"events\[1\]\.at: before 1970"),
        ({"at": "2345-01-01"}, r"events\[1\]\.at: more than a day in the future"),
        ({"what": ""}, r"events\[1\]\.what: empty"),
        ({"money": float("nan")}, r"events\[1\]\.money: not a finite number"),
        ({"money": "abc"}, r"events\[1\]\.money: not a finite number, got \"abc\""),
        ({"who": "bob"}, r"events\[1\]\.who: expected 'anna' or nothing, got 'bob'"),
        ({"channel": ["web"]}, r"events\[1\]\.channel: not a single value"),
        ({"channnel": "web"}, r"events\[1\]: unknown column 'channnel'; did you mean 'channel'\?"),
    ],
)
def test_a_wrong_event_is_named_by_index_and_field(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    shop = config(tmp_path, categories=["channel"])
    with pytest.raises(RequestError, match=message):
        merge(None, "anna", [event(), event(**wrong)], shop, NOW)


@pytest.mark.parametrize("customer", ["", "x" * 257, "a\nb", "\ud800"])
def test_a_wrong_customer_is_refused(tmp_path: Path, customer: str) -> None:
    with pytest.raises(RequestError, match=r"customer_id: "):
        merge(None, customer, [], config(tmp_path))


def test_columns_the_log_does_not_read_are_passed_over(tmp_path: Path) -> None:
    assert merge(None, "anna", [event(description="a lamp")], config(tmp_path)).rows == 1
