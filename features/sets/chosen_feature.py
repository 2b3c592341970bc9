"""One feature of a shop's set and why it is there."""

from dataclasses import dataclass

from features.language.feature import AnyFeature


@dataclass(frozen=True)
class ChosenFeature:
    """A feature and the reason that the verb `features` prints beside it."""

    feature: AnyFeature
    reason: str
