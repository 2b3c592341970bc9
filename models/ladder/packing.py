"""Every rung from plain JSON and named texts, as its `pack` wrote them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from features.errors import BundleError
from models.btyd.expectations import unpack_expectations
from models.ladder.average import Average
from models.ladder.hurdle import History, Hurdle, Orders
from models.ladder.lightgbm import Trees
from models.ladder.logistic import unpack_logistic
from models.ladder.purchase_process import unpack_purchase_process
from models.ladder.rules import Binned, Scaled
from models.ladder.rung import Rung
from models.ladder.trees import Probability


def unpack(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Rung:
    """The rung that `pack` wrote; BundleError for a rung this version does not know."""
    unpacked = UNPACK.get(plain["rung"])
    if unpacked is None:
        raise BundleError(
            f"the bundle holds the rung '{plain['rung']}', which this version does not know; upgrade or retrain"
        )
    return unpacked(plain, texts)


def _given(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What was packed, lists as tuples again."""
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain.items() if key != "rung"
    }
    if "expectations" in fields:
        fields["expectations"] = unpack_expectations(fields["expectations"])
    return fields


def _average(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Average:
    rungs = tuple(unpack(packed, _numbered(texts, index)) for index, packed in enumerate(plain["rungs"]))
    return Average(**{**_given(plain), "rungs": rungs})


def _probability(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Probability:
    fields = _given(plain)
    start = fields.pop("start", None)
    process = None if start is None else unpack_purchase_process(start)
    return Probability(Trees.from_text(texts["trees"]), **fields, process=process)


def _hurdle(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Hurdle:
    history = History(**_given(plain["history"]))
    buys, more = (Trees.from_text(texts[name]) for name in ("buys", "more"))
    return Hurdle(buys, more, **{**_given(plain), "history": history})


def _orders(plain: Mapping[str, Any], texts: Mapping[str, str]) -> Orders:
    return Orders(Trees.from_text(texts["trees"]), **_given(plain))


UNPACK: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, str]], Rung]] = MappingProxyType(
    {
        "binned": lambda plain, _: Binned(**_given(plain)),
        "scaled": lambda plain, _: Scaled(**_given(plain)),
        "btyd": lambda plain, _: unpack_purchase_process(plain),
        "logistic": lambda plain, _: unpack_logistic(plain),
        "probability": _probability,
        "hurdle": _hurdle,
        "orders": _orders,
        "average": _average,
    }
)


def _numbered(texts: Mapping[str, str], index: int) -> dict[str, str]:
    start = f"{index}-"
    return {name.removeprefix(start): text for name, text in texts.items() if name.startswith(start)}
