"""Is the label what the log says? Recomputed by hand from raw rows, and held against silence."""

from collections.abc import Iterator

import numpy as np

from features.arrays import Bools, Floats, Ints
from features.timeline import days
from training.audit import recompute
from training.audit.case import AuditInput, Finding
from training.audit.recompute import FEWEST_WRONG, WRONG_SHARE
from training.audit.sample import LogSample, place
from training.audit.statistics import above, by_chance, own_recency, percent

OPPOSITE = 0.95
MOST_LABEL_ROWS = 4_000
LEAST_IN_ORDER = 0.35  # AUROC of silence for the loss


def recomputed(case: AuditInput, seen: LogSample) -> Iterator[Finding]:
    """The labels of a few customers, once more from their raw rows."""
    cutoffs = np.unique(case.rows.cutoff)
    at = place(case, seen.customers)
    rows, own, past, both = _compared(case, seen, cutoffs, at)
    stored = case.rows.outcome[rows]
    wrong = _differ(stored, own)
    if wrong.sum() < FEWEST_WRONG or wrong.mean() <= WRONG_SHARE:
        return
    share = float(wrong.mean())
    figures = {"share": share, "rows": float(len(rows))}
    of = f"{percent(share)} of the labels that were looked at differ from what the log's own rows say"
    if not case.task.is_money and share >= OPPOSITE:
        yield Finding("inverted_label", f"{of}, and always say the opposite: yes and no are mixed up", figures=figures)
    elif len(set(stored.tolist())) == 1:
        yield Finding("constant_label", f"{of}: the label is {stored[0]:g} for everybody", figures=figures)
    elif min(_differ(stored, past).mean(), _differ(stored, both).mean()) < wrong.mean():
        reads = "they count what had already happened at the cutoff, so a model would only repeat what is known"
        yield Finding("label_reads_past", f"{of}: {reads}", figures=figures)
    else:
        yield Finding("wrong_label", f"{of}; this is a mistake in the program, please report it", figures=figures)


def _compared(
    case: AuditInput, seen: LogSample, cutoffs: Ints, at: dict[tuple[str, int], int]
) -> tuple[Ints, Floats, Floats, Floats]:
    """Rows of the panel, their labels by hand, and what would be labels of the window before or of both windows."""
    horizon = days(case.horizon_days)
    tables = []
    for ahead, length in ((horizon, horizon), (0, horizon), (horizon, 2 * horizon)):
        parts = [recompute.labels_over(case.task, few, cutoffs, ahead, length) for few in seen.few]
        tables.append(np.concatenate([np.zeros((0, len(cutoffs))), *parts]))
    number = {cutoff: column for column, cutoff in enumerate(cutoffs.tolist())}
    index = {str(customer): row for row, customer in enumerate(seen.customers)}
    where = np.array([(index[customer], number[cutoff]) for customer, cutoff in at], np.int64).reshape(-1, 2)
    own, past, both = (table[where[:, 0], where[:, 1]] for table in tables)
    return np.fromiter(at.values(), np.int64), own, past, both


def _differ(left: Floats, right: Floats) -> Bools:
    return ~np.isclose(left, right, rtol=1e-9, atol=1e-6)


def by_recency(case: AuditInput) -> Iterator[Finding]:
    """Who came yesterday is lost less often than who has long been silent; the reverse is rare, and worth a word."""
    silence = own_recency(case)
    some = case.some(MOST_LABEL_ROWS)
    lost = case.happened[some] if case.by_silence else 1 - case.happened[some]
    if silence is None or case.task.churn_event or not 0 < lost.sum() < len(lost):
        return
    customers = len(set(case.rows.customer[some].tolist()))
    share = float(lost.mean())
    figure, error = above(lost, silence[some]), by_chance(customers * share, customers * (1 - share))
    if figure < LEAST_IN_ORDER and figure + 5 * error < 0.5:
        sentence = (
            "customers who came lately are called lost more often than those who have long been silent; that is right "
            "only where they come in a rhythm longer than the horizon: check `event` and `horizon_days`"
        )
        yield Finding("inverted_label", sentence, refuses=False, figures={"auroc": figure})
