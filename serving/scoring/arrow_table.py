"""Scores as Arrow: the columns of the Parquet file, built without a Python step per row.

Rows run by customer, then by head. Words that repeat are dictionary-coded in memory; in the file and in every reader
they are plain strings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.arrays import Floats
from models.predictor.predictor import BAND_EDGES, BANDS
from models.score_record import FLAGS
from serving.contract.arrow import SCHEMA
from serving.scoring.judge import DETAILS
from serving.scoring.scores import NUMBERS, Head, Judged, Scores

DETAIL_NUMBERS = (*DETAILS, "median")
WORDS = ("customer_id", "task", "kind", "band", "action", "model_version", "rung", "grade", "score_id")
CODED = pa.dictionary(pa.int32(), pa.string())
CODED_SCHEMA = pa.schema([field.with_type(CODED) if field.name in WORDS else field for field in SCHEMA])
DETAILS_TYPE = SCHEMA.field("details").type
Mask = NDArray[np.bool_]
Items = tuple[Mask, Mapping[str, NDArray[Any]]]


def record_batch(scores: Scores) -> pa.RecordBatch:
    """All score records, with the contract's columns in its order."""
    heads = [judged.head for judged in scores.judged]
    count = len(scores.customers)
    numbers = {name: _column([judged.numbers[name] for judged in scores.judged]) for name in NUMBERS}
    band = np.searchsorted(BAND_EDGES, numbers["percentile"], side="right")
    columns = {
        "customer_id": _coded(np.repeat(np.arange(count), len(heads)), scores.customers.tolist()),
        **{
            name: _of_head(heads, count, name)
            for name in ("task", "kind", "model_version", "rung", "grade", "score_id")
        },
        "horizon_days": pa.array(np.tile(np.array([head.horizon_days for head in heads], np.int32), count)),
        "as_of": _instants(np.full(len(scores), scores.as_of_us)),
        "expires_at": _instants(np.tile(np.array([head.expires_at_us for head in heads], np.int64), count)),
        **{name: _floats(values) for name, values in numbers.items()},
        "band": _coded(np.where(np.isnan(numbers["percentile"]), -1, band), BANDS),
        "action": _action(scores),
        "action_probability": _floats(_column([_probability(judged) for judged in scores.judged])),
        "ranking": _Lists.of(scores, _ranking).array(SCHEMA.field("ranking").type),
        "reasons": _reasons(scores),
        "details": _details(scores),
        "flags": _flags(scores),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in CODED_SCHEMA.names], schema=CODED_SCHEMA)


def _column(said: Sequence[Floats]) -> Floats:
    """What every head said of every customer, in the order of the records."""
    return np.stack(said, axis=1).ravel()


def _floats(values: Floats) -> pa.Array:
    return pa.array(values, from_pandas=True)  # NaN is null


def _instants(values: Floats | NDArray[np.int64]) -> pa.Array:
    """µs UTC; NaN is null."""
    unknown = np.isnan(values)
    return pa.array(np.where(unknown, 0, values).astype(np.int64), mask=unknown).cast(SCHEMA.field("as_of").type)


def _coded(codes: NDArray[np.integer[Any]], words: Sequence[str]) -> pa.DictionaryArray:
    """Words by their codes; -1 is null."""
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32), mask=codes < 0), pa.array(words, pa.string())
    )


def _of_head(heads: Sequence[Head], count: int, name: str) -> pa.DictionaryArray:
    spoken = [getattr(head, name) for head in heads]
    words = list(dict.fromkeys(spoken))
    return _coded(np.tile(np.array([words.index(word) for word in spoken], np.int32), count), words)


def _probability(judged: Judged) -> Floats:
    if judged.ranked is None:
        return np.full(len(judged.flags), np.nan)
    return np.where(judged.scored, judged.ranked.chosen.probability, np.nan)


def _flags(scores: Scores) -> pa.ListArray:
    raised = np.stack([judged.flags for judged in scores.judged], axis=1).reshape(len(scores), len(FLAGS))
    words = pa.array(FLAGS, pa.string()).take(pa.array(np.nonzero(raised)[1]))
    return pa.ListArray.from_arrays(_offsets(raised.sum(axis=1)), words)


def _details(scores: Scores) -> pa.StructArray:
    """What the heads say beyond the score; null where none says anything."""
    unsaid = np.full(len(scores.customers), np.nan)
    numbers = {name: _column([judged.parts.get(name, unsaid) for judged in scores.judged]) for name in DETAIL_NUMBERS}
    quantiles, actions = _Lists.of(scores, _quantiles), _Lists.of(scores, _actions)
    children = {
        **{name: _floats(values) for name, values in numbers.items()},
        "quantiles": quantiles.array(DETAILS_TYPE.field("quantiles").type),
        "actions": actions.array(DETAILS_TYPE.field("actions").type),
        "next_order_at": _instants(_column([judged.parts.get("next_order_at", unsaid) for judged in scores.judged])),
    }
    silent = np.logical_and.reduce(
        [~quantiles.present, ~actions.present, *(np.isnan(values) for values in numbers.values())]
    )
    fields = list(DETAILS_TYPE)
    return pa.StructArray.from_arrays([children[field.name] for field in fields], fields=fields, mask=pa.array(silent))


def _quantiles(judged: Judged) -> Items | None:
    if judged.quantiles is None:
        return None
    levels = np.broadcast_to(np.array(judged.levels), judged.quantiles.shape)
    return ~np.isnan(judged.quantiles[:, 0]), {"level": levels, "value": judged.quantiles}


def _actions(judged: Judged) -> Items | None:
    if judged.ranked is None:
        return None
    actions, chosen = judged.ranked.actions, judged.ranked.chosen
    values = {"value": chosen.value, "gain": chosen.gain, "low": chosen.gain_low, "high": chosen.gain_high}
    return judged.scored, {"action": np.broadcast_to(np.array(actions, object), chosen.value.shape), **values}


def _ranking(judged: Judged) -> Items | None:
    if judged.ranked is None:
        return None
    return judged.scored, {"": np.array(judged.ranked.actions, object)[judged.ranked.chosen.order]}


def _action(scores: Scores) -> pa.DictionaryArray:
    """The first of each ranking."""
    words = [action for judged in scores.judged if judged.ranked for action in judged.ranked.actions]
    codes = np.full((len(scores.customers), len(scores.judged)), -1)
    start = 0
    for head, judged in enumerate(scores.judged):
        if judged.ranked is not None:
            codes[:, head] = np.where(judged.scored, judged.ranked.chosen.order[:, 0] + start, -1)
            start += len(judged.ranked.actions)
    return _coded(codes.ravel(), words)


@dataclass(frozen=True, eq=False)
class _Lists:
    """A list column: which records have a list, how long each is, and the items of all of them in their order."""

    present: Mask  # per record
    lengths: NDArray[np.int64]  # per record
    items: Mapping[str, NDArray[Any]]  # by field; "" when the items are no structs

    @staticmethod
    def of(scores: Scores, speak: Callable[[Judged], Items | None]) -> "_Lists":
        """Lists of the heads for which `speak` gives who has one and, by field, the items of everybody, (n, width)."""
        shape = (len(scores.customers), len(scores.judged))
        present, lengths = np.zeros(shape, np.bool_), np.zeros(shape, np.int64)
        spoken = {head: said for head, judged in enumerate(scores.judged) if (said := speak(judged)) is not None}
        for head, (who, items) in spoken.items():
            present[:, head] = who
            lengths[:, head] = who * next(iter(items.values())).shape[1]
        starts = (np.cumsum(lengths) - lengths.ravel()).reshape(shape)
        flat: dict[str, NDArray[Any]] = {}
        for head, (who, items) in spoken.items():
            for name, values in items.items():
                flat.setdefault(name, np.empty(lengths.sum(), values.dtype))
                flat[name][starts[who, head][:, None] + np.arange(values.shape[1])] = values[who]
        return _Lists(present.ravel(), lengths.ravel(), flat)

    def array(self, type_: pa.ListType) -> pa.ListArray:
        """The Arrow column."""
        if not self.items:
            return pa.nulls(len(self.present), type_)
        item = type_.value_type
        if pa.types.is_struct(item):
            values = pa.StructArray.from_arrays(
                [pa.array(self.items[field.name], field.type) for field in item], fields=list(item)
            )
        else:
            values = pa.array(self.items[""], item)
        return pa.ListArray.from_arrays(_offsets(self.lengths), values, type=type_, mask=pa.array(~self.present))


def _reasons(scores: Scores) -> pa.Array:
    """On request only, so row by row."""
    type_ = SCHEMA.field("reasons").type
    if all(judged.why is None for judged in scores.judged):
        return pa.nulls(len(scores), type_)
    return pa.array([record["reasons"] for record in scores.records()], type_)


def _offsets(lengths: NDArray[np.integer[Any]]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
