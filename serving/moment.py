"""The instant a scoring looks at the world from."""

from datetime import datetime

from features.config import Config
from features.store import Store
from features.timeline import instant


def as_of_us(config: Config, store: Store, as_of: str | datetime | int | None) -> int:
    """µs UTC of an as-of: as given, of ISO text in the log's time zone, or by default where the log ends.

    Never the wall clock.
    """
    if as_of is None:
        return store.end(config)
    return as_of if isinstance(as_of, int) else instant(as_of, config.log.timezone)
