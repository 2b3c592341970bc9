"""Comparisons in plain Python, from the definitions: values by their names, days by their midnights."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from features.language.feature import Feature
from features.timeline import DAY_US
from tests.support.oracle import belongs, is_inside
from tests.support.strategies import NAN, Event, World


def comparison(world: World, customer: str, cutoff: int) -> Callable[[Feature], float]:
    """What every comparison says of one customer at a cutoff."""
    crowd = world.seen(cutoff - cutoff % DAY_US).events
    own = world.only(customer).seen(cutoff).events

    def expected(feature: Feature) -> float:
        if feature.kind == "cohort_count":
            return cohort_count(crowd, own, feature)
        column = str(feature.column)
        window = [row for row in own if belongs(row, feature.stream) and is_inside(row.time, cutoff, feature)]
        touched = [getattr(row, column) for row in window if getattr(row, column) is not None]
        everybody = [row for row in crowd if getattr(row, column) is not None]
        same = [row for value in touched for row in everybody if getattr(row, column) == value]
        if feature.kind == "popularity":
            return share(len(same), len(touched) * len(everybody))
        return share(sum(row.event == feature.level for row in same), len(same))

    return expected


def share(part: int, whole: int) -> float:
    return float(Fraction(part, whole)) if whole else NAN


def cohort_count(crowd: Sequence[Event], own: Sequence[Event], feature: Feature) -> float:
    everybody: dict[str, list[Event]] = {}
    for row in crowd:
        everybody.setdefault(row.customer, []).append(row)
    mates = [rows for rows in everybody.values() if week(rows) == week(own) != None]  # noqa: E711  one chain
    events = feature.stream.events
    did = [
        {(row.event, row.order or id(row)) for row in genuine(rows) if not events or row.event in events}
        for rows in mates
    ]
    return share(sum(map(len, did)), len(mates))


def genuine(rows: Sequence[Event]) -> list[Event]:
    return [row for row in rows if not row.value < 0]


def week(rows: Sequence[Event]) -> int | None:
    """In which week of seven days since 1970, each with its last instant and not its first, a customer came."""
    first = min((row.time for row in genuine(rows)), default=None)
    return None if first is None else math.ceil(Fraction(first, 7 * DAY_US))
