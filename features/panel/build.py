"""`build(journeys, rows, features) -> Panel`: the numbers of every (customer, cutoff)."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints
from features.journeys import Journeys, Profile
from features.kernel.attributes import LEVEL, NUMBER, attributes, seasons
from features.kernel.sequences import FROM, TO
from features.kernel.walk import fill
from features.language import functions
from features.language.feature_set import FeatureSet
from features.panel.comparisons import compare
from features.panel.plan import PanelPlan, plan_of
from features.timezones import offsets

NO_OCCURRENCE = np.zeros(0, np.int32)
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Rows:
    """Which (customer, cutoff) a panel has: indices into journeys, cutoffs in µs UTC; fastest grouped by customer."""

    customer: Ints
    cutoff: Ints

    def __len__(self) -> int:
        return len(self.customer)

    def __getitem__(self, mask: NDArray[np.bool_] | Ints) -> "Rows":
        return Rows(self.customer[mask], self.cutoff[mask])

    @staticmethod
    def grid(customers: int, cutoffs: Ints) -> "Rows":
        """Every customer at every cutoff, grouped by customer."""
        return Rows(
            np.repeat(np.arange(customers, dtype=np.int64), len(cutoffs)),
            np.tile(np.asarray(cutoffs, np.int64), customers),
        )

    def shifted(self, duration_us: int) -> "Rows":
        """The same customers, looking from a later instant."""
        return replace(self, cutoff=self.cutoff + duration_us)


@dataclass(frozen=True)
class Panel:
    """Rows × features: `values` is float64 of shape (n_rows, n_features), NaN where a feature has nothing to say."""

    rows: Rows
    values: Floats
    features: FeatureSet

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> Floats:
        """One feature over all rows."""
        return self.values[:, self.features.position[name]]


def build(journeys: Journeys, rows: Rows, features: FeatureSet) -> Panel:
    """The panel of these rows: every feature as it was known at the row's cutoff."""
    values = np.empty((len(rows), len(features)))  # the kernel writes every cell
    plan = plan_of(features)
    kernel_rows = np.ascontiguousarray(rows.customer, np.int64), np.ascontiguousarray(rows.cutoff, np.int64)
    if len(rows) and plan.streams:
        columns, streams = _columns(journeys, plan), _streams(journeys, plan)
        fill(kernel_rows, columns, streams, offsets(features.timezone), plan.blocks, plan.figures, values)
        if plan.compared:
            compare(kernel_rows, columns, streams, journeys, (plan.streams, plan.compared), values)
    if len(rows) and plan.attributes:
        attributes(kernel_rows, *_attributes(journeys.profile, plan), values)
    if len(rows) and len(plan.calendar):
        seasons(kernel_rows, offsets(features.timezone), plan.calendar, values)
    if len(rows) and plan.customs and features.module is not None:
        functions.fill(journeys, kernel_rows, plan.customs, features.module, values)
    return Panel(rows, values, features)


def _columns(journeys: Journeys, plan: PanelPlan) -> tuple[NDArray[np.generic], ...]:
    numbers = [journeys.number(name) for name in plan.numbers]
    categories = [journeys.category(name).codes for name in plan.categories]
    categories += [_holds(journeys, *bound) for bound in plan.bounds]
    return (
        journeys.starts,
        journeys.time,
        journeys.known,
        journeys.event.codes,
        journeys.value,
        NO_OCCURRENCE if journeys.occurrence is None else journeys.occurrence,
        _stacked(numbers, np.float64),
        _stacked(categories, np.int32),
    )


def _streams(journeys: Journeys, plan: PanelPlan) -> tuple[NDArray[np.generic], ...]:
    events = np.zeros((len(plan.streams), len(journeys.event.names)), np.bool_)
    conditions = max((len(stream.where) + len(stream.bounds) for stream in plan.streams), default=0)
    column = np.full((len(plan.streams), conditions), -1, np.int64)
    code = np.full((len(plan.streams), conditions), -1, np.int64)
    for index, stream in enumerate(plan.streams):
        events[index] = not stream.events
        for event in map(journeys.event.code, stream.events):
            if event >= 0:
                events[index, event] = True
        for condition, (name, level) in enumerate(stream.where):
            column[index, condition] = plan.categories.index(name)
            code[index, condition] = journeys.categories[name].code(level)
        for condition, bound in enumerate(stream.bounds, len(stream.where)):
            column[index, condition] = len(plan.categories) + plan.bounds.index(bound)
            code[index, condition] = 1
    return events, column, code, _roles(journeys, plan)


def _holds(journeys: Journeys, column: str | None, how: str, bound: float) -> NDArray[np.int32]:
    """1 where a row's number keeps the bound, else 0; a row without the number does not."""
    number = journeys.value if column is None else journeys.number(column)
    return (number >= bound if how == ">=" else number <= bound).astype(np.int32)


def _roles(journeys: Journeys, plan: PanelPlan) -> Ints:
    """What part each event plays: the one asked for, `FROM` and `TO` of a transition, or its stage in a funnel."""
    roles = np.zeros((len(plan.roles), len(journeys.event.names)), np.int64)
    for index, feature in enumerate(plan.roles):
        for stage, step in enumerate(feature.steps, 1):
            code = journeys.event.code(step)
            if code >= 0:
                part = (FROM, TO)[stage - 1] if feature.kind == "transitions" else stage
                roles[index, code] |= part
    return roles


def _attributes(profile: Profile, plan: PanelPlan) -> tuple[tuple[NDArray[np.generic], ...], Ints]:
    numbers, categories = list(profile.numbers), list(profile.categories)
    wanted = np.full((len(plan.attributes), 4), -1, np.int64)
    for index, (place, feature) in enumerate(plan.attributes):
        name = feature.column or ""
        if feature.kind == "attribute":
            wanted[index] = NUMBER, numbers.index(name) if name in numbers else -1, -1, place
        elif name in categories:
            code = profile.categories[name].code(feature.level or "")
            wanted[index] = LEVEL, categories.index(name), code, place
        else:
            wanted[index] = LEVEL, -1, -1, place
    columns = (
        profile.starts,
        profile.known,
        _stacked(list(profile.numbers.values()), np.float64),
        _stacked([category.codes for category in profile.categories.values()], np.int32),
    )
    return columns, wanted


def _stacked(columns: list[NDArray[Scalar]], kind: type[Scalar]) -> NDArray[Scalar]:
    """The columns as rows of one array; a single one is not copied."""
    if len(columns) == 1:
        return columns[0].reshape(1, -1)
    return np.stack(columns) if columns else np.zeros((0, 0), kind)
