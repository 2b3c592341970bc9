"""A data frame as a store: the events of a frame, ingested like any log, for as long as a question takes.

So all that holds of a log holds of a frame: what a cell may be, one event an id, occurrences, and what everybody did.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.config.sections import Config
from features.errors import LogError, RequestError, did_you_mean
from features.ingest.run import ingest
from features.language.feature_set import FeatureSet
from features.language.kinds import PROFILE
from features.log.validate import log_columns
from features.store.merge import merge
from features.store.reader import Store
from features.timeline import instant

logger = logging.getLogger(__name__)
LAST = instant("2100-01-01")  # no event is too late: what is after the as-of is not seen


@contextmanager
def stored(frame: pd.DataFrame, names: Config, features: FeatureSet) -> Iterator[tuple[Store, Config]]:
    """A store of the frame's events, and the configuration it was made with, which knows columns as `names` does.

    Columns that are attributes in `features` become the profile, one row a customer, known from the beginning.

    Raises:
        RequestError: a column is missing, or a row can not be read.
    """
    columns = list(dict.fromkeys(log_columns(names).values()))
    attributes = [name for name in _attributes(features) if name in frame.columns and name not in columns]
    if missing := [name for name in _attributes(features) if name not in frame.columns]:
        logger.warning("the model reads %s of a profile, which the frame does not hold: null", ", ".join(missing))
    _refuse_strangers(frame, columns, [*columns, *_attributes(features)])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        log = names.log.model_copy(update={"source": ("log.parquet",)})
        profile = names.profile
        pq.write_table(_table(frame[columns]), folder / "log.parquet")
        if attributes:
            pq.write_table(_profile(frame, log.customer, attributes), folder / "profile.parquet")
            profile = profile.model_copy(update={"source": ("profile.parquet",), "customer": log.customer})
        config = names.model_copy(update={"folder": folder, "log": log, "profile": profile})
        try:
            report = ingest(config, clock=lambda: LAST)
        except LogError as error:
            _refuse_bad_rows(frame[columns], names)
            raise RequestError(f"the frame cannot be read as a log: {error}") from error
        if report.quarantined:
            _refuse_bad_rows(frame[columns], names)
            reasons = ", ".join(f"{count:,} × {reason}" for reason, count in report.quarantined.items())
            raise RequestError(f"expected rows that can be read, found {reasons}; correct them or leave them out")
        yield Store.open(config.workspace_path, config), config


def _attributes(features: FeatureSet) -> tuple[str, ...]:
    """Attributes of customers that features read."""
    found = (feature.column for feature in features.declared if feature.kind in PROFILE)
    return tuple(dict.fromkeys(name for name in found if name))


def _refuse_strangers(frame: pd.DataFrame, columns: Sequence[str], known: Sequence[str]) -> None:
    """A column that is missing would be nulls in silence; others are not read."""
    found = [str(name) for name in frame.columns]
    twice = sorted({name for name in found if found.count(name) > 1} & set(known))
    if twice:
        raise RequestError(f"expected every column once, found '{twice[0]}' twice; leave one out")
    for name in columns:
        if name not in frame.columns:
            strange = [other for other in found if other not in known]
            hint = did_you_mean(name, strange) if strange else f"found only {', '.join(found)}"
            raise RequestError(
                f"expected the log's column '{name}' in the frame, found none; {hint}; a column of which nothing is "
                "known may be empty"
            )


def _table(frame: pd.DataFrame) -> pa.Table:
    """The frame as Arrow; a column without any value is one of text."""
    columns = {}
    for name in frame.columns:
        try:
            column = _array(frame[name])
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise RequestError(
                f"expected values of one kind in the column '{name}', found several ({error}); make them text"
            ) from None
        columns[name] = column.cast(pa.string()) if pa.types.is_null(column.type) else column
    return pa.table(columns)


def _array(column: "pd.Series[Any]") -> pa.Array:
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        return pa.array(column, from_pandas=True)
    naive = pa.array(column.dt.tz_convert(None), from_pandas=True)
    return naive.cast(pa.timestamp(naive.type.unit, "UTC"))


def _profile(frame: pd.DataFrame, customer: str, attributes: Sequence[str]) -> pa.Table:
    each = frame[[customer, *attributes]].drop_duplicates()
    twice = each[customer][each[customer].duplicated()]
    if len(twice):
        raise RequestError(
            f"expected one value of {', '.join(attributes)} for each customer, found several for {twice.iloc[0]!r}; "
            "give those of the as-of"
        )
    return _table(each)


def _refuse_bad_rows(frame: pd.DataFrame, names: Config) -> None:
    """The first row that cannot be read, in the words of the rules for one event."""
    for number, row in enumerate(_table(frame).to_pylist()):
        _check(row, number, names)


def _check(row: Mapping[str, Any], number: int, names: Config) -> None:
    try:
        merge(None, row[names.log.customer], [row], names)
    except RequestError as error:
        raise RequestError(f"row {number}: {str(error).removeprefix('events[0].')}") from None
