"""The instant a scoring looks at the world from, and up to when the log tells of it."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.arrays import Ints
from features.config.sections import Config
from features.store.reader import Store
from features.store.statistics import days_with_events
from features.timeline import BEGINNING, DAY_US, instant
from models.grades import LONGEST_VALID_DAYS


def as_of_us(config: Config, store: Store, as_of: str | datetime | int | None) -> int:
    """µs UTC of an as-of: as given, of ISO text in the log's time zone, or by default where the log ends.

    Never the wall clock.
    """
    if as_of is None:
        return store.end(config)
    return as_of if isinstance(as_of, int) else instant(as_of, config.log.timezone)


@dataclass(frozen=True, eq=False)
class LogEnd:
    """What says up to when a log tells of the world: the UTC days since 1970 with an event, and `complete_until`."""

    days: Ints
    complete_us: int | None

    @staticmethod
    def by(config: Config, store: Store) -> "LogEnd":
        """Of a store; only its manifest is read."""
        return LogEnd(days_with_events(store.manifest.tallies), config.log.complete_until_us)

    def until(self, as_of: int) -> int:
        """The end of the newest day with an event, or further on to `complete_until` where that can be believed.

        It is not believed when there would be a longer silence than the log ever had. Days after the as-of say nothing.
        """
        seen = self.days[: int(np.searchsorted(self.days, as_of // DAY_US, side="right"))]
        newest = int(seen[-1] + 1) * DAY_US if len(seen) else BEGINNING
        if self.complete_us is None:
            return newest
        longest = max(LONGEST_VALID_DAYS, int(np.diff(seen).max(initial=1)) - 1) * DAY_US
        complete = min(self.complete_us, as_of)
        return max(newest, complete) if complete - newest <= longest else newest
