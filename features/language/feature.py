"""The feature language: what a feature is, declared as a value.

A feature reads a *stream* (the rows of a journey with certain events and category values) over a *window*, and its
*kind* says what it takes from it (`features.language.kinds` lists them all). Its name is
`<stream>[_<column>]_<kind>[=<level>][_<window>]`. The compiled pass in `features.kernel` fills it on every host.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from features.errors import did_you_mean
from features.language.functions import FunctionFeature
from features.language.kinds import CALENDAR, HOURS, KINDS, PROFILE, STEP, WEEKDAYS
from features.timeline import EVER_DAYS, EVER_US, days

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
        conditions = "".join(f"[{_quoted(column)}={_quoted(level)}]" for column, level in self.where)
        bounds = "".join(f"[{_amount(column)}{how}{_plain(bound)}]" for column, how, bound in self.bounds)
        return stem + conditions + bounds

    @property
    def is_narrowed(self) -> bool:
        """Not all rows of its events belong to it."""
        return bool(self.where or self.bounds)

    def text(self, ending: str) -> str:
        """In plain English, with the ending of its nouns: `purchases or returns with channel web`."""
        stem = " or ".join(event.replace("_", " ") + ending for event in self.events or ("event",))
        conditions = [f"{column} {level}" for column, level in self.where]
        conditions += [f"{column or MONEY} {BOUNDS[how]} {_plain(bound)}" for column, how, bound in self.bounds]
        return f"{stem} with {' and '.join(conditions)}" if conditions else stem


@dataclass(frozen=True)
class Feature:
    """One number about a customer at a cutoff.

    `column` is a number (of kinds that take an amount; None is the money of the log, netted per occurrence), a category
    or an attribute of the profile. `window_days` = 0 reads everything up to the cutoff. `level` is what the kind asks
    for: hours, a weekday, an event, the steps `view>purchase`, or the value of an attribute.
    """

    kind: str
    stream: Stream = Stream()
    column: str | None = None
    window_days: int = EVER_DAYS
    level: str | None = None

    @property
    def name(self) -> str:
        """The feature's name: `<stream>[_<column>]_<kind>[=<level>][_<window>]`."""
        kind = KINDS[self.kind]
        if self.kind in PROFILE:
            return f"profile_{self.column}" + (f"={self.level}" if self.level is not None else "")
        if self.kind in CALENDAR:
            return self.kind
        column = _amount(self.column) if self.column or kind.column == "amount" else None
        kind_and_level = self.kind if self.level is None else f"{self.kind}={self.level}"
        window = None if kind.window == "none" else f"{self.window_days}d" if self.window_days else "ever"
        return "_".join(part for part in (self.stream.name, column, kind_and_level, window) if part)

    @property
    def text(self) -> str:
        """A plain-English description, from which reasons are made."""
        return KINDS[self.kind].text.format(
            one=self.stream.text(""),
            many=self.stream.text("s"),
            column=self.column or MONEY,
            window=f"in the last {self.window_days} days" if self.window_days else "ever",
            level=" right after ".join(reversed(self.steps)) if self.kind == "transitions" else self.level,
        )

    @property
    def unit(self) -> str:
        """What it is counted in."""
        unit = KINDS[self.kind].unit
        return unit if unit != "of column" else self.column or MONEY

    @property
    def window_us(self) -> int:
        """The window in µs; ever is longer than any history."""
        return days(self.window_days) if self.window_days else EVER_US

    @property
    def steps(self) -> tuple[str, ...]:
        """The events that `level` names, in their order."""
        return tuple((self.level or "").split(STEP)) if KINDS[self.kind].level == "steps" else (self.level or "",)


AnyFeature = Feature | FunctionFeature


def _quoted(name: str, but: str = "") -> str:
    """The name, in quotes where it could be mistaken for something else, so that different features differ in name."""
    return json.dumps(name, ensure_ascii=False) if name == but or set(name) & set('+[]="<>') else name


def _amount(column: str | None) -> str:
    return _quoted(column, but=MONEY) if column else MONEY


def _plain(number: float) -> str:
    """The shortest text of a number: `50`, `0.5`."""
    return repr(number).removesuffix(".0")


def mistakes(feature: Feature) -> Iterator[tuple[str, str]]:
    """What is wrong with a declaration: the key in the TOML, and a sentence. The first mistake may cause later ones."""
    name, stream, kind = feature.kind, feature.stream, KINDS.get(feature.kind)
    if kind is None:
        yield "what", f"unknown feature kind '{name}'; {did_you_mean(name, KINDS)}"
        return
    events: object = stream.events
    if not isinstance(events, tuple):
        yield "event", f"expected a tuple of events such as ('purchase',), got {events!r}"
    if kind.column != "amount" and bool(feature.column) != (kind.column != "none"):
        expected = "no column" if kind.column == "none" else "a column"
        yield "column", f"a feature of kind '{name}' takes {expected}, got {feature.column!r}"
    if name in (*CALENDAR, *PROFILE) and stream != Stream():
        yield "event", f"a feature of kind '{name}' reads no events, got {stream.name}"
    if name == "cohort_count" and stream.is_narrowed:
        yield "where", f"a feature of kind 'cohort_count' takes events and no filter, got {stream.name}"
    yield from (("level", mistake) for mistake in _mistakes_of_level(feature))
    if feature.window_days < 0 or (feature.window_days and kind.window == "none"):
        yield "window_days", f"'{name}' over {feature.window_days} days cannot be; 0 reads the whole journey"
    if not feature.window_days and kind.window == "days":
        yield "window_days", f"a feature of kind '{name}' compares spans and needs a number of days, got 0"


def _mistakes_of_level(feature: Feature) -> Iterator[str]:
    expected, level = KINDS[feature.kind].level, feature.level
    choices = {"hours": HOURS, "weekday": WEEKDAYS}.get(expected, ())
    if (level is not None) != (expected != "none"):
        yield f"a feature of kind '{feature.kind}' takes {'no' if expected == 'none' else 'a'} level, got {level!r}"
    if choices and level not in choices:
        yield f"a feature of kind '{feature.kind}' is for one of {', '.join(choices)}, got {level!r}"
    steps, most = feature.steps, 2 if feature.kind == "transitions" else None
    if expected == "steps" and (not all(steps) or len(steps) < 2 or len(steps) != (most or len(set(steps)))):
        example = "'view>purchase'" if feature.kind == "transitions" else "'view>cart>purchase'"
        yield f"a feature of kind '{feature.kind}' needs steps such as {example}, got {level!r}"
