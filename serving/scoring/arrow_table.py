"""Scores as Arrow: the columns of the Parquet file, built without a Python step per row.

Rows run by customer, then by head. Columns of text are dictionary-coded in memory; in the file and in every reader they
are plain strings. Columns that `Head` and predictions hold under their own name are built from their Arrow type alone;
the others stand in `record_batch`.
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
from serving.scoring.score_journeys import DETAILS
from serving.scoring.scores import HEAD_FIELDS, NUMBERS, Head, HeadScores, Scores

DETAIL_NUMBERS = (*DETAILS, "median")
TEXT_COLUMNS = tuple(field.name for field in SCHEMA if field.type == pa.string())
CODED_TEXT = pa.dictionary(pa.int32(), pa.string())
CODED_SCHEMA = pa.schema([field.with_type(CODED_TEXT) if field.name in TEXT_COLUMNS else field for field in SCHEMA])
DETAILS_TYPE = SCHEMA.field("details").type
Mask = NDArray[np.bool_]
ListItems = tuple[Mask, Mapping[str, NDArray[Any]]]  # who has a list, and the items of everybody by field


def record_batch(scores: Scores) -> pa.RecordBatch:
    """All score records, with the contract's columns in its order."""
    heads = [head_scores.head for head_scores in scores.by_head]
    count = len(scores.customers)
    numbers = {name: _column([head_scores.numbers[name] for head_scores in scores.by_head]) for name in NUMBERS}
    band = np.searchsorted(BAND_EDGES, numbers["percentile"], side="right")
    columns = {
        **{name: _of_heads(heads, count, name) for name in HEAD_FIELDS},
        **{name: _floats(values) for name, values in numbers.items()},
        "customer_id": _coded(np.repeat(np.arange(count), len(heads)), scores.customers.tolist()),
        "as_of": _instants(np.full(len(scores), scores.as_of_us)),
        "expires_at": _instants(np.tile(np.array([head.expires_at_us for head in heads], np.int64), count)),
        "band": _coded(np.where(np.isnan(numbers["percentile"]), -1, band), BANDS),
        "action": _action(scores),
        "action_probability": _floats(_column([_probability(head_scores) for head_scores in scores.by_head])),
        "ranking": _ListColumn.of(scores, _ranking).array(SCHEMA.field("ranking").type),
        "reasons": _reasons(scores),
        "details": _details(scores),
        "flags": _flags(scores),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in CODED_SCHEMA.names], schema=CODED_SCHEMA)


def _column(by_head: Sequence[Floats]) -> Floats:
    """The values of every head for every customer, in the order of the records."""
    return np.stack(by_head, axis=1).ravel()


def _floats(values: Floats) -> pa.Array:
    return pa.array(values, from_pandas=True)  # NaN is null


def _instants(values: Floats | NDArray[np.int64]) -> pa.Array:
    """µs UTC; NaN is null."""
    unknown = np.isnan(values)
    return pa.array(np.where(unknown, 0, values).astype(np.int64), mask=unknown).cast(SCHEMA.field("as_of").type)


def _coded(codes: NDArray[np.integer[Any]], texts: Sequence[str]) -> pa.DictionaryArray:
    """Texts by their codes; -1 is null."""
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32), mask=codes < 0), pa.array(texts, pa.string())
    )


def _of_heads(heads: Sequence[Head], count: int, name: str) -> pa.Array:
    """A field of the heads, repeated for every customer."""
    values = [getattr(head, name) for head in heads]
    if name not in TEXT_COLUMNS:
        return pa.array(np.tile(np.array(values), count)).cast(SCHEMA.field(name).type)
    texts = list(dict.fromkeys(values))
    return _coded(np.tile(np.array([texts.index(text) for text in values], np.int32), count), texts)


def _probability(head_scores: HeadScores) -> Floats:
    if head_scores.ranked is None:
        return np.full(len(head_scores.flags), np.nan)
    return np.where(head_scores.scored, head_scores.ranked.chosen.probability, np.nan)


def _flags(scores: Scores) -> pa.ListArray:
    raised = np.stack([head_scores.flags for head_scores in scores.by_head], axis=1).reshape(len(scores), len(FLAGS))
    names = pa.array(FLAGS, pa.string()).take(pa.array(np.nonzero(raised)[1]))
    return pa.ListArray.from_arrays(_offsets(raised.sum(axis=1)), names)


def _details(scores: Scores) -> pa.StructArray:
    """What the heads predict beyond the score; null where there is nothing."""
    nothing = np.full(len(scores.customers), np.nan)
    numbers = {
        name: _column([head_scores.details.get(name, nothing) for head_scores in scores.by_head])
        for name in DETAIL_NUMBERS
    }
    next_order_at = _column([head_scores.details.get("next_order_at", nothing) for head_scores in scores.by_head])
    quantiles, actions = _ListColumn.of(scores, _quantiles), _ListColumn.of(scores, _actions)
    children = {
        **{name: _floats(values) for name, values in numbers.items()},
        "quantiles": quantiles.array(DETAILS_TYPE.field("quantiles").type),
        "actions": actions.array(DETAILS_TYPE.field("actions").type),
        "next_order_at": _instants(next_order_at),
    }
    absent = np.logical_and.reduce(
        [~quantiles.present, ~actions.present, *(np.isnan(values) for values in numbers.values())]
    )
    fields = list(DETAILS_TYPE)
    return pa.StructArray.from_arrays([children[field.name] for field in fields], fields=fields, mask=pa.array(absent))


def _quantiles(head_scores: HeadScores) -> ListItems | None:
    if head_scores.quantiles is None:
        return None
    levels = np.broadcast_to(np.array(head_scores.levels), head_scores.quantiles.shape)
    return ~np.isnan(head_scores.quantiles[:, 0]), {"level": levels, "value": head_scores.quantiles}


def _actions(head_scores: HeadScores) -> ListItems | None:
    if head_scores.ranked is None:
        return None
    actions, chosen = head_scores.ranked.actions, head_scores.ranked.chosen
    values = {"value": chosen.value, "gain": chosen.gain, "low": chosen.gain_low, "high": chosen.gain_high}
    return head_scores.scored, {"action": np.broadcast_to(np.array(actions, object), chosen.value.shape), **values}


def _ranking(head_scores: HeadScores) -> ListItems | None:
    if head_scores.ranked is None:
        return None
    return head_scores.scored, {"": np.array(head_scores.ranked.actions, object)[head_scores.ranked.chosen.order]}


def _action(scores: Scores) -> pa.DictionaryArray:
    """The first of each ranking."""
    actions = [action for head_scores in scores.by_head if head_scores.ranked for action in head_scores.ranked.actions]
    codes = np.full((len(scores.customers), len(scores.by_head)), -1)
    start = 0
    for head, head_scores in enumerate(scores.by_head):
        if head_scores.ranked is not None:
            codes[:, head] = np.where(head_scores.scored, head_scores.ranked.chosen.order[:, 0] + start, -1)
            start += len(head_scores.ranked.actions)
    return _coded(codes.ravel(), actions)


@dataclass(frozen=True, eq=False)
class _ListColumn:
    """A list column: which records have a list, how long each is, and the items of all of them in their order."""

    present: Mask  # per record
    lengths: NDArray[np.int64]  # per record
    items: Mapping[str, NDArray[Any]]  # by field; "" when the items are no structs

    @staticmethod
    def of(scores: Scores, items_of: Callable[[HeadScores], ListItems | None]) -> "_ListColumn":
        """The lists that `items_of` gives for a head: who has one and, by field, the items of everybody, (n, width)."""
        shape = (len(scores.customers), len(scores.by_head))
        present, lengths = np.zeros(shape, np.bool_), np.zeros(shape, np.int64)
        with_lists = {
            head: lists
            for head, head_scores in enumerate(scores.by_head)
            if (lists := items_of(head_scores)) is not None
        }
        for head, (has_list, items) in with_lists.items():
            present[:, head] = has_list
            lengths[:, head] = has_list * next(iter(items.values())).shape[1]
        starts = (np.cumsum(lengths) - lengths.ravel()).reshape(shape)
        flat: dict[str, NDArray[Any]] = {}
        for head, (has_list, items) in with_lists.items():
            for name, values in items.items():
                flat.setdefault(name, np.empty(lengths.sum(), values.dtype))
                flat[name][starts[has_list, head][:, None] + np.arange(values.shape[1])] = values[has_list]
        return _ListColumn(present.ravel(), lengths.ravel(), flat)

    def array(self, type_: pa.ListType) -> pa.ListArray:
        """The Arrow column."""
        if not self.items:
            return pa.nulls(len(self.present), type_)
        item_type = type_.value_type
        if pa.types.is_struct(item_type):
            values = pa.StructArray.from_arrays(
                [pa.array(self.items[field.name], field.type) for field in item_type], fields=list(item_type)
            )
        else:
            values = pa.array(self.items[""], item_type)
        return pa.ListArray.from_arrays(_offsets(self.lengths), values, type=type_, mask=pa.array(~self.present))


def _reasons(scores: Scores) -> pa.Array:
    """On request only, so row by row."""
    type_ = SCHEMA.field("reasons").type
    if all(head_scores.reasons is None for head_scores in scores.by_head):
        return pa.nulls(len(scores), type_)
    return pa.array([record["reasons"] for record in scores.records()], type_)


def _offsets(lengths: NDArray[np.integer[Any]]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
