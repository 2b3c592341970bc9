"""Are the customers who will be scored like those that were learnt from?

Seasons, growth and chance move every column a little from one cutoff to the next. So each column's move from the newest
training cutoff to now is held against its moves over as long a time before: only what never moved so is worth a word.
"""

from collections.abc import Iterator

import numpy as np

from features.arrays import Floats, Ints
from features.language.feature import AnyFeature, Feature
from features.language.kinds import PROFILE
from features.timeline import days
from training.audit import recompute
from training.audit.case import AuditInput, Finding, spread_evenly
from training.audit.sample import LogSample
from training.audit.statistics import above, by_chance, percent

MOST_AT_INSTANT = 300  # of each instant
FEWEST_AT_INSTANT = 50
MOST_COUNTED = 1_000_000  # rows of the log in which the population is counted once more
ALIKE = 0.8  # of the customers have one value: a column without variety
MOST_BEFORE = 3  # earlier moves
GROSS, LARGE = 0.8, 0.6  # twice the distance of an AUROC from one half: 1 where no value is in common
USUAL_MOVE = 0.5  # of it is what a column may have moved before


def members_now(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """How many customers will be scored, counted once more from the raw rows."""
    if (
        not seen.complete
        or len(case.base) >= case.max_rows // 2
        or sum(part.rows for part in seen.parts) > MOST_COUNTED
    ):
        return
    now = np.array([case.as_of], np.int64)
    expected = sum(int(recompute.members(case.task, part, now).sum()) for part in seen.parts)
    if abs(expected - len(case.base)) > max(2, 0.002 * expected):
        sentence = (
            f"{len(case.base):,} customers will be scored, and the log's own rows say that the task asks about "
            f"{expected:,}: those scored are not the population that was learnt from; please report this mistake"
        )
        yield Finding("unlike_base", sentence, figures={"scored": float(len(case.base)), "asked": float(expected)})


def moved(case: AuditInput) -> Iterator[Finding]:
    """Columns that are nothing like what they were at the newest cutoff, and never moved so before."""
    cutoffs = [cutoff for cutoff in np.unique(case.rows.cutoff).tolist() if _at(case, cutoff).size >= FEWEST_AT_INSTANT]
    if len(cutoffs) < 2 or len(case.base) < FEWEST_AT_INSTANT:
        return
    newest, *before = reversed(cutoffs)
    lag = case.as_of - newest
    now = case.base[spread_evenly(len(case.base), MOST_AT_INSTANT)]
    then = case.rows.values[_at(case, newest)]
    steady = [place for place, feature in enumerate(case.features.features) if _steady(case, feature, newest)]
    distances = {place: _distance(now[:, place], then[:, place]) for place in steady}
    far = [place for place in steady if abs(distances[place]) >= LARGE and _varied(then[:, place])]
    usual = {place: _before(case, place, lag, [newest, *before]) for place in far}
    odd = [place for place in far if usual[place] <= USUAL_MOVE * abs(distances[place])]
    if odd:
        yield _told(case, {place: distances[place] for place in odd})


def _told(case: AuditInput, odd: dict[int, float]) -> Finding:
    names = case.features.names
    worst = max(odd, key=lambda place: abs(odd[place]))
    gross = abs(odd[worst]) >= GROSS
    higher = "higher" if odd[worst] > 0 else "lower"
    others = f" (so are {len(odd) - 1} more features)" if len(odd) > 1 else ""
    sentence = (
        f"customers to be scored now are unlike those learnt from: '{names[worst]}' is {higher} now than at the newest "
        f"cutoff in {percent((1 + abs(odd[worst])) / 2)} of all pairs{others}, and it never moved so before. Check "
        "whether a feed has stopped, doubled or changed its units since"
    )
    return Finding("unlike_base", sentence, refuses=gross, figures={names[place]: move for place, move in odd.items()})


def _steady(case: AuditInput, feature: AnyFeature, newest: int) -> bool:
    """Whether a column does not grow with the log: it reads the profile, or a window that has long been full."""
    if not isinstance(feature, Feature):
        return False
    return feature.kind in PROFILE or 0 < 2 * days(feature.window_days) <= newest - case.split.first


def _varied(then: Floats) -> bool:
    """Whether customers differed; a mail that goes to everybody at once moves a column that has no variety."""
    _, counts = np.unique(then, return_counts=True)
    return bool(counts.max() <= ALIKE * len(then))


def _at(case: AuditInput, cutoff: int) -> Ints:
    rows = np.flatnonzero(case.rows.cutoff == cutoff)
    return rows[spread_evenly(len(rows), MOST_AT_INSTANT)]


def _distance(now: Floats, then: Floats) -> float:
    """Twice the distance from one half of the chance that a customer of now stands higher, chance taken off."""
    truth = np.repeat([1.0, 0.0], [len(now), len(then)])
    move = 2 * above(truth, np.concatenate([now, then])) - 1
    noise = 4 * by_chance(len(now), len(then))
    return float(np.sign(move) * max(abs(move) - noise, 0.0))


def _before(case: AuditInput, place: int, lag: int, cutoffs: list[int]) -> float:
    """The largest move of a column between cutoffs about as far apart."""
    moves = [0.0]
    for later in cutoffs[:MOST_BEFORE]:
        earlier = [cutoff for cutoff in cutoffs if cutoff < later]
        if earlier:
            other = min(earlier, key=lambda cutoff: abs(later - cutoff - lag))
            values = case.rows.values[:, place]
            moves.append(abs(_distance(values[_at(case, later)], values[_at(case, other)])))
    return max(moves)
