"""The id of a score: what it was made from, as one string."""

from dataclasses import dataclass

from features.errors import InputError


@dataclass(frozen=True)
class ScoreId:
    """What a score was made from; with the customer it replays the score from store and bundle.

    `own_events` says that the request carried events of its own, without which it cannot be replayed.
    """

    task: str
    horizon_days: int
    bundle: str  # the first 16 digits of the digest
    as_of_us: int
    log_position: int
    own_events: bool

    def __str__(self) -> str:
        source = "request" if self.own_events else "log"
        return f"{self.task}.{self.horizon_days}d.{self.bundle[:16]}.{self.as_of_us}.{self.log_position}.{source}"


def read_score_id(text: str) -> ScoreId:
    """What a `score_id` says.

    >>> read_score_id("churn.90d.0123456789abcdef.1315612800000000.3.log").horizon_days
    90
    """
    try:
        task, horizon, bundle, as_of, position, source = text.split(".")
        return ScoreId(task, int(horizon.removesuffix("d")), bundle, int(as_of), int(position), _OWN_EVENTS[source])
    except (ValueError, KeyError):
        raise InputError(
            f"expected a score_id such as 'churn.90d.0123456789abcdef.1315612800000000.3.log', got '{text[:200]}'"
        ) from None


_OWN_EVENTS = {"log": False, "request": True}
