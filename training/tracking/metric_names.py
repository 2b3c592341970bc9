"""How the metrics of a run are called, and which horizons it has.

`test_auroc_30d_low` is the lower end of the 90 % interval of the figure `auroc` on the test at 30 days;
`baseline_auroc_30d` is the same figure of the named baseline. A training with one horizon leaves `_30d` out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

HORIZONS = "horizons_days"  # the tag of a run that lists them, ascending
ENDS = ("", "low", "high")  # of `[value, low, high]`


@dataclass(frozen=True)
class MetricName:
    """Whose figure it is, what it is called, at which of several horizons, and which end of its interval."""

    whose: str
    figure: str
    horizon_days: int | None = None
    end: str = ""


def suffix(horizon_days: int | None) -> str:
    """What a name ends in at one of several horizons; nothing for the only one."""
    return "" if horizon_days is None else f"_{horizon_days}d"


def compose(name: MetricName) -> str:
    """The name as text.

    >>> compose(MetricName("test", "auroc", 30, "low"))
    'test_auroc_30d_low'
    """
    return f"{name.whose}_{name.figure}{suffix(name.horizon_days)}" + (f"_{name.end}" if name.end else "")


def parse(text: str) -> MetricName | None:
    """What `compose` was given; None for a metric that is no figure, such as `seconds_audit`.

    >>> parse("baseline_lift_at_10")
    MetricName(whose='baseline', figure='lift_at_10', horizon_days=None, end='')
    """
    match = re.fullmatch(r"(test|baseline)_(.+?)(?:_(\d+)d)?(?:_(low|high))?", text)
    if match is None:
        return None
    whose, figure, horizon_days, end = match.groups()
    return MetricName(whose, figure, int(horizon_days) if horizon_days else None, end or "")


def recorded_horizons(tags: Mapping[str, str], params: Mapping[str, str]) -> dict[int | None, int | None]:
    """The horizons of a run, ascending, each with how names say it; the horizon is None where the run holds none.

    >>> recorded_horizons({"horizons_days": "7,30"}, {}), recorded_horizons({"horizons_days": "90"}, {})
    ({7: 7, 30: 30}, {90: None})
    """
    if HORIZONS not in tags:
        return _horizons_of_old_run(params)
    listed = sorted(int(days) for days in tags[HORIZONS].split(","))
    return {days: days if len(listed) > 1 else None for days in listed}


def _horizons_of_old_run(params: Mapping[str, str]) -> dict[int | None, int | None]:
    """Runs without that tag: several horizons end the names of parameters, a single one is a parameter itself."""
    matches = [re.fullmatch(r"rung_(\d+)d", name) for name in params]
    several = sorted(int(match[1]) for match in matches if match)
    if several:
        return {days: days for days in several}
    text = params.get("split.horizon_days") or params.get("task.horizon_days") or ""
    return {int(text) if text.isdecimal() else None: None}
