"""Scores in Python: `score(config)` gives a data frame with the columns of the score record."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from features.config.sections import Config
from features.store.reader import Store
from serving.contract.arrow import SCHEMA
from serving.scoring.arrow_table import record_batch
from serving.scoring.as_of import LogEnd, resolve_as_of
from serving.scoring.champions import champions
from serving.scoring.online import Customer, Online, ScoreQuery
from serving.scoring.score_journeys import ScoringOptions, score_known_customers
from serving.scoring.scores import Scores
from serving.scoring.served_model import with_global_counts


def score(
    config: Config,
    tasks: Sequence[str] | None = None,
    *,
    as_of: str | datetime | int | None = None,
    customers: Sequence[str] | None = None,
    events: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    reasons: bool = False,
    model_from_the_future: bool = False,
) -> pd.DataFrame:
    """One row per customer, task and horizon: of everybody known at `as_of`, or of the named customers in their order.

    `events` adds events of named customers, as rows by the log's own column names, as if they had been ingested.
    `as_of` is an ISO date or time, or µs UTC; by default the instant where the log ends.
    """
    served = champions(config, tasks)
    store = with_global_counts(Store.open(config.workspace_path, config), served)
    as_of = None if as_of is None else resolve_as_of(config, store, as_of)
    if customers is None and events is None:
        as_of_us = resolve_as_of(config, store, as_of)
        log_end_us = LogEnd.of(config, store).at(as_of_us)
        options = ScoringOptions(as_of_us, store.log_position, False, reasons, model_from_the_future, log_end_us)
        return frame(score_known_customers(journeys, served, options) for journeys in store.buckets())
    events_of = events or {}
    named = [Customer(name, events_of.get(name, ())) for name in dict.fromkeys([*(customers or ()), *events_of])]
    return frame(Online(config, store, served).scores(named, ScoreQuery(None, as_of, reasons, model_from_the_future)))


def frame(parts: Iterator[Scores]) -> pd.DataFrame:
    """Scores as a data frame with the contract's columns."""
    batches = [pa.Table.from_batches([record_batch(scores)]).cast(SCHEMA) for scores in parts]
    table = pa.concat_tables(batches) if batches else SCHEMA.empty_table()
    return pd.DataFrame(table.to_pandas())
