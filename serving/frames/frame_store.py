"""A data frame as a store: the events of a frame, ingested like any log, for as long as a `with` block runs.

So all that holds of a log holds of a frame: what a cell may be, one event an id, occurrences, and global counts.
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
def store_of_frame(frame: pd.DataFrame, log_config: Config, features: FeatureSet) -> Iterator[tuple[Store, Config]]:
    """A store of the frame's events, and the configuration it was made with, which names columns as `log_config` does.

    Columns that are attributes in `features` become the profile, one row a customer, known from the beginning.

    Raises:
        RequestError: a column is missing, or a row cannot be read.
    """
    columns = list(dict.fromkeys(log_columns(log_config).values()))
    attributes = [name for name in _attributes(features) if name in frame.columns and name not in columns]
    if missing := [name for name in _attributes(features) if name not in frame.columns]:
        logger.warning(
            "the model reads profile attributes that the frame does not hold; they are null: %s", ", ".join(missing)
        )
    _refuse_wrong_columns(frame, columns, [*columns, *_attributes(features)])
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        log = log_config.log.model_copy(update={"source": ("log.parquet",)})
        profile = log_config.profile
        pq.write_table(_table(frame[columns]), folder / "log.parquet")
        if attributes:
            pq.write_table(_profile(frame, log.customer, attributes), folder / "profile.parquet")
            profile = profile.model_copy(update={"source": ("profile.parquet",), "customer": log.customer})
        config = log_config.model_copy(update={"folder": folder, "log": log, "profile": profile})
        try:
            report = ingest(config, clock=lambda: LAST)
        except LogError as error:
            _refuse_bad_rows(frame[columns], log_config)
            raise RequestError(f"the frame cannot be read as a log: {error}") from error
        if report.quarantined:
            _refuse_bad_rows(frame[columns], log_config)
            reasons = ", ".join(f"{count:,} × {reason}" for reason, count in report.quarantined.items())
            raise RequestError(f"expected rows that can be read, found {reasons}; correct them or leave them out")
        yield Store.open(config.workspace_path, config), config


def _attributes(features: FeatureSet) -> tuple[str, ...]:
    """Attributes of customers that features read."""
    columns = (feature.column for feature in features.declared if feature.kind in PROFILE)
    return tuple(dict.fromkeys(name for name in columns if name))


def _refuse_wrong_columns(frame: pd.DataFrame, columns: Sequence[str], known: Sequence[str]) -> None:
    """A column that is missing would be nulls in silence; others are not read."""
    names = [str(name) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1} & set(known))
    if repeated:
        raise RequestError(f"expected every column once, found '{repeated[0]}' twice; leave one out")
    for name in columns:
        if name not in frame.columns:
            unknown = [column for column in names if column not in known]
            hint = did_you_mean(name, unknown) if unknown else f"found only {', '.join(names)}"
            raise RequestError(
                f"expected the log's column '{name}' in the frame, found none; {hint}; a column without "
                "values may stay empty"
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
    profiles = frame[[customer, *attributes]].drop_duplicates()
    repeated = profiles[customer][profiles[customer].duplicated()]
    if len(repeated):
        raise RequestError(
            f"expected one value of {', '.join(attributes)} for each customer, found several for {repeated.iloc[0]!r}; "
            "give those of the as-of"
        )
    return _table(profiles)


def _refuse_bad_rows(frame: pd.DataFrame, log_config: Config) -> None:
    """The first row that cannot be read, with the message that one event gets over HTTP."""
    for number, row in enumerate(_table(frame).to_pylist()):
        _check(row, number, log_config)


def _check(row: Mapping[str, Any], number: int, log_config: Config) -> None:
    try:
        merge(None, row[log_config.log.customer], [row], log_config)
    except RequestError as error:
        raise RequestError(f"row {number}: {str(error).removeprefix('events[0].')}") from None
