"""Are the customers in the panel those the task asks about, and does the log hold those who left?"""

from collections.abc import Iterator

import numpy as np

from features.arrays import Bools, Ints
from features.journeys import Journeys
from features.timeline import DAY_US, between, days
from training.audit import recompute
from training.audit.case import AuditInput, Finding
from training.audit.recompute import FEWEST_WRONG, WRONG_SHARE
from training.audit.sample import LogSample, place
from training.audit.statistics import own_stream, percent

SURVIVORS = 0.95  # of those left out are gone, against less than half of that among the others
FEWEST_OLD = 50  # customers who came long ago
EDGE = 0.995  # of the customers came within so many days of the end: later than honest logs
FEWEST_SILENT, LEAST_MORE = 20, 0.05  # a slow, honest loss adds less than that beyond such an edge
SURVIVOR_ERRORS, MORE = 2.5, 1.5  # against the largest share of eight instants, which chance makes large already
PHASES, FEWEST_PHASES = 8, 4  # instants over one more edge: a season or a batch shows at some of them


def membership(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """Who is in the population at every cutoff, once more from the raw rows of a few customers."""
    cutoffs = np.unique(case.rows.cutoff)
    if not len(cutoffs) or not len(seen.customers):
        return
    in_panel = _held(case, seen, cutoffs)
    members = np.concatenate([recompute.members(case.task, few, cutoffs) for few in seen.few])
    wrong = in_panel != members
    if wrong.sum() < FEWEST_WRONG or wrong.sum() <= WRONG_SHARE * max(members.sum(), 1):
        return
    missing, strangers = members & ~in_panel, in_panel & ~members
    share = float(wrong.sum() / max((members | in_panel).sum(), 1))
    figures = {"missing": float(missing.sum()), "strangers": float(strangers.sum()), "share": share}
    if missing.sum() > strangers.sum() and _only_survivors(case, seen, missing, in_panel):
        sentence = (
            f"the panel leaves out {percent(missing.sum() / members.sum())} of the customers whom the task asks about, "
            "and nearly all of these are gone by now: a model would learn from survivors alone"
        )
        yield Finding("survivors", sentence, figures=figures)
        return
    sentence = (
        f"{percent(share)} of the customers looked at are in the panel and should not be, or the other way round "
        f"({int(missing.sum()):,} missing, {int(strangers.sum()):,} too many); "
        "this is a mistake in the program, please report it"
    )
    yield Finding("wrong_population", sentence, figures=figures)


def _held(case: AuditInput, seen: LogSample, cutoffs: Ints) -> Bools:
    """Which of these customers the panel holds at which cutoffs."""
    in_panel = np.zeros((len(seen.customers), len(cutoffs)), np.bool_)
    row = {str(customer): number for number, customer in enumerate(seen.customers)}
    column = {cutoff: number for number, cutoff in enumerate(cutoffs.tolist())}
    for customer, cutoff in place(case, seen.customers):
        if cutoff in column:
            in_panel[row[customer], column[cutoff]] = True
    return in_panel


def _only_survivors(case: AuditInput, seen: LogSample, missing: Bools, in_panel: Bools) -> bool:
    """Whether those left out are gone when the labels end, unlike those kept."""
    end, horizon = np.array([case.end], np.int64), days(case.horizon_days)
    positive = np.concatenate([recompute.labels_over(case.task, few, end, 0, horizon) for few in seen.few])[:, 0] > 0
    gone = positive if case.task.definition.about_loss else ~positive
    left_out, kept = missing.any(axis=1) & ~in_panel.any(axis=1), in_panel.any(axis=1)
    if not left_out.any() or not kept.any():
        return False
    return bool(gone[left_out].mean() >= SURVIVORS and gone[kept].mean() <= SURVIVORS / 2)


def survivors(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """An export of those who are active today: nobody's history ends long ago, and that shows at an edge.

    Let all but one in two hundred have come within the last N days. In an honest log where nobody ever leaves, as many
    are silent for N/2 days at the end as N days before it and earlier, whatever the season; in an export of the active,
    hardly anybody was then silent for so long, for those who did not come back have been left out.
    """
    first, last, own = _lives(case, seen)
    if len(first) < FEWEST_OLD:
        return
    edge = float(np.quantile(case.end - last, EDGE))
    half = edge / 2
    instants = [case.end - edge * (1 + step / PHASES) for step in range(PHASES)]
    then = [(instant, old) for instant in instants if (old := first <= instant - half).sum() >= FEWEST_OLD]
    if edge < 2 * DAY_US or len(then) < FEWEST_PHASES:
        return
    before, old_then = max((_silent(own, old, instant, half), int(old.sum())) for instant, old in then)
    old_now = first <= case.end - half
    now = _silent(own, old_now, case.end, half)
    pooled = (before * old_then + now * old_now.sum()) / (old_then + old_now.sum())
    error = np.sqrt(pooled * (1 - pooled) * (1 / old_then + 1 / old_now.sum()))
    many = now * old_now.sum() >= FEWEST_SILENT
    if many and now - before > max(SURVIVOR_ERRORS * error, LEAST_MORE) and now >= MORE * before:
        number = round(edge / DAY_US)
        sentence = (
            f"practically every customer came within the last {number:,} days, while {percent(now)} of them have been "
            f"silent for {round(half / DAY_US):,} days now and at most {percent(before)} were {number:,} days ago and "
            "earlier: the log seems to hold only customers who are still active, and nobody who left. Export all "
            "customers who ever came"
        )
        yield Finding(
            "survivors", sentence, refuses=False, figures={"days": float(number), "now": now, "before": before}
        )


def _silent(own: list[tuple[Journeys, Ints]], members: Bools, instant: float, length: float) -> float:
    """Share of those asked about who did not come in so long a time before the instant."""
    return float((members & ~_came_between(own, instant - length, instant)).sum() / max(members.sum(), 1))


def _lives(case: AuditInput, seen: LogSample) -> tuple[Ints, Ints, list[tuple[Journeys, Ints]]]:
    """First and last own event of every customer who has one, and the rows of these events by bucket."""
    events = own_stream(case.task).events
    firsts, lasts, own = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], []
    for part in seen.many:
        rows = np.flatnonzero(recompute.matching(part, events, {}) & ~(part.value < 0))
        owner = part.owner[rows]
        new = np.flatnonzero(np.diff(owner, prepend=-1))
        time = part.time[rows]
        firsts.append(time[new])
        lasts.append(time[np.append(new[1:], len(rows)) - 1] if len(rows) else time)
        own.append((part, rows))
    return np.concatenate(firsts), np.concatenate(lasts), own


def _came_between(own: list[tuple[Journeys, Ints]], start: float, stop: float) -> Bools:
    """Whether each customer with an own event has one in `(start, stop]`."""
    by_part = [np.zeros(0, np.bool_)]
    for part, rows in own:
        owner = part.owner[rows]
        inside = between(part.time[rows], start, stop)
        has_event = np.bincount(owner, inside, minlength=len(part)) > 0
        by_part.append(has_event[np.bincount(owner, minlength=len(part)) > 0])
    return np.concatenate(by_part)
