"""A data frame in, score records out: what a bundle in MLflow's registry predicts, without store and TOML.

A frame is a log, with the log's own column names, and all that is known of its customers. Or it is a panel:
`customer_id`, `cutoff`, and the columns that the bundle's features and its population are named for.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from features.arrays import Ints, Strings
from features.config.sections import Config
from features.errors import BundleError, RequestError, did_you_mean
from features.language.feature_set import FeatureSet
from features.log import cells
from features.panel.build import Panel, Rows
from features.sets.user_module import read
from models.bundle import REMEDY, equipped, load
from serving.frames.frame_store import store_of_frame
from serving.score import frame as as_frame
from serving.scoring.as_of import LogEnd, resolve_as_of
from serving.scoring.score_journeys import ScoringOptions, score_journeys, score_panel
from serving.scoring.scores import Scores
from serving.scoring.served_model import ServedBundle, with_global_counts

CUSTOMER, CUTOFF = "customer_id", "cutoff"  # of a panel
NO_LOG = 0  # the log's position in a score id: there is none


@dataclass(frozen=True, eq=False)
class Frames:
    """A bundle in service, and the part of a configuration that names the log's columns."""

    served: ServedBundle
    log_config: Config

    @staticmethod
    def open(artifacts: Mapping[str, Path], digests: Mapping[str, str], version: str) -> "Frames":
        """The `bundle`, the names of the `log` and the `module` of an MLflow model.

        Raises:
            BundleError: a byte is another than it was, or this version computes the features differently.
        """
        log = json.loads(_checked(artifacts["log"], digests["log"]))
        bundle = load(artifacts["bundle"], digests["bundle"])
        module = bundle.features.module
        if module is not None:
            source = _checked(artifacts["module"], module.digest)
            bundle = equipped(bundle, read(artifacts["module"].name, source, log["timezone"]))
        log_config = Config.model_validate({"folder": Path(), "log": log})
        return Frames(ServedBundle(bundle, version or bundle.digest[:12]), log_config)

    def predict(
        self,
        frame: pd.DataFrame,
        *,
        as_of: str | None = None,
        reasons: bool = False,
        model_from_the_future: bool = False,
    ) -> pd.DataFrame:
        """The score records of a log's customers in the order of their ids, or of a panel's rows in theirs.

        `as_of` is an ISO date or time, by default when the newest event became known, or the model was trained if
        that was later; a panel has its cutoffs.

        Raises:
            RequestError: the frame is neither, a cell cannot be read, or the model was trained after the as-of.
        """
        if not len(frame):
            raise RequestError("expected a data frame with rows of a log or of a panel, found no rows")
        options = ScoringOptions(0, NO_LOG, True, reasons, model_from_the_future)
        is_log = bool({self.log_config.log.time, self.log_config.log.event} & set(frame.columns))
        if CUTOFF not in frame.columns or is_log:
            return self._of_log(frame, as_of, options)
        if as_of is not None:
            raise RequestError(
                f"expected no as_of beside a panel, got '{as_of}'; leave it out, the as-of of a row is its cutoff"
            )
        return self._of_panel(frame, options)

    def _of_log(self, frame: pd.DataFrame, as_of: str | None, options: ScoringOptions) -> pd.DataFrame:
        with store_of_frame(frame, self.log_config, self.served.bundle.features) as (frame_store, config):
            store = with_global_counts(frame_store, (self.served,))
            newest = max(store.newest_known, self.served.bundle.trained_as_of_us)
            as_of_us = resolve_as_of(config, store, newest if as_of is None else as_of)
            options = replace(options, as_of_us=as_of_us, log_end_us=LogEnd.of(config, store).at(as_of_us))
            records = as_frame(score_journeys(journeys, (self.served,), options) for journeys in store.buckets())
        return records.sort_values(CUSTOMER, kind="stable", ignore_index=True)

    def _of_panel(self, frame: pd.DataFrame, options: ScoringOptions) -> pd.DataFrame:
        customers, cutoffs = _customers(frame), _cutoffs(frame, self.log_config.log.timezone)
        row_numbers: list[Ints] = []

        def parts() -> Iterator[Scores]:
            for cutoff in np.unique(cutoffs).tolist():
                row_numbers.append(np.flatnonzero(cutoffs == cutoff))
                rows = frame.iloc[row_numbers[-1]]
                panel = _panel(rows, self.served.bundle.features, cutoff)
                population = _panel(rows, self.served.population_features, cutoff)
                at_cutoff = replace(options, as_of_us=cutoff)
                yield score_panel(customers[row_numbers[-1]], panel, population, self.served, at_cutoff)

        records = as_frame(parts())
        heads = len(records) // len(frame)
        order = np.argsort(np.repeat(np.concatenate(row_numbers), heads), kind="stable")
        return records.iloc[order].reset_index(drop=True)


def _checked(path: Path, expected: str) -> bytes:
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != expected:
        raise BundleError(f"{path} was changed: expected SHA-256 {expected[:12]}…, found {sha256[:12]}…; {REMEDY}")
    return data


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame.columns:
        raise RequestError(
            f"expected the column '{name}' in the panel, found none; {did_you_mean(name, frame.columns)}"
        )
    return frame[name]


def _customers(frame: pd.DataFrame) -> Strings:
    try:
        return np.array([cells.customer(value) for value in _column(frame, CUSTOMER).tolist()], object)
    except ValueError as error:
        raise RequestError(f"{CUSTOMER}: expected ids, found one that is {error}") from None


def _cutoffs(frame: pd.DataFrame, timezone: str) -> Ints:
    """µs UTC."""
    column = _column(frame, CUTOFF)
    try:
        times = {value: cells.time(value, timezone) for value in column.unique().tolist()}
    except ValueError as error:
        raise RequestError(f"{CUTOFF}: expected dates or times, found one that is {error}") from None
    return np.array([times[value] for value in column.tolist()], np.int64)


def _panel(rows: pd.DataFrame, features: FeatureSet, cutoff: int) -> Panel:
    columns = np.empty((len(rows), len(features)))
    for position, name in enumerate(features.names):
        try:
            columns[:, position] = _column(rows, name).to_numpy(np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise RequestError(f"expected numbers in the column '{name}' of the panel: {error}") from None
    return Panel(Rows.grid(len(rows), np.array([cutoff], np.int64)), columns, features)
