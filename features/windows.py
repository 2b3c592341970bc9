"""The feature language: what a feature is, declared as a value.

A feature reads a *stream* (the rows of a journey with certain events and category values) and says *what* it takes
from it (`WHATS`) over which *window*. Its name is `<stream>[_<column>]_<what>[_<window>]`. To add one, append a
`Feature` to a `FeatureSet`; the compiled pass in `features.kernel` fills it on every host.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from features.errors import ConfigError, did_you_mean
from features.files import canonical_json, text_digest
from features.timeline import EVER_DAYS

KERNEL_VERSION = 2  # raise it when the same declaration gives other numbers

What = Literal[
    "count",
    "refunds",
    "sum",
    "mean",
    "max",
    "distinct",
    "recency",
    "tenure",
    "gap_mean",
    "gap_std",
    "attribute",
    "attribute_is",
]


@dataclass(frozen=True)
class Meaning:
    """What one `What` says: its unit, what stands when nothing was seen, and the sentence reasons are made from."""

    unit: str
    nothing: float
    text: str
    windowed: bool = False


NAN = float("nan")
WHATS: Mapping[str, Meaning] = {
    "count": Meaning("occurrences", 0.0, "number of {many} {window}", windowed=True),
    "refunds": Meaning("occurrences", 0.0, "number of refunds among {many} {window}", windowed=True),
    "sum": Meaning("of column", 0.0, "total {column} of {many} {window}", windowed=True),
    "mean": Meaning("of column", NAN, "average {column} of {many} {window}", windowed=True),
    "max": Meaning("of column", NAN, "largest {column} of {many} {window}", windowed=True),
    "distinct": Meaning("values", 0.0, "number of different values of {column} in {many} {window}", windowed=True),
    "recency": Meaning("days", NAN, "days since the last {one}"),
    "tenure": Meaning("days", NAN, "days since the first {one}"),
    "gap_mean": Meaning("days", NAN, "average days between {many}"),
    "gap_std": Meaning("days", NAN, "spread of the days between {many}"),
    "attribute": Meaning("of column", NAN, "{column} of the profile"),
    "attribute_is": Meaning("0 or 1", NAN, "{column} of the profile is {level}"),
}


MONEY = "value"  # how the money of the log is called in names
AMOUNTS = ("sum", "mean", "max")  # with a column they read a number, without one the money
NEEDS_COLUMN = ("distinct", "attribute", "attribute_is")


@dataclass(frozen=True)
class Stream:
    """The rows of a journey with one of `events` (empty: any) and every (category, level) of `where`."""

    events: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Its part of a feature's name: `event`, `purchase`, `purchase+return`, `purchase[channel=web]`."""
        stem = "+".join(_quoted(event, but="event") for event in self.events) if self.events else "event"
        return stem + "".join(f"[{_quoted(column)}={_quoted(level)}]" for column, level in self.where)

    def text(self, ending: str) -> str:
        """In plain English, with the ending of its nouns: `purchases or returns with channel web`."""
        stem = " or ".join(event.replace("_", " ") + ending for event in self.events or ("event",))
        where = " and ".join(f"{column} {level}" for column, level in self.where)
        return f"{stem} with {where}" if where else stem


@dataclass(frozen=True)
class Feature:
    """One number about a customer at a cutoff.

    `column` is a number column (`sum`, `mean`, `max`; None is the money of the log, netted per occurrence), a
    category (`distinct`) or an attribute of the profile. `window_days` = 0 reads everything before the cutoff.
    """

    what: What
    stream: Stream = Stream()
    column: str | None = None
    window_days: int = EVER_DAYS
    level: str | None = None

    @property
    def name(self) -> str:
        """The feature's name: `<stream>[_<column>]_<what>[_<window>]`."""
        if self.what == "attribute":
            return f"profile_{self.column}"
        if self.what == "attribute_is":
            return f"profile_{self.column}={self.level}"
        column = _quoted(self.column, but=MONEY) if self.column else MONEY if self.what in AMOUNTS else None
        window = (f"{self.window_days}d" if self.window_days else "ever") if WHATS[self.what].windowed else None
        return "_".join(part for part in (self.stream.name, column, self.what, window) if part)

    @property
    def text(self) -> str:
        """A plain-English description, from which reasons are made."""
        window = f"in the last {self.window_days} days" if self.window_days else "ever"
        return WHATS[self.what].text.format(
            one=self.stream.text(""),
            many=self.stream.text("s"),
            column=self.column or MONEY,
            window=window,
            level=self.level,
        )


@dataclass(frozen=True)
class FeatureSet:
    """An ordered choice of features: the columns of a panel. Names are unique."""

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for feature in self.features:
            _check(feature)
            if feature.name in seen:
                raise ConfigError(f"expected every feature once, found '{feature.name}' twice; remove one")
            seen.add(feature.name)

    def __len__(self) -> int:
        return len(self.features)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.features)  # of hundreds of features, and asked for at every request

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Column of each feature, by name."""
        return {name: column for column, name in enumerate(self.names)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the declarations and the kernel's version: equal fingerprints give equal numbers."""
        return text_digest(canonical_json({"kernel": KERNEL_VERSION, "features": self.to_json()}))

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data from which `from_json` makes the same set."""
        return [asdict(feature) for feature in self.features]

    @staticmethod
    def from_json(data: Iterable[Mapping[str, Any]]) -> "FeatureSet":
        """The set that `to_json` wrote."""
        return FeatureSet(tuple(_feature(item) for item in data))

    def union(self, *others: "FeatureSet") -> "FeatureSet":
        """This set and what the others add to it, each feature once."""
        every = dict.fromkeys([*self.features, *(feature for other in others for feature in other.features)])
        return FeatureSet(tuple(every))


def _quoted(name: str, but: str = "") -> str:
    """The name, in quotes where it could be mistaken for something else, so that different features differ in name."""
    return json.dumps(name, ensure_ascii=False) if name == but or set(name) & set('+[]="') else name


def _check(feature: Feature) -> None:
    if feature.what not in WHATS:
        raise ConfigError(f"unknown feature kind '{feature.what}'; {did_you_mean(feature.what, WHATS)}")
    if feature.what not in AMOUNTS and bool(feature.column) != (feature.what in NEEDS_COLUMN):
        wanted = "a column" if feature.what in NEEDS_COLUMN else "no column"
        raise ConfigError(f"a feature of kind '{feature.what}' takes {wanted}, got {feature.column!r}")
    if (feature.level is not None) != (feature.what == "attribute_is"):
        raise ConfigError(
            f"a level belongs to 'attribute_is' and nothing else, got {feature.level!r} in {feature.name}"
        )
    if feature.window_days < 0 or (feature.window_days and not WHATS[feature.what].windowed):
        raise ConfigError(f"'{feature.what}' over {feature.window_days} days cannot be; 0 reads the whole journey")


def _feature(item: Mapping[str, Any]) -> Feature:
    where = tuple((column, level) for column, level in item["stream"]["where"])
    stream = Stream(tuple(item["stream"]["events"]), where)
    return Feature(item["what"], stream, item["column"], item["window_days"], item["level"])
