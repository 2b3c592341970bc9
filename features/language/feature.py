"""The feature language: what a feature is, declared as a value.

A feature reads a *stream* (the rows of a journey with certain events and category values) and says *what* it takes
from it (`features.catalogue` lists all kinds) over which *window*. Its name is
`<stream>[_<column>]_<what>[=<level>][_<window>]`. The compiled pass in `features.kernel` fills it on every host.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from features.errors import ConfigError, did_you_mean
from features.language.functions import FunctionFeature, UserModule
from features.language.kinds import CALENDAR, HOURS, KINDS, LOCAL, PROFILE, STEP, WEEKDAYS
from features.system.files import canonical_json, text_digest
from features.timeline import EVER_DAYS, EVER_US, days, zone

KERNEL_VERSION = 3  # raise it when the same declaration gives other numbers
MONEY = "value"  # how the money of the log is called in names
BOUNDS = {">=": "at least", "<=": "at most"}
Bound = tuple[str | None, str, float]  # a number (None: the money) of a row, which of `BOUNDS`, and the bound


@dataclass(frozen=True)
class Stream:
    """The rows of a journey with one of `events` (empty: any), every (category, level) of `where` and all `bounds`."""

    events: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    bounds: tuple[Bound, ...] = ()

    @property
    def name(self) -> str:
        """Its part of a feature's name: `event`, `purchase+return`, `purchase[channel=web]`, `purchase[value>=50]`."""
        stem = "+".join(_quoted(event, but="event") for event in self.events) if self.events else "event"
        where = "".join(f"[{_quoted(column)}={_quoted(level)}]" for column, level in self.where)
        return stem + where + "".join(f"[{_amount(column)}{how}{_plain(bound)}]" for column, how, bound in self.bounds)

    @property
    def is_narrowed(self) -> bool:
        """Not all rows of its events belong to it."""
        return bool(self.where or self.bounds)

    def text(self, ending: str) -> str:
        """In plain English, with the ending of its nouns: `purchases or returns with channel web`."""
        stem = " or ".join(event.replace("_", " ") + ending for event in self.events or ("event",))
        where = [f"{column} {level}" for column, level in self.where]
        where += [f"{column or MONEY} {BOUNDS[how]} {_plain(bound)}" for column, how, bound in self.bounds]
        return f"{stem} with {' and '.join(where)}" if where else stem


@dataclass(frozen=True)
class Feature:
    """One number about a customer at a cutoff.

    `column` is a number (of kinds that take an amount; None is the money of the log, netted per occurrence), a category
    or an attribute of the profile. `window_days` = 0 reads everything up to the cutoff. `level` is what the kind asks
    for: hours, a weekday, an event, the steps `view>purchase`, or the value of an attribute.
    """

    what: str
    stream: Stream = Stream()
    column: str | None = None
    window_days: int = EVER_DAYS
    level: str | None = None

    @property
    def name(self) -> str:
        """The feature's name: `<stream>[_<column>]_<what>[=<level>][_<window>]`."""
        meaning = KINDS[self.what]
        if self.what in PROFILE:
            return f"profile_{self.column}" + (f"={self.level}" if self.level is not None else "")
        if self.what in CALENDAR:
            return self.what
        column = _amount(self.column) if self.column or meaning.column == "amount" else None
        what = self.what if self.level is None else f"{self.what}={self.level}"
        window = None if meaning.window == "none" else f"{self.window_days}d" if self.window_days else "ever"
        return "_".join(part for part in (self.stream.name, column, what, window) if part)

    @property
    def text(self) -> str:
        """A plain-English description, from which reasons are made."""
        return KINDS[self.what].text.format(
            one=self.stream.text(""),
            many=self.stream.text("s"),
            column=self.column or MONEY,
            window=f"in the last {self.window_days} days" if self.window_days else "ever",
            level=" right after ".join(reversed(self.steps)) if self.what == "transitions" else self.level,
        )

    @property
    def unit(self) -> str:
        """What it is counted in."""
        unit = KINDS[self.what].unit
        return unit if unit != "of column" else self.column or MONEY

    @property
    def window_us(self) -> int:
        """The window in µs; ever is longer than any history."""
        return days(self.window_days) if self.window_days else EVER_US

    @property
    def steps(self) -> tuple[str, ...]:
        """The events that `level` names, in their order."""
        return tuple((self.level or "").split(STEP)) if KINDS[self.what].level == "steps" else (self.level or "",)


AnyFeature = Feature | FunctionFeature


@dataclass(frozen=True)
class FeatureSet:
    """An ordered choice of features: the columns of a panel. Names are unique.

    `timezone` says when a day begins, for those that read hours, days or the season. `module` is the file that features
    come from, if some do.
    """

    features: tuple[AnyFeature, ...]
    timezone: str = "UTC"
    module: UserModule | None = None

    def __post_init__(self) -> None:
        zone(self.timezone)
        seen: set[str] = set()
        for feature in self.features:
            if isinstance(feature, Feature):
                for _, mistake in mistakes(feature):
                    raise ConfigError(mistake)
            elif self.module is None:
                raise ConfigError(f"expected the module that {feature.name} comes from, found none; name it")
            if feature.name in seen:
                raise ConfigError(f"expected every feature once, found '{feature.name}' twice; remove one")
            seen.add(feature.name)

    def __len__(self) -> int:
        return len(self.features)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.features, self.timezone, self.module))  # of hundreds of features, at every request

    @property
    def declared(self) -> tuple[Feature, ...]:
        """Those of the language, which the kernel computes."""
        return tuple(feature for feature in self.features if isinstance(feature, Feature))

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
        """SHA-256 over declarations, module and the kernel's version: equal fingerprints give equal numbers."""
        return text_digest(canonical_json({"kernel": KERNEL_VERSION, **self.to_json()}))

    def to_json(self) -> dict[str, Any]:
        """Plain data from which `from_json` makes the same set."""
        module = {} if self.module is None else {"module": self.module.digest}
        return {"timezone": self.timezone, "features": [_json(feature) for feature in self.features], **module}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "FeatureSet":
        """The set that `to_json` wrote; of its module only the digest."""
        module = UserModule(data["module"]) if "module" in data else None
        return FeatureSet(tuple(_feature(item) for item in data["features"]), data["timezone"], module)

    def union(self, *others: "FeatureSet") -> "FeatureSet":
        """This set and what the others add to it, each feature once; ConfigError when their days begin apart."""
        sets = (self, *others)
        zones = {one.timezone for one in sets if one.is_local} or {self.timezone}
        if len(zones) > 1:
            raise ConfigError(f"expected features of one time zone, found {', '.join(sorted(zones))}; train all anew")
        modules = list(dict.fromkeys(one.module for one in sets if one.module is not None))
        if len(modules) > 1:
            raise ConfigError(f"expected features of one module, found {len(modules)}; train all anew")
        return FeatureSet(tuple(dict.fromkeys(f for one in sets for f in one.features)), zones.pop(), *modules)

    @property
    def is_local(self) -> bool:
        """Whether a feature reads local time."""
        return any(feature.what in LOCAL for feature in self.declared)


def _quoted(name: str, but: str = "") -> str:
    """The name, in quotes where it could be mistaken for something else, so that different features differ in name."""
    return json.dumps(name, ensure_ascii=False) if name == but or set(name) & set('+[]="<>') else name


def _amount(column: str | None) -> str:
    return _quoted(column, but=MONEY) if column else MONEY


def _plain(number: float) -> str:
    """The shortest text of a number: `50`, `0.5`."""
    return repr(number).removesuffix(".0")


def mistakes(feature: Feature) -> Iterator[tuple[str, str]]:
    """What is wrong with a declaration: the part, and a sentence. What comes first may cause what comes after."""
    what, stream, meaning = feature.what, feature.stream, KINDS.get(feature.what)
    if meaning is None:
        yield "what", f"unknown feature kind '{what}'; {did_you_mean(what, KINDS)}"
        return
    events: object = stream.events
    if not isinstance(events, tuple):
        yield "event", f"expected a tuple of events such as ('purchase',), got {events!r}"
    if meaning.column != "amount" and bool(feature.column) != (meaning.column != "none"):
        wanted = "no column" if meaning.column == "none" else "a column"
        yield "column", f"a feature of kind '{what}' takes {wanted}, got {feature.column!r}"
    if what in (*CALENDAR, *PROFILE) and stream != Stream():
        yield "event", f"a feature of kind '{what}' reads no events, got {stream.name}"
    if what == "cohort_count" and stream.is_narrowed:
        yield "where", f"a feature of kind 'cohort_count' takes events and no filter, got {stream.name}"
    yield from (("level", sentence) for sentence in _mistakes_of_level(feature))
    if feature.window_days < 0 or (feature.window_days and meaning.window == "none"):
        yield "window_days", f"'{what}' over {feature.window_days} days cannot be; 0 reads the whole journey"
    if not feature.window_days and meaning.window == "days":
        yield "window_days", f"a feature of kind '{what}' compares spans and needs a number of days, got 0"


def _mistakes_of_level(feature: Feature) -> Iterator[str]:
    wanted, level = KINDS[feature.what].level, feature.level
    choices = {"hours": HOURS, "weekday": WEEKDAYS}.get(wanted, ())
    if (level is not None) != (wanted != "none"):
        yield f"a feature of kind '{feature.what}' takes {'no' if wanted == 'none' else 'a'} level, got {level!r}"
    if choices and level not in choices:
        yield f"a feature of kind '{feature.what}' is for one of {', '.join(choices)}, got {level!r}"
    steps, most = feature.steps, 2 if feature.what == "transitions" else None
    if wanted == "steps" and (not all(steps) or len(steps) < 2 or len(steps) != (most or len(set(steps)))):
        example = "'view>purchase'" if feature.what == "transitions" else "'view>cart>purchase'"
        yield f"a feature of kind '{feature.what}' needs steps such as {example}, got {level!r}"


def _json(feature: AnyFeature) -> dict[str, Any]:
    item = asdict(feature)
    if isinstance(feature, Feature) and not feature.stream.bounds:
        del item["stream"]["bounds"]  # what asks for none keeps its fingerprint
    return item


def _feature(item: Mapping[str, Any]) -> AnyFeature:
    if "function" in item:
        return FunctionFeature(**item)
    where = tuple((column, level) for column, level in item["stream"]["where"])
    bounds = tuple((column, how, bound) for column, how, bound in item["stream"].get("bounds", ()))
    stream = Stream(tuple(item["stream"]["events"]), where, bounds)
    return Feature(item["what"], stream, item["column"], item["window_days"], item["level"])
