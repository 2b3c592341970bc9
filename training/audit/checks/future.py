"""Does a column know the future? Computed again without it, and with noise in its place."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from features.arrays import Bools, Floats, Ints
from features.journeys import Category, Journeys
from features.panel.build import Rows, build
from features.timeline import DAY_US
from training.audit.case import AuditInput, Finding
from training.audit.sample import LogSample, place

MOST_RECOMPUTED = 150  # whose columns are computed again
NOISE_ROWS = 3  # for each customer


def known_after(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """The panel's columns once more, from a log that ends at the cutoff, and then with noise put after the cutoff."""
    customers, cutoff = _few(seen), _middle(case)
    if customers is None or cutoff is None:
        return
    at = place(case, customers.customers)
    index = {str(customer): number for number, customer in enumerate(customers.customers)}
    pairs = [(index[customer], row) for (customer, instant), row in at.items() if instant == cutoff]
    if not pairs:
        return
    where = Rows(np.array([number for number, _ in pairs], np.int64), np.full(len(pairs), cutoff, np.int64))
    then = customers.as_of(cutoff)
    alone = build(then, where, case.features).values
    in_panel = case.rows.values[[row for _, row in pairs]]
    yield from _changed(case, in_panel, alone)
    yield from canary(case, then, where, alone)


def _changed(case: AuditInput, in_panel: Floats, alone: Floats) -> Iterator[Finding]:
    wrong = _unlike(in_panel, alone)
    if wrong.any():
        sentence = (
            f"{_features(case, wrong)} comes out differently when the log ends at the cutoff: it reads what was not "
            "known yet, or chance, or something kept from an earlier call"
        )
        yield Finding("known_after_cutoff", sentence, figures={"features": float(wrong.sum())})


def canary(case: AuditInput, then: Journeys, where: Rows, without: Floats) -> Iterator[Finding]:
    """Noise after the cutoff, in the very columns that the log has, must change no column of the panel."""
    noisy = build(with_noise(then, int(where.cutoff[0]), case.seed), where, case.features).values
    wrong = _unlike(without, noisy)
    if wrong.any():
        sentence = (
            f"noise that was put after the cutoff changes {_features(case, wrong)}: a model would read the future"
        )
        yield Finding("future_canary", sentence, figures={"features": float(wrong.sum())})


def with_noise(journeys: Journeys, cutoff: int, seed: int) -> Journeys:
    """The same customers, each who has a row with some more of them after the cutoff: other events, values, levels."""
    rng = np.random.default_rng(seed)
    newest = journeys.starts[1:][np.diff(journeys.starts) > 0] - 1
    copies = np.repeat(newest, NOISE_ROWS)
    rows = np.concatenate([np.arange(journeys.rows), copies])
    owner = np.concatenate([journeys.owner, journeys.owner[copies]])
    order = np.argsort(owner, kind="stable")
    added = np.arange(len(rows)) >= journeys.rows
    made, noise = journeys.reordered(rows[order]), np.flatnonzero(added[order])
    time = made.time.copy()
    time[noise] = cutoff + 1 + np.sort(rng.integers(0, DAY_US, (len(newest), NOISE_ROWS)), axis=1).ravel()
    value = made.value.copy()
    value[noise] = rng.lognormal(3, 2, len(noise))
    return replace(
        made,
        starts=np.searchsorted(owner[order], np.arange(len(journeys) + 1)).astype(np.int64),
        time=time,
        known=np.where(added[order], time, made.known),
        value=value,
        event=_dealt(made.event, noise, rng),
        categories={name: _dealt(column, noise, rng) for name, column in made.categories.items()},
        numbers={name: _drawn(column, noise, rng) for name, column in made.numbers.items()},
    )


def _dealt(column: Category, rows: Ints, rng: np.random.Generator) -> Category:
    codes = column.codes.copy()
    if len(column.names):
        codes[rows] = rng.integers(0, len(column.names), len(rows))
    return replace(column, codes=codes)


def _drawn(column: Floats, rows: Ints, rng: np.random.Generator) -> Floats:
    drawn = column.copy()
    drawn[rows] = rng.lognormal(3, 2, len(rows))
    return drawn


def _unlike(left: Floats, right: Floats) -> Bools:
    """Columns with a value that is not the same."""
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    return np.asarray(~same.all(axis=0))


def _features(case: AuditInput, wrong: Bools) -> str:
    names = [name for name, odd in zip(case.features.names, wrong, strict=True) if odd]
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"the feature '{names[0]}'{more}"


def _few(seen: LogSample) -> Journeys | None:
    """Some customers of the first bucket that has any."""
    for few in seen.few:
        if len(few):
            return few.select(np.arange(min(len(few), MOST_RECOMPUTED)))
    return None


def _middle(case: AuditInput) -> int | None:
    """A cutoff with the log on both sides of it."""
    cutoffs = np.unique(case.rows.cutoff)
    return int(cutoffs[len(cutoffs) // 2]) if len(cutoffs) else None
