"""How long each phase of a training took."""

from collections.abc import Callable
from dataclasses import dataclass, field

from features.timeline import SECOND_US
from training.context import OnProgress, Phase


@dataclass(frozen=True)
class Phases:
    """Hears which phase begins and passes it on; `clock` gives µs UTC."""

    clock: Callable[[], int]
    forward: OnProgress = lambda _phase, _message: None
    _starts: list[tuple[Phase, int]] = field(default_factory=list)

    def on_progress(self, phase: Phase, message: str) -> None:
        """Another phase begins, or the same goes on."""
        self._starts.append((phase, self.clock()))
        self.forward(phase, message)

    def seconds(self) -> dict[str, float]:
        """By phase, over all horizons; the last one until now.

        >>> ticks = iter([0, 2_000_000, 5_000_000, 5_500_000])
        >>> phases = Phases(lambda: next(ticks))
        >>> for phase in (Phase.PANEL, Phase.AUDIT, Phase.PANEL):
        ...     phases.on_progress(phase, f"churn: {phase}")
        >>> phases.seconds()
        {'panel': 2.5, 'audit': 3.0}
        """
        ends = [start for _, start in self._starts[1:]] + [self.clock()]
        seconds: dict[str, float] = {}
        for (phase, start), end in zip(self._starts, ends, strict=True):
            seconds[phase.value] = seconds.get(phase.value, 0.0) + (end - start) / SECOND_US
        return seconds
