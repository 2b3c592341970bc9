"""How long each phase of a training took."""

from collections.abc import Callable
from dataclasses import dataclass, field

from features.timeline import SECOND_US
from training.context import Phase, Tell


@dataclass(frozen=True)
class Phases:
    """Hears which phase begins and passes it on; `clock` gives µs UTC."""

    clock: Callable[[], int]
    pass_on: Tell = lambda _phase, _message: None
    _begun: list[tuple[Phase, int]] = field(default_factory=list)

    def tell(self, phase: Phase, message: str) -> None:
        """Another phase begins, or the same goes on."""
        self._begun.append((phase, self.clock()))
        self.pass_on(phase, message)

    def seconds(self) -> dict[str, float]:
        """By phase, over all horizons; the last one until now.

        >>> ticks = iter([0, 2_000_000, 5_000_000, 5_500_000])
        >>> phases = Phases(lambda: next(ticks))
        >>> for phase in (Phase.PANEL, Phase.AUDIT, Phase.PANEL):
        ...     phases.tell(phase, f"churn: {phase}")
        >>> phases.seconds()
        {'panel': 2.5, 'audit': 3.0}
        """
        ends = [begun for _, begun in self._begun[1:]] + [self.clock()]
        seconds: dict[str, float] = {}
        for (phase, begun), end in zip(self._begun, ends, strict=True):
            seconds[phase.value] = seconds.get(phase.value, 0.0) + (end - begun) / SECOND_US
        return seconds
