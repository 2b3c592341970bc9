"""A feature of one's own in Python: a function of what one customer had done at the cutoff.

In the file that `[features] module` names,

    @feature(unit="days", text="longest silence between purchases")
    def longest_silence(seen: Seen) -> float:
        gaps = -np.diff(seen.days_ago[seen.event == "purchase"])
        return gaps.max() if len(gaps) else float("nan")

is the feature `custom_longest_silence`. It is given what was visible at the cutoff and nothing else, so it cannot look
ahead. Its number must follow from that alone (no clock, no chance, nothing kept from call to call), else batch and
service part.
"""

import inspect
import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats, Ints, Strings
from features.errors import ConfigError, FeatureError
from features.journeys import Category, Journeys
from features.timeline import DAY_US, iso, visible

NULL = np.array([None], object)


@dataclass(frozen=True, eq=False)
class VisibleRows:
    """What one customer had done, as it was known at `cutoff`: an entry a row, oldest first. Every array is read-only.

    Times are µs UTC. `value` is money, negative for a refund; what is not there is NaN, in `event` and `categories`
    None. Columns of the log go by their names: `seen.categories["channel"]`, `seen.numbers["quantity"]`.
    """

    cutoff: int
    time: Ints
    event: Strings
    value: Floats
    categories: Mapping[str, Strings] = field(default_factory=dict)
    numbers: Mapping[str, Floats] = field(default_factory=dict)
    _orders: Ints | None = None  # as the journey numbers them, which rows unseen have a part in

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def days_ago(self) -> Floats:
        """Days from each row to the cutoff."""
        return _locked((self.cutoff - self.time) / DAY_US)

    @cached_property
    def occurrence(self) -> Ints:
        """The number of each row's occurrence, from 0 in order of appearance: rows of one order share one."""
        if self._orders is None:
            return _locked(np.arange(len(self), dtype=np.int64))
        _, first, place = np.unique(self._orders, return_index=True, return_inverse=True)
        return _locked(np.argsort(np.argsort(first))[place])


Compute = Callable[[VisibleRows], float]


@dataclass(frozen=True)
class FunctionFeature:
    """A feature that a function gives. What the function does is known by the digest of its `UserModule`."""

    function: str
    unit: str
    text: str

    @property
    def name(self) -> str:
        """The feature's name."""
        return f"custom_{self.function}"


@dataclass(frozen=True)
class Function:
    """What `feature` makes of a function: the feature and how it is computed."""

    custom: FunctionFeature
    compute: Compute

    def __call__(self, seen: VisibleRows) -> float:
        """The number, for trying a function out."""
        return self.compute(seen)


@dataclass(frozen=True)
class UserModule:
    """The file that functions come from. Equal digests are equal modules.

    A bundle holds the digest only; `functions` by name are there once the file has been read.
    """

    digest: str
    name: str = field(default="", compare=False)
    source: bytes = field(default=b"", compare=False, repr=False)
    functions: Mapping[str, Compute] = field(default_factory=dict, compare=False, repr=False)


def feature(*, unit: str, text: str) -> Callable[[Compute], Function]:
    """Make a feature of the function below: `unit` is what it is counted in, `text` what reasons say of it."""
    _check_words("unit", unit)
    _check_words("text", text)

    def decorate(compute: Compute) -> Function:
        name = getattr(compute, "__name__", repr(compute))
        if not name.isidentifier():
            raise ConfigError(f"@feature: expected a function with a name, got {name}; write it with `def`")
        _check_signature(name, compute)
        return Function(FunctionFeature(name, unit, text), compute)

    return decorate


def fill(
    journeys: Journeys,
    rows: tuple[Ints, Ints],
    placed: Sequence[tuple[int, FunctionFeature]],
    module: UserModule,
    values: Floats,
) -> None:
    """Write each feature at its place into the `values` of these rows (customers and cutoffs)."""
    functions = [(place, custom, _function(custom, module)) for place, custom in placed]
    for row, (customer, seen) in enumerate(_visible_to_each_row(journeys, *rows)):
        for place, custom, compute in functions:
            try:
                values[row, place] = _number(compute(seen))
            except Exception as error:
                feature_at = f"{custom.name} of customer '{journeys.customers[customer]}' at {iso(seen.cutoff)}"
                raise FeatureError(f"{feature_at}: {raised(error, module.name)}; mend the function") from error


def raised(error: BaseException, file: str) -> str:
    """What was raised, and in which line of the file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    message = str(error) if isinstance(error, _NoNumberError) else f"{type(error).__name__}: {error}"
    return f"{file} line {lines[-1]}: {message}" if lines else f"{file}: {message}" if file else message


class _NoNumberError(ValueError):
    """A function gave something else."""


def _number(value: object) -> float:
    if not isinstance(value, (Real, np.bool_)):
        raise _NoNumberError(f"expected a number, NaN for nothing, got {value!r}")
    number = float(value)
    if math.isinf(number):
        raise _NoNumberError(f"expected a finite number or NaN, got {number}")
    return math.nan if math.isnan(number) else number + 0.0  # one NaN and one zero, whatever their signs


def _function(custom: FunctionFeature, module: UserModule) -> Compute:
    try:
        return module.functions[custom.function]
    except KeyError:
        raise ConfigError(
            f"expected the function of {custom.name}, found none: the module with SHA-256 {module.digest[:12]}… has "
            "not been read; name its file in [features] module"
        ) from None


def _check_words(name: str, words: object) -> None:
    if not isinstance(words, str) or not words.strip():
        raise ConfigError(f"@feature: expected `{name}` in words, got {words!r}")


def _check_signature(name: str, compute: Compute) -> None:
    signature = inspect.signature(compute)
    try:
        signature.bind(None)
    except TypeError:
        raise ConfigError(f"@feature: expected a function of one value, `def {name}(seen)`, got {signature}") from None


def _visible_to_each_row(journeys: Journeys, customers: Ints, cutoffs: Ints) -> Iterator[tuple[int, VisibleRows]]:
    """Every row's customer, and what was visible at its cutoff."""
    event, value = _names(journeys.event), _locked(journeys.value)
    time, known = _locked(journeys.time), journeys.known
    categories = {name: _names(column) for name, column in journeys.categories.items()}
    numbers = {name: _locked(column) for name, column in journeys.numbers.items()}
    orders = None if journeys.occurrence is None else _locked(journeys.occurrence)
    for customer, cutoff in zip(customers.tolist(), cutoffs.tolist(), strict=True):
        start, end = int(journeys.starts[customer]), int(journeys.starts[customer + 1])
        rows = _visible_index(visible(time[start:end], known[start:end], cutoff), start)
        yield (
            customer,
            VisibleRows(
                cutoff=cutoff,
                time=_locked(time[rows]),
                event=_locked(event[rows]),
                value=_locked(value[rows]),
                categories=MappingProxyType({name: _locked(column[rows]) for name, column in categories.items()}),
                numbers=MappingProxyType({name: _locked(column[rows]) for name, column in numbers.items()}),
                _orders=None if orders is None else _locked(orders[rows]),
            ),
        )


def _visible_index(is_visible: NDArray[np.bool_], start: int) -> slice | Ints:
    """Where the visible rows lie: mostly all up to one of them, which costs no copy."""
    count = int(np.count_nonzero(is_visible))
    return slice(start, start + count) if is_visible[:count].all() else np.flatnonzero(is_visible) + start


def _names(column: Category) -> Strings:
    return _locked(np.concatenate([column.names, NULL])[column.codes])  # the code of a null is -1


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
