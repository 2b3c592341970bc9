"""Does the log hold what it says? Where it fell silent, every label says "nothing happened"."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from features.arrays import Ints
from features.timeline import DAY_US, censored, days
from training.audit import recompute
from training.audit.case import AuditInput, Finding
from training.audit.sample import LogSample
from training.audit.statistics import day, named

NEXT_TO_NOTHING = 0.02  # of what is usual on a day
EXPECTED = 30.0  # events that a silence would have held
LONGER = 3.0  # than any silence of the log before
LEAST_DAYS = 2
PART_OF_HORIZON, TOO_MUCH_OF_HORIZON = 0.05, 0.2  # of a horizon: worth a note, and no question any more
FEWEST_BUSY = 20  # days with events, from which on a rhythm may be known
AROUND_DAYS = 60  # before a silence, to know what is usual
MOST_OF_HORIZON = 0.5  # a hole that fills so much of a label's window makes the label


@dataclass(frozen=True)
class Silence:
    """Days `first` to `stop` (not included) with next to nothing, and how many events they would usually have held."""

    first: int
    stop: int
    expected: float

    @property
    def days(self) -> int:
        """Its length."""
        return self.stop - self.first


def windows(case: AuditInput) -> Iterator[Finding]:
    """Rows whose label window runs past what the log can tell."""
    end = min(case.end, case.as_of)
    late = censored(case.rows.cutoff, days(case.horizon_days), end)
    if late.any():
        sentence = (
            f"{int(late.sum()):,} rows have a label window that runs past {day(end)}, where the labels end: what "
            'nobody can know yet would count as "nothing happened"'
        )
        yield Finding("censored_as_lost", sentence, figures={"rows": float(late.sum())})


def silences(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """A log that stopped before its end, or has a hole: in all events, or only in those that the task waits for."""
    own = tuple(sorted({*case.task.event, *case.task.churn_event}))
    for events, missing in (((), "no event"), (own, f"no {named(own)}")):
        counts = _by_day(case, seen, events)
        spans = _found(counts)
        tail = next((silence for silence in spans if silence.stop >= len(counts)), None)
        if tail is not None and tail.days >= PART_OF_HORIZON * case.horizon_days and _odd(tail, spans):
            since = day(case.split.first + tail.first * DAY_US)
            sentence = (
                f"the log is said to miss nothing up to {day(case.end)}, but there is {missing} since {since}, where "
                f"about {tail.expected:,.0f} would be usual: whoever came after that counts as lost. Set "
                f"`complete_until` to {since}, or bring the missing rows"
            )
            refuses = tail.days >= TOO_MUCH_OF_HORIZON * case.horizon_days
            figures = {"days": float(tail.days), "expected": tail.expected}
            yield Finding("censored_as_lost", sentence, refuses=refuses, figures=figures)
            return
        yield from _holes(case, [silence for silence in spans if silence is not tail and _odd(silence, spans)], missing)


def _holes(case: AuditInput, holes: list[Silence], missing: str) -> Iterator[Finding]:
    for hole in holes:
        covers = _share_covered(case, hole)
        if covers >= MOST_OF_HORIZON:
            start, stop = (day(case.split.first + number * DAY_US) for number in (hole.first, hole.stop))
            sentence = (
                f"from {start} to {stop} the log holds {missing}, where about {hole.expected:,.0f} would be usual, so "
                "that everybody counts as lost there. Bring the missing rows; if the shop was closed, accept it"
            )
            yield Finding("censored_as_lost", sentence, figures={"days": float(hole.days), "expected": hole.expected})


def _share_covered(case: AuditInput, hole: Silence) -> float:
    """The largest share of a label's window that the hole fills."""
    start, stop = (case.split.first + number * DAY_US for number in (hole.first, hole.stop))
    horizon = days(case.horizon_days)
    cutoffs = np.unique(case.rows.cutoff)
    inside = np.minimum(cutoffs + horizon, stop) - np.maximum(cutoffs, start)
    return float(inside.max(initial=0) / horizon)


def _odd(silence: Silence, spans: list[Silence]) -> bool:
    others = max((other.days for other in spans if other is not silence), default=0)
    return silence.days >= LEAST_DAYS and silence.expected >= EXPECTED and silence.days > LONGER * others + 1


def _by_day(case: AuditInput, seen: LogSample, events: tuple[str, ...]) -> Ints:
    """Events on each whole day from the first of the history to the end."""
    length = max(int((case.end - case.split.first) // DAY_US), 0)
    counts = np.zeros(length, np.int64)
    for part in seen.parts:
        number = (part.time[recompute.matching(part, events, {})] - case.split.first) // DAY_US
        counts += np.bincount(number[(number >= 0) & (number < length)], minlength=length)
    return counts


def _found(counts: Ints) -> list[Silence]:
    """Runs of days with next to nothing, against what was usual before each."""
    if (counts > 0).sum() < FEWEST_BUSY:
        return []
    quiet = counts <= NEXT_TO_NOTHING * counts[counts > 0].mean()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]])))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [Silence(first, stop, _usual(counts, first) * (stop - first)) for first, stop in runs if first > 0]


def _usual(counts: Ints, first: int) -> float:
    """Events a day before this day."""
    return float(counts[max(first - AROUND_DAYS, 0) : first].mean())
