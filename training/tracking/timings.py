"""How long each phase of a training took, by what it said that it was doing."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from features.timeline import SECOND_US


@dataclass(frozen=True)
class Phases:
    """Hears what is being done (`churn, 90 days: audit`) and passes it on; the first word after the colon names the
    phase. `clock` gives µs UTC.
    """

    clock: Callable[[], int]
    passed_on: Callable[[str], None] = lambda _: None
    _begun: list[tuple[str, int]] = field(default_factory=list)

    def tell(self, doing: str) -> None:
        """Another phase begins."""
        name = re.search(r": (\w+)", doing)
        self._begun.append((name[1] if name else doing, self.clock()))
        self.passed_on(doing)

    def seconds(self) -> dict[str, float]:
        """By phase, over all horizons; the last one until now.

        >>> ticks = iter([0, 2_000_000, 5_000_000, 5_500_000])
        >>> phases = Phases(lambda: next(ticks))
        >>> for doing in ("churn: panel of 3 cutoffs", "churn: audit", "value: panel of 3 cutoffs"):
        ...     phases.tell(doing)
        >>> phases.seconds()
        {'panel': 2.5, 'audit': 3.0}
        """
        ends = [begun for _, begun in self._begun[1:]] + [self.clock()]
        found: dict[str, float] = {}
        for (name, begun), end in zip(self._begun, ends, strict=True):
            found[name] = found.get(name, 0.0) + (end - begun) / SECOND_US
        return found
