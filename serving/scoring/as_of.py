"""The instant that scores are as of, and up to when the log is known to be complete."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.arrays import Ints
from features.config.sections import Config
from features.store.reader import Store
from features.store.statistics import days_with_events
from features.timeline import BEGINNING, DAY_US, instant
from models.grades import LONGEST_VALID_DAYS


def resolve_as_of(config: Config, store: Store, as_of: str | datetime | int | None) -> int:
    """µs UTC of an as-of: as given, of ISO text in the log's time zone, or by default where the log ends.

    Never the wall clock.
    """
    if as_of is None:
        return store.end(config)
    return as_of if isinstance(as_of, int) else instant(as_of, config.log.timezone)


@dataclass(frozen=True, eq=False)
class LogEnd:
    """What decides up to when a log is complete: the UTC days since 1970 with an event, and `complete_until`."""

    days: Ints
    complete_until_us: int | None

    @staticmethod
    def of(config: Config, store: Store) -> "LogEnd":
        """Of a store; only its manifest is read."""
        return LogEnd(days_with_events(store.manifest.tallies), config.log.complete_until_us)

    def at(self, as_of_us: int) -> int:
        """The end of the newest day with an event, or further on to `complete_until` where that can be believed.

        It is not believed when the log would then have a longer gap than it ever had. Days after the as-of
        do not count.
        """
        days = self.days[: int(np.searchsorted(self.days, as_of_us // DAY_US, side="right"))]
        newest = int(days[-1] + 1) * DAY_US if len(days) else BEGINNING
        if self.complete_until_us is None:
            return newest
        longest_gap = max(LONGEST_VALID_DAYS, int(np.diff(days).max(initial=1)) - 1) * DAY_US
        complete = min(self.complete_until_us, as_of_us)
        return max(newest, complete) if complete - newest <= longest_gap else newest
