"""Does one column tell the label by itself? Written because of the outcome, or after it."""

from collections.abc import Iterator

import numpy as np

from features.arrays import Floats, Ints
from features.language.feature import AnyFeature, Feature
from features.language.kinds import PROFILE
from training.audit.case import AuditInput, Finding, spread_evenly
from training.audit.sample import LogSample
from training.audit.statistics import above, by_chance, own_recency, own_stream, percent

MOST_COLUMN_ROWS = 3_000
TOO_GOOD = 0.99  # AUROC of a column alone
SCREENED, SCREENED_ROWS = 0.9, 150  # AUROC on a few rows of either label, from which on all are looked at
NEARLY = 0.98  # of the task's own event: then another column that good tells nothing new
FEWEST = 25  # rows, and customers, of the rarer label
TELLING, TELLTALE, SURELY = 0.65, 0.7, 0.95  # AUROC of an attribute among customers who came as lately
FADES = 0.1  # of it is lost at older cutoffs
NEWEST_CUTOFFS = 2  # cutoffs
STRATA = 10


def too_good(case: AuditInput) -> Iterator[Finding]:
    """One column that alone tells the label: the label in disguise, unless it is the task's own event that tells it."""
    some = case.some(MOST_COLUMN_ROWS)
    label, values = case.happened[some], case.rows.values[some]
    if not _enough(case, some, label):
        return
    features = case.features.features
    few = _both(label)
    screened = [number for number in range(len(features)) if _telling(label[few], values[few, number]) > SCREENED]
    best = {number: _telling(label, values[:, number]) for number in screened}
    suspects = sorted((number for number in best if best[number] > TOO_GOOD), key=lambda number: -best[number])
    if not suspects:
        return
    own = [number for number, feature in enumerate(features) if _own(case, feature)]
    by_itself = max((_telling(label, values[:, number]) for number in own), default=0.5)
    foreign = [number for number in suspects if number not in own]
    if foreign and by_itself < NEARLY:
        name = case.features.names[foreign[0]]
        sentence = (
            f"'{name}' alone tells {percent(best[foreign[0]])} of all pairs of customers apart, while the task's own "
            f"event tells {percent(by_itself)}: it seems to be written because of the outcome, or after it. "
            f'Take it out (`[features] remove = ["{name}"]`) or give the row the time at which it was known'
        )
        yield Finding("too_good", sentence, figures={name: best[foreign[0]], "own": by_itself})
        return
    name = case.features.names[suspects[0]]
    sentence = (
        f"'{name}' alone tells {percent(best[suspects[0]])} of all pairs of customers apart, so little else is "
        f"learnt; where most of those asked about are long gone, fewer `active_days` than {case.task.active_days} help"
    )
    yield Finding("too_good", sentence, refuses=False, figures={name: best[suspects[0]]})


def _telling(label: Floats, column: Floats) -> float:
    """AUROC of a column, whichever way it points."""
    figure = above(label, column)
    return max(figure, 1 - figure)


def _both(label: Floats) -> Ints:
    """A few rows of either label."""
    sides = (np.flatnonzero(label == side) for side in (0.0, 1.0))
    return np.concatenate([side[spread_evenly(len(side), SCREENED_ROWS)] for side in sides])


def _own(case: AuditInput, feature: AnyFeature) -> bool:
    """Whether a column reads only the task's own events."""
    events = {*own_stream(case.task).events, *case.task.active_event}
    return isinstance(feature, Feature) and bool(feature.stream.events) and set(feature.stream.events) <= events


def of_today(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """Attributes without a history that tell what came, among customers who came as lately.

    What was written down today tells most of the newest cutoffs and less and less of older ones; what a customer simply
    is tells as much of all.
    """
    places = [number for number, feature in enumerate(case.features.features) if _attribute(feature)]
    cutoffs = np.unique(case.rows.cutoff)
    if not places or len(cutoffs) < 2 * NEWEST_CUTOFFS or own_recency(case) is None or not _without_history(seen):
        return
    newest = np.flatnonzero(np.isin(case.rows.cutoff, cutoffs[-NEWEST_CUTOFFS:]))[-MOST_COLUMN_ROWS:]
    oldest = np.flatnonzero(np.isin(case.rows.cutoff, cutoffs[: len(cutoffs) // 2]))[:MOST_COLUMN_ROWS]
    label = case.happened[newest]
    if not _enough(case, newest, label):
        return
    shares, shares_before = _told_beside_recency(case, newest, places), _told_beside_recency(case, oldest, places)
    worst = max(shares, key=lambda number: abs(shares[number] - 0.5))
    sign = 1 if shares[worst] > 0.5 else -1
    figure, fades = 0.5 + sign * (shares[worst] - 0.5), sign * (shares[worst] - shares_before[worst])
    sure = figure - 3 * by_chance(label.sum(), len(label) - label.sum())
    if sure < TELLING:
        return
    refuses = figure >= SURELY or (sure >= TELLTALE and fades >= FADES)
    name = case.features.names[worst]
    sentence = (
        f"'{name}' tells {percent(figure)} of all pairs of customers apart who came equally lately, and "
        f"{percent(figure - fades)} at older cutoffs; the profile keeps one row for each customer, which says how they "
        "are today and not how they were at the cutoff. Name the column with the time of each change as "
        f'`[profile] known`, or take it out: `[features] remove = ["{name}"]`'
    )
    figures = {name: figure, "before": figure - fades}
    yield Finding("known_after_cutoff", sentence, refuses=refuses, figures=figures)


def _told_beside_recency(case: AuditInput, rows: Ints, places: list[int]) -> dict[int, float]:
    """AUROC of each of these columns among customers who came as lately."""
    recency = own_recency(case)
    stratum = np.zeros(len(rows), np.int64) if recency is None else _strata(recency[rows])
    return {number: _within_strata(case.happened[rows], case.rows.values[rows, number], stratum) for number in places}


def _attribute(feature: AnyFeature) -> bool:
    return isinstance(feature, Feature) and feature.kind in PROFILE


def _without_history(seen: LogSample) -> bool:
    """Whether (nearly) every customer has one row in the profile at most."""
    rows = np.concatenate([np.diff(part.profile.starts) for part in seen.parts])
    return bool((rows > 1).sum() <= 0.02 * max((rows > 0).sum(), 1))


def _strata(recency: Floats) -> Ints:
    """Groups of equally recent customers; who never came is a group of its own."""
    filled = np.where(np.isnan(recency), np.inf, recency)
    known = filled[np.isfinite(filled)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, STRATA + 1)[1:])) if len(known) else known
    return np.searchsorted(edges, filled, side="left")


def _within_strata(label: Floats, column: Floats, stratum: Ints) -> float:
    """AUROC over the pairs within each group."""
    right = pairs = 0.0
    for group in np.unique(stratum):
        inside = stratum == group
        positives = float(label[inside].sum())
        count = positives * (inside.sum() - positives)
        if count:
            right += count * above(label[inside], column[inside])
            pairs += count
    return right / pairs if pairs else 0.5


def _enough(case: AuditInput, some: Ints, label: Floats) -> bool:
    rarer = 1.0 if label.sum() * 2 <= len(label) else 0.0
    rows = some[label == rarer]
    return len(rows) >= FEWEST and len(set(case.rows.customer[rows].tolist())) >= FEWEST
