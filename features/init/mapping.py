"""What every other column of a log is, once its customer, time and event are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from features.init import vocabulary
from features.init.column_profile import LEVELS, ColumnProfile
from features.init.relations import follows_time, later_share, measure_grouping, rows_by_event, unique_share
from features.init.roles import Roles, best_column, is_coded
from features.init.vocabulary import fit, is_nothing, parts, speaks_of
from features.system import duck

MOST_CATEGORIES = 16
MOST_ACTIONS = 50
CATEGORY, NUMBER = "category", "number"


@dataclass(frozen=True)
class Action:
    """A column that names what was done to a customer, in the rows of one event."""

    column: str
    event: str
    levels: tuple[str, ...]  # the commonest first
    nothing: str | None  # the level that is doing nothing
    probability: str | None


@dataclass(frozen=True)
class Mapping:
    """What each column is; `left_out` pairs the others with the reason."""

    customer: str
    time: str
    event: str
    value: str | None = None
    order: str | None = None
    known: str | None = None
    id: str | None = None
    text: str | None = None
    action: Action | None = None
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


def map_columns(
    connection: duck.Connection, columns: Sequence[ColumnProfile], column_roles: Roles, value: ColumnProfile | None
) -> Mapping:
    """The whole mapping, once `relations.sample_journeys` has made its view."""
    named = column_roles.present | ({"value": value} if value else {})
    for role, score in _OPTIONAL.items():
        candidates = [column for column in columns if column.filled and column not in named.values()]
        chosen = best_column(candidates, partial(score, connection))
        named |= {role: chosen} if chosen else {}
    action = _find_action(connection, [column for column in columns if column not in named.values()])
    used = {action.column, action.probability} if action else set()
    unassigned = [column for column in columns if column not in named.values() and column.name not in used]
    verdicts = {column.name: _classify(connection, column) for column in unassigned}
    categories = [name for name, verdict in verdicts.items() if verdict == CATEGORY]
    verdicts |= dict.fromkeys(categories[MOST_CATEGORIES:], f"not among the first {MOST_CATEGORIES} categories")
    return Mapping(
        **{role: column.name for role, column in named.items()},
        action=action,
        categories=tuple(categories[:MOST_CATEGORIES]),
        numbers=tuple(name for name, verdict in verdicts.items() if verdict == NUMBER),
        left_out=tuple((name, reason) for name, reason in verdicts.items() if reason not in (CATEGORY, NUMBER)),
    )


def _known_score(connection: duck.Connection, column: ColumnProfile) -> float:
    named = fit(column.name, vocabulary.KNOWN) if column.is_time else 0.0
    return named if named and later_share(connection, column) >= 0.99 else 0.0


def _id_score(connection: duck.Connection, column: ColumnProfile) -> float:
    whole_name = {"id"} == set(parts(column.name))
    named = 0.9 if whole_name else fit(column.name, vocabulary.IDENTITY) if is_coded(column) else 0.0
    return named if named and column.filled_share >= 0.99 and unique_share(connection, column) >= 0.95 else 0.0


def _order_score(connection: duck.Connection, column: ColumnProfile) -> float:
    """By name if it groups rows at all; by contents alone if every moment of a customer has one and shares it."""
    fractional = column.is_number and not column.is_whole
    if (
        column.is_time
        or fractional
        or speaks_of(column.name, vocabulary.OF_A_KIND)
        or fit(column.name, vocabulary.SESSION)
    ):
        return 0.0
    named = fit(column.name, vocabulary.ORDER)
    if named < 0.7 and (column.distinct < 50 or (column.is_number and not is_coded(column))):
        return 0.0
    groups = measure_grouping(connection, column)
    if named >= 0.7:
        return named if groups.rows_each >= 1.01 and groups.one_day >= 0.95 else 0.0
    each_moment = groups.one_time >= 0.98 and 0.8 <= groups.moments <= 1.25
    return 0.5 if each_moment and groups.rows_each >= 1.2 and groups.per_customer >= 1.2 else 0.0


def _text_score(_: duck.Connection, column: ColumnProfile) -> float:
    return (
        fit(column.name, vocabulary.TEXT)
        if column.length >= 15 and not column.is_number and not column.is_time
        else 0.0
    )


_OPTIONAL = {"known": _known_score, "id": _id_score, "order": _order_score, "text": _text_score}


def _find_action(connection: duck.Connection, columns: Sequence[ColumnProfile]) -> Action | None:
    """A campaign that nearly all rows of one event name: an event that contacts, or whose probability was logged."""
    probability = best_column(columns, _probability_score)
    for column in columns:
        if fit(column.name, vocabulary.ACTION) < 0.8 or not 2 <= len(column.levels) <= MOST_ACTIONS:
            continue
        event_rows = rows_by_event(connection, column)
        event, rows, total = event_rows[0]
        alone = rows >= 0.9 * sum(row[1] for row in event_rows) and rows >= 0.8 * total
        logged = probability and rows_by_event(connection, probability)[0][:1] == (event,)
        if alone and (logged or speaks_of(event, vocabulary.CONTACT)):
            levels = tuple(level for level, _ in column.levels)
            nothing = next((level for level in levels if is_nothing(level)), None)
            return Action(column.name, event, levels, nothing, probability.name if probability and logged else None)
    return None


def _probability_score(column: ColumnProfile) -> float:
    possible = column.is_number and (column.low or 0) >= 0 and 0 < (column.high or 0) <= 1
    return fit(column.name, vocabulary.PROBABILITY) if possible else 0.0


def _classify(connection: duck.Connection, column: ColumnProfile) -> str:
    """`CATEGORY`, `NUMBER`, or why the column is neither."""
    for holds, reason in _REASONS:
        if holds(column):
            return reason
    if column.is_number and not is_coded(column):
        return NUMBER
    if column.distinct > 20 and 0.99 < measure_grouping(connection, column).per_customer < 1.01:
        return "one value for each customer, as the customer column has"
    if column.distinct <= 50 and follows_time(connection, column):
        return "its values follow one another in time, so it repeats what the time says"
    return next((reason for holds, reason in _REASONS_OF_TEXT if holds(column)), CATEGORY)


_REASONS: list[tuple[Callable[[ColumnProfile], bool], str]] = [
    (lambda column: column.nested > 0, "holds lists or objects"),
    (lambda column: column.filled == 0, "is empty"),
    (lambda column: column.distinct == 1, "is the same in every row"),
    (lambda column: column.is_time, "a second time; set `known` to it if it says when the row reached you"),
    (
        lambda column: fit(column.name, vocabulary.PROBABILITY) >= 0.8,
        "a probability, but no column of actions goes with it",
    ),
    (
        lambda column: fit(column.name, vocabulary.HINDSIGHT) >= 0.8,
        "may have been set after the event, and so give the future away",
    ),
    (lambda column: fit(column.name, vocabulary.SESSION) >= 0.8, "names a visit; no feature reads visits"),
    (
        lambda column: is_coded(column) and fit(column.name, vocabulary.ORDER) >= 0.7,
        "names an order, but groups no rows",
    ),
]
_REASONS_OF_TEXT: list[tuple[Callable[[ColumnProfile], bool], str]] = [
    (lambda column: column.distinct_share > 0.9, "nearly every row has another value"),
    (lambda column: column.length > 60, "long text; if customers wrote it, set `text` to this column"),
    (lambda column: column.length > 20 and column.distinct > LEVELS, "long names, and many of them"),
]
