"""How far an answer can be trusted, in one place: grades and baselines, thin data, stale features (docs/trust.md).

`training` grades by this and `serving` raises flags by it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.config.tasks import TaskConfig
from features.language.feature import Feature, Stream
from features.panel.build import Panel
from features.timeline import days, in_window

EDGES = (("A", 0.10), ("B", 0.03), ("C", 0.0))  # the least that the skill's lower end must reach, and above 0
MIN_CUSTOMERS = 100  # in the test, under which the grade is D
MIN_MINORITY = 10  # of them with the rarer outcome, likewise

FLAT = "the same for everybody, the rate or mean of all: what the rule itself is judged against where it serves"

THIN_OCCURRENCES = 2  # fewer have no gap between them to learn a rhythm from
LONGEST_VALID_DAYS = 7  # of a score


def activity(task: TaskConfig) -> Feature:
    """How often the customer ever did what makes one active in this task: what thin data are judged by."""
    return Feature("count", Stream(tuple(sorted(set(task.active_event)))))


def is_thin(task: TaskConfig, panel: Panel) -> NDArray[np.bool_]:
    """Which rows of a panel that holds `activity` have too few occurrences: the flag `thin_data`."""
    return panel.column(activity(task).name) < THIN_OCCURRENCES


def valid_us(horizon_days: int) -> int:
    """How long a score stays valid after its as-of, µs."""
    return days(min(LONGEST_VALID_DAYS, horizon_days))


def is_stale(known_until_us: Any, as_of_us: int, horizon_days: int) -> Any:
    """Whether a score made when the log last told something would no longer be valid: the flag `stale_features`."""
    return ~np.asarray(in_window(known_until_us, as_of_us, valid_us(horizon_days)))
