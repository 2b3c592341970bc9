"""Which cutoffs choose, which report and which serve (law 4), and what to do when history is short (law 5).

With horizon h and labels that end at `end`, the newest cutoff is the test, one h before it the validation. Training
cutoffs for choosing lie at least h before the validation, those for reporting at least h before the test, and what
serves is fitted on all. Every cutoff lies a whole number of steps before `end - h`, so the three share their panels.
"""

from dataclasses import dataclass

from features.timeline import DAY_US, days, iso

MOST_CUTOFFS = 36  # of one fit: three years of months
CLOSE_CUTOFFS = 8  # the newest, as close as they come
STEP_DAYS = 30  # between close cutoffs, at most; between the others, at least
SHORTEST_LEAD = 1 / 3  # of a horizon: the least history that the earliest cutoff looks back on


@dataclass(frozen=True)
class Split:
    """Cutoffs in µs UTC, ascending; empty tuples: too little history. `fitted_days` is shorter than `horizon_days` when
    history is short.

    `choosing` trains the candidates that `validation` compares, `reporting` refits the chosen one for the `test`, and
    `serving` fits the final model.
    """

    horizon_days: int
    fitted_days: int
    first: int
    end: int
    choosing: tuple[int, ...]
    validation: int
    reporting: tuple[int, ...]
    test: int
    serving: tuple[int, ...]

    @property
    def extrapolated(self) -> bool:
        """Fitted on a shorter horizon than asked for."""
        return self.fitted_days < self.horizon_days

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """Every cutoff that some part needs, ascending."""
        return tuple(sorted({*self.choosing, *self.reporting, *self.serving, self.validation, self.test}))

    def describe(self) -> dict[str, str | int]:
        """The dates, for people and for tracking."""
        spans = {"choosing": self.choosing, "reporting": self.reporting, "serving": self.serving}
        named = {name: f"{len(c)}: {iso(c[0])}..{iso(c[-1])}" if c else "none" for name, c in spans.items()}
        ends = {"validation": iso(self.validation), "test": iso(self.test), "labels_end": iso(self.end)}
        return {"horizon_days": self.horizon_days, "fitted_days": self.fitted_days, **named, **ends}


def fitted_horizon(horizon_days: int, first: int, end: int) -> int:
    """The horizon to fit on: the one asked for, or the longest whole number of days that history holds three times
    after a lead.

    >>> fitted_horizon(90, 0, 365 * DAY_US), fitted_horizon(273, 0, 273 * DAY_US)
    (90, 81)
    """
    longest = (end - first) / DAY_US / (3 + SHORTEST_LEAD)
    return max(1, min(horizon_days, int(longest)))


def split(horizon_days: int, first: int, end: int) -> Split:
    """The cutoffs for a log whose first event is at `first` and whose labels end at `end`."""
    fitted = fitted_horizon(horizon_days, first, end)
    horizon = days(fitted)
    lead = min(max(horizon, (end - first) // 10), max(end - first - 3 * horizon, 0))
    test = end - horizon
    steps = max(min(3, fitted), -(-fitted // STEP_DAYS))  # in a horizon
    ladder = [test - horizon * step // steps for step in range((test - first) * steps // horizon + 1)]
    past = [cutoff for cutoff in ladder if cutoff >= first + lead]
    return Split(
        horizon_days=horizon_days,
        fitted_days=fitted,
        first=first,
        end=end,
        choosing=_thinned(past[2 * steps :]),
        validation=test - horizon,
        reporting=_thinned(past[steps:]),
        test=test,
        serving=_thinned(past),
    )


def _thinned(cutoffs: list[int]) -> tuple[int, ...]:
    """The newest as they are, then one a month back, `MOST_CUTOFFS` at most: what is new weighs more, and a season that
    came three times is seen three times. `cutoffs` descend, the result ascends.
    """
    kept = cutoffs[:CLOSE_CUTOFFS]
    for cutoff in cutoffs[CLOSE_CUTOFFS:]:
        if kept[-1] - cutoff >= days(STEP_DAYS) and len(kept) < MOST_CUTOFFS:
            kept.append(cutoff)
    return tuple(reversed(kept))
