"""What happens exactly on a cutoff, a window's open edge and the end of the log, and one µs beside them.

Run as a program it tries the same checks on mutants of the time comparison and prints those that survive.
"""

import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from features import journeys, timeline
from features.global_counts import together
from features.kernel import amounts, attributes, calendar, diversity, rows, sequences, sessions, walk
from features.kernel import compile as kernel_compile
from features.kernel import global_counts as kernel_counts
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.panel import build
from features.panel.comparisons import count_keys
from features.store import global_counts
from features.timeline import DAY_US
from tests.support.strategies import CUTOFFS, Event, Fact, World, world

CUTOFF, WEEK_US = CUTOFFS[0], 7 * DAY_US


def value(of: World, feature: Feature, cutoff: int = CUTOFF) -> float:
    rows = build.Rows.grid(1, np.array([cutoff]))
    return float(build.build(of.journeys(), rows, FeatureSet((feature,))).values[0, 0])


def count(of: World, window_days: int = 0) -> float:
    return value(of, Feature("count", Stream(), None, window_days))


def distinct(of: World, window_days: int = 0) -> float:
    return value(of, Feature("distinct", Stream(), "channel", window_days))


def quantity(of: World, window_days: int = 0) -> float:
    return value(of, Feature("sum", Stream(), "quantity", window_days))


def at(time: int, known: int | None = None) -> World:
    return world(Event(time, known=known, channel="web", quantity=1.0))


def an_event_on_the_cutoff_is_known() -> None:
    assert count(at(CUTOFF)) == distinct(at(CUTOFF)) == quantity(at(CUTOFF)) == 1
    assert value(at(CUTOFF), Feature("recency")) == 0


def an_event_after_the_cutoff_is_not() -> None:
    assert count(at(CUTOFF + 1)) == distinct(at(CUTOFF + 1)) == quantity(at(CUTOFF + 1)) == 0


def what_was_learnt_on_the_cutoff_is_known() -> None:
    late = at(CUTOFF - DAY_US, known=CUTOFF)
    assert count(late) == distinct(late) == quantity(late) == 1
    assert value(world(Fact(CUTOFF, age=4.0)), Feature("attribute", column="age")) == 4


def what_was_learnt_after_the_cutoff_is_not() -> None:
    late = at(CUTOFF - DAY_US, known=CUTOFF + 1)
    assert count(late) == distinct(late) == quantity(late) == 0
    assert np.isnan(value(world(Fact(CUTOFF + 1, age=4.0)), Feature("attribute", column="age")))


def an_announced_event_is_not_known_before_it_happens() -> None:
    assert count(at(CUTOFF + 1, known=CUTOFF - DAY_US)) == 0
    assert count(at(CUTOFF, known=CUTOFF - DAY_US)) == 1


def a_window_leaves_out_its_open_edge() -> None:
    edge = at(CUTOFF - WEEK_US)
    assert count(edge, 7) == distinct(edge, 7) == quantity(edge, 7) == 0


def a_window_holds_what_is_inside_its_open_edge() -> None:
    inside = at(CUTOFF - WEEK_US + 1)
    assert count(inside, 7) == distinct(inside, 7) == quantity(inside, 7) == 1


def an_order_on_the_edge_of_a_window_belongs_to_its_first_row() -> None:
    order = world(*(Event(CUTOFF - WEEK_US + beside, value=1.0, order="A") for beside in (0, 1)))
    assert count(order, 7) == 0
    assert count(order) == 1


def as_of_keeps_what_happens_at_that_instant() -> None:
    assert at(CUTOFF).journeys().as_of(CUTOFF).rows == 1
    assert at(CUTOFF - 1, known=CUTOFF).journeys().as_of(CUTOFF).rows == 1


def as_of_drops_what_comes_later() -> None:
    assert at(CUTOFF + 1).journeys().as_of(CUTOFF).rows == 0
    assert at(CUTOFF - 1, known=CUTOFF + 1).journeys().as_of(CUTOFF).rows == 0
    assert at(CUTOFF + 1, known=CUTOFF - 1).journeys().as_of(CUTOFF).rows == 0


def a_horizon_that_ends_with_the_log_is_whole() -> None:
    assert not timeline.censored(CUTOFF, WEEK_US, CUTOFF + WEEK_US)


def a_horizon_that_ends_after_the_log_is_censored() -> None:
    assert timeline.censored(CUTOFF, WEEK_US, CUTOFF + WEEK_US - 1)


def a_decision_does_not_see_itself() -> None:
    assert value(at(CUTOFF), Feature("count"), timeline.before(CUTOFF)) == 0
    assert value(at(CUTOFF - 1), Feature("count"), timeline.before(CUTOFF)) == 1


def everybody(of: World, cutoff: int, until: int = timeline.FOREVER) -> float:
    """Of what everybody had of a product that anna touched long ago, the share that was of this product."""
    features = FeatureSet((Feature("popularity", Stream(), "product"),))
    journeys = of.adding(Event(CUTOFF - 9 * DAY_US, product="tea")).journeys()
    counted = together([global_counts.counted(journeys, count_keys(features))], count_keys(features))
    seen = replace(journeys, global_counts=counted).as_of(until)
    return float(build.build(seen, build.Rows(np.array([0]), np.array([cutoff])), features).values[0, 0])


def bob_at(time: int, known: int | None = None) -> World:
    return world(Event(time, customer="bob", known=known, product="cake"))


def what_others_did_is_told_when_its_day_is_over() -> None:
    for end in (CUTOFF, CUTOFF + DAY_US):
        assert everybody(bob_at(end), end) == 1 / 2
        assert everybody(bob_at(end), end - 1) == 1
        assert everybody(bob_at(end - DAY_US + 1), end) == 1 / 2
        assert everybody(bob_at(end - DAY_US + 1), end - 1) == 1
        assert everybody(bob_at(end - DAY_US), end - 1) == 1 / 2


def what_was_learnt_of_others_is_told_when_its_day_is_over() -> None:
    assert everybody(bob_at(CUTOFF - DAY_US, known=CUTOFF), CUTOFF) == 1 / 2
    assert everybody(bob_at(CUTOFF - DAY_US, known=CUTOFF), CUTOFF - 1) == 1
    assert everybody(bob_at(CUTOFF - DAY_US, known=CUTOFF + 1), CUTOFF) == 1
    assert everybody(bob_at(CUTOFF + 1, known=CUTOFF - DAY_US), CUTOFF) == 1


def as_of_an_instant_only_days_that_were_over_are_told() -> None:
    assert everybody(bob_at(CUTOFF), CUTOFF + DAY_US, until=CUTOFF) == 1 / 2
    assert everybody(bob_at(CUTOFF), CUTOFF + DAY_US, until=CUTOFF - 1) == 1


CHECKS: tuple[Callable[[], None], ...] = (
    an_event_on_the_cutoff_is_known,
    an_event_after_the_cutoff_is_not,
    what_was_learnt_on_the_cutoff_is_known,
    what_was_learnt_after_the_cutoff_is_not,
    an_announced_event_is_not_known_before_it_happens,
    a_window_leaves_out_its_open_edge,
    a_window_holds_what_is_inside_its_open_edge,
    an_order_on_the_edge_of_a_window_belongs_to_its_first_row,
    as_of_keeps_what_happens_at_that_instant,
    as_of_drops_what_comes_later,
    a_horizon_that_ends_with_the_log_is_whole,
    a_horizon_that_ends_after_the_log_is_censored,
    a_decision_does_not_see_itself,
    what_others_did_is_told_when_its_day_is_over,
    what_was_learnt_of_others_is_told_when_its_day_is_over,
    as_of_an_instant_only_days_that_were_over_are_told,
)
MUTATIONS = (
    ("(time <= cutoff)", "(time < cutoff)"),
    ("(time <= cutoff)", "(time <= cutoff + 1)"),
    ("(known <= cutoff)", "(known < cutoff)"),
    ("(known <= cutoff)", "(known <= cutoff + 1)"),
    ("& (known", "| (known"),
    ("time > cutoff - window_us", "time >= cutoff - window_us"),
    ("time > cutoff - window_us", "time > cutoff - window_us + 1"),
    ("horizon_us > end", "horizon_us >= end"),
    ("horizon_us > end", "horizon_us > end + 1"),
    ("return cutoff - 1", "return cutoff"),
    ("return cutoff - 1", "return cutoff - 2"),
    ("end <= cutoff", "end < cutoff"),
    ("end <= cutoff", "end <= cutoff + 1"),
    ("end <= cutoff", "end <= cutoff - 1"),
    ("np.maximum(time, known)", "np.minimum(time, known)"),
    ("np.maximum(time, known)", "time"),
    ("np.maximum(time, known)", "known"),
    ("-(-instant // length_us)", "instant // length_us"),
    ("-(-instant // length_us)", "instant // length_us + 1"),
    ("-(-instant // length_us)", "-(-instant // length_us) - 1"),
)
KERNEL = (
    amounts,
    attributes,
    calendar,
    kernel_counts,
    kernel_compile,
    global_counts,
    sequences,
    sessions,
    rows,
    diversity,
    walk,
)
COMPARISONS = ("visible", "in_window", "censored", "before", "seen_from", "span", "over")


def survivors() -> Iterator[str]:
    """Mutations of the time comparison that no check notices; needs NUMBA_DISABLE_JIT=1."""
    source = Path(timeline.__file__).read_text(encoding="utf-8")
    for before, after in MUTATIONS:
        assert source.count(before) == 1, f"'{before}' is no longer in {timeline.__file__} once: mend MUTATIONS"
        _put_in_place(source.replace(before, after))
        if not any(map(_fails, CHECKS)):
            yield f"{before} -> {after}"
    _put_in_place(source)
    yield from (f"{check.__name__} fails without a mutation" for check in CHECKS if _fails(check))


def _put_in_place(source: str) -> None:
    mutant = types.ModuleType("mutant")
    exec(compile(source, "mutant", "exec"), mutant.__dict__)
    for module in (timeline, journeys, *KERNEL):
        for name in COMPARISONS:
            if hasattr(module, name):
                setattr(module, name, getattr(mutant, name))


def _fails(check: Callable[[], None]) -> bool:
    try:
        check()
    except AssertionError:
        return True
    return False


if __name__ == "__main__":
    sys.exit("\n".join(survivors()) or None)
