"""How long the torture lasts (`JOURNEYCAST_TORTURE`: seconds, ci or full) and what every goal counts.

A test that hurts nothing proves nothing, so `Toll.settle` fails when fewer faults were injected than promised.
"""

import os
from dataclasses import dataclass, field
from typing import TypeVar

Size = TypeVar("Size")
FORMS = ("seconds", "ci", "full")
FORM = os.environ.get("JOURNEYCAST_TORTURE", FORMS[0])
if FORM not in FORMS:
    raise ValueError(f"expected JOURNEYCAST_TORTURE to be one of {', '.join(FORMS)}, got '{FORM}'")


def size(seconds: Size, ci: Size, full: Size) -> Size:
    """What the form that was asked for calls for."""
    return {"seconds": seconds, "ci": ci, "full": full}[FORM]


@dataclass
class Toll:
    """Faults that were injected, promises that were broken, and whatever else is worth telling."""

    faults: int = 0
    violations: list[str] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)

    def fault(self, number: int = 1) -> None:
        self.faults += number

    def hold(self, promise: bool, otherwise: str) -> None:
        """Count a promise that does not hold as a violation."""
        if not promise:
            self.violations.append(otherwise)

    def tell(self, **more: int) -> None:
        self.more |= more

    def settle(self, *, at_least: int = 1) -> None:
        """Fail on any violation, and when nothing much was injected."""
        assert not self.violations, "\n".join(self.violations[:20])
        assert self.faults >= at_least, f"expected at least {at_least} faults, injected {self.faults}"

    def __str__(self) -> str:
        counts = {"faults_injected": self.faults, "violations": len(self.violations), **self.more}
        return ", ".join(f"{name} {count:,}" for name, count in counts.items())
