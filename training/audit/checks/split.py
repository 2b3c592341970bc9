"""Are the rows that something is learnt from apart from those that judge it?"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from features.arrays import Floats
from features.timeline import DAY_US, days
from models.ladder.lightgbm import TreeParameters, TreeTrainer, sample
from training.audit.case import AuditInput, Finding
from training.audit.statistics import above, by_chance
from training.dataset.examples import Examples
from training.dataset.sampling import stable_hash

MEMORY = TreeParameters(
    num_leaves=31, min_data_in_leaf=5, feature_fraction=0.15, bagging_fraction=1.0, lambda_l2=0.0, learning_rate=0.3
)  # learns rows by heart
TREES = 10
FEWEST_SHUFFLED_ROWS = 200
MOST_SHUFFLED_CUSTOMERS, NEAR_CUTOFFS = 800, 4  # customers, and cutoffs that lie next to those that judge
SHUFFLED_ERRORS = 6.0  # standard errors from one half


def split_in_time(case: AuditInput) -> Iterator[Finding]:
    """No row may stand where its label's window reaches into rows that judge it, unless the customers differ."""
    horizon, split = days(case.horizon_days), case.split
    rows = replace(case.rows, values=case.rows.values[:, :0])  # who and when is enough
    pairs = [
        ("choosing", split.choosing, "validation", (split.validation,)),
        ("validation", (split.validation,), "test", (split.test,)),
        ("reporting", split.reporting, "test", (split.test,)),
    ]
    for name, cutoffs, later_name, later in pairs:
        earlier, after = rows.at(cutoffs), rows.at(later)
        if not len(earlier) or not len(after):
            continue
        lead = int(after.cutoff.min() - earlier.cutoff.max())
        both = set(earlier.customer.tolist()) & set(after.customer.tolist())
        if lead < horizon and both:
            sentence = (
                f"{len(both):,} customers stand on both sides of the split, and the rows for {name} end "
                f"{lead / DAY_US:.0f} days before those for {later_name} instead of {case.horizon_days}: "
                "what is asked there is already known here"
            )
            yield Finding("split_without_gap", sentence, figures={"customers": float(len(both))})
            return


def shuffled(case: AuditInput) -> Iterator[Finding]:
    """With labels dealt by chance to every customer and cutoff nothing can be learnt; unless rows are on both sides."""
    for earlier_cutoffs, later_cutoff in (
        (case.split.choosing, case.split.validation),
        (case.split.reporting, case.split.test),
    ):
        earlier, later = (
            _some(case.rows.at(cutoffs)) for cutoffs in (earlier_cutoffs[-NEAR_CUTOFFS:], (later_cutoff,))
        )
        if len(earlier) < FEWEST_SHUFFLED_ROWS or len(later) < FEWEST_SHUFFLED_ROWS:
            continue
        dealt, after = _coin(earlier), _coin(later)
        trees = TreeTrainer("binary", case.seed, 1).grow(sample(earlier.values, dealt), MEMORY, TREES)
        figure = above(after, trees.raw(later.values))
        error = by_chance(after.sum(), len(after) - after.sum())
        if abs(figure - 0.5) > SHUFFLED_ERRORS * error:
            sentence = (
                f"with labels dealt by chance a model still ranks later customers with an AUROC of {figure:.3f} "
                "instead of .5: rows that it learns from and rows that judge it are not apart"
            )
            yield Finding("shuffled_label", sentence, figures={"auroc": figure})
        return


def _some(rows: Examples) -> Examples:
    """Those of the customers whose ids hash lowest: on both sides the same."""
    hashed = stable_hash(rows.customer)
    lowest = np.unique(hashed)[:MOST_SHUFFLED_CUSTOMERS]
    return rows[hashed <= lowest[-1]] if len(lowest) else rows


def _coin(rows: Examples) -> Floats:
    """0 or 1 by chance, the same for a customer and cutoff wherever they stand."""
    keys = stable_hash(rows.customer) ^ (rows.cutoff.astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9))
    keys ^= keys >> np.uint64(31)
    keys *= np.uint64(0x94D049BB133111EB)
    return ((keys >> np.uint64(40)) & np.uint64(1)).astype(np.float64)
