"""Which column is customer, time, event and money: guessed from names, and held against what the columns hold.

A name proposes, the contents dispose: a column named `date` that holds no dates is no time, an empty `value` no money.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from features.init import vocabulary
from features.init.column_profile import ColumnProfile
from features.init.vocabulary import fit, parts, speaks_of

SURE = 0.5  # a score below this is no guess


@dataclass(frozen=True)
class Roles:
    """The columns without which there is no log; None where none was found."""

    customer: ColumnProfile | None
    time: ColumnProfile | None
    event: ColumnProfile | None

    @property
    def present(self) -> dict[str, ColumnProfile]:
        """The roles that were found."""
        named = {"customer": self.customer, "time": self.time, "event": self.event}
        return {role: column for role, column in named.items() if column is not None}

    @property
    def missing(self) -> tuple[str, ...]:
        """The roles that no column plays."""
        return tuple(role for role in ("customer", "time", "event") if role not in self.present)


def assign_roles(columns: Sequence[ColumnProfile]) -> Roles:
    """Customer, time and event, as far as columns were found for them."""
    event = best_column(columns, event_score)
    other_columns = [column for column in columns if column is not event]
    return Roles(
        customer=best_column(other_columns, _customer_score), time=best_column(other_columns, _time_score), event=event
    )


def money_column(columns: Sequence[ColumnProfile]) -> ColumnProfile | None:
    """The column of money; None when it is the price of one piece and another column counts the pieces."""
    column = best_column(columns, _value_score)
    return None if column is not None and is_unit_price(column) and quantity_column(columns) else column


def is_unit_price(column: ColumnProfile) -> bool:
    """Whether the name says that the money is for one piece."""
    return fit(column.name, vocabulary.PRICE) > 0


def quantity_column(columns: Iterable[ColumnProfile]) -> ColumnProfile | None:
    """The column that counts pieces."""
    return best_column(columns, lambda column: fit(column.name, vocabulary.QUANTITY) if column.is_whole else 0.0)


def best_column(columns: Iterable[ColumnProfile], score: Callable[[ColumnProfile], float]) -> ColumnProfile | None:
    """The column with the highest score, the first of equals; None when none is `SURE`."""
    scored = [(score(column), -column.place, column) for column in columns]
    highest = max(scored, key=lambda candidate: candidate[:2], default=None)
    return highest[2] if highest is not None and highest[0] >= SURE else None


def is_coded(column: ColumnProfile) -> bool:
    """Whether the name says that what looks like a number is a code; `number_of_…` counts something."""
    named = parts(column.name)
    return any(part in vocabulary.CODES and after != "of" for part, after in pairwise((*named, "")))


def event_score(column: ColumnProfile) -> float:
    """How surely a column says what happened: by its name, and by what it holds."""
    if column.is_time or not column.levels or column.filled_share < 0.9:
        return 0.0
    named = fit(column.name, vocabulary.EVENT, stray=0.3)
    if column.is_number:
        return named if named >= 0.9 and column.is_whole and column.distinct <= 50 else 0.0
    acts = sum(rows for level, rows in column.levels if speaks_of(level, vocabulary.ACTS)) / column.filled
    if named >= 0.8:
        return named + acts
    if named:
        return named + acts if acts >= 0.3 else 0.0
    place = fit(column.name, vocabulary.ACTION) or speaks_of(column.name, vocabulary.PLACES)
    return SURE if acts >= 0.8 and not place else 0.0


def _customer_score(column: ColumnProfile) -> float:
    fractional = column.is_number and not column.is_whole
    if column.is_time or fractional or column.filled_share < 0.5 or speaks_of(column.name, vocabulary.OF_A_KIND):
        return 0.0
    return fit(column.name, vocabulary.CUSTOMER, stray=0.1 if is_coded(column) else 0.45) * column.filled_share


def _time_score(column: ColumnProfile) -> float:
    if not column.is_time:
        return 0.0
    named = max(fit(column.name, vocabulary.TIME, stray=0.02), 0.6)
    doubts = 0.3 * (speaks_of(column.name, vocabulary.LATER) + (fit(column.name, vocabulary.KNOWN) > 0))
    return max(named - doubts - 0.2 * (column.distinct == 1), SURE) * column.filled_share


def _value_score(column: ColumnProfile) -> float:
    excluded = (
        is_coded(column) or speaks_of(column.name, vocabulary.NOT_MONEY) or fit(column.name, vocabulary.HINDSIGHT) > 0
    )
    if not column.is_number or excluded or fit(column.name, vocabulary.QUANTITY) or not (column.high or 0) > 0:
        return 0.0
    return fit(column.name, vocabulary.VALUE)
