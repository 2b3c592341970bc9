"""The score record: one list of fields for the JSON of the service, the columns of the Parquet file and their schemas.

`ScoreRecord` is that list. Its Arrow schema is derived from it, so the two cannot drift. Money is in the currency of
the log, times are UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from features.config.task_kinds.registry import Kind
from features.errors import InputError

NEW_CUSTOMER = "new_customer"  # nobody we know at the as-of: the score is the prior
NOT_IN_POPULATION = "not_in_population"  # the task does not ask about this customer: no score
THIN_DATA = "thin_data"  # fewer than two occurrences of what the task counts as activity (models.grades)
STALE_FEATURES = "stale_features"  # neither log nor customer tell anything as new as a valid score (models.grades)
EXTRAPOLATED = "extrapolated"  # fitted on a shorter horizon and carried over
FROM_THE_FUTURE = "model_from_the_future"  # the model was trained after the as-of
FLAGS = (NEW_CUSTOMER, NOT_IN_POPULATION, THIN_DATA, STALE_FEATURES, EXTRAPOLATED, FROM_THE_FUTURE)

Band = Literal["low", "medium", "high", "very high"]
Grade = Literal["A", "B", "C", "D"]
Direction = Literal["raises", "lowers"]


class ContractModel(BaseModel):
    """An object of the contract: strict, no unknown keys, no NaN and no infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class Quantile(ContractModel):
    """One quantile of the outcome."""

    level: float = Field(description="share of outcomes at or below the value, 0-1")
    value: float


class ActionValue(ContractModel):
    """What one action is expected to bring."""

    action: str
    value: float = Field(description="expected reward within the horizon, after the action's cost")
    gain: float = Field(description="expected gain over doing nothing, after cost")
    low: float = Field(description="90 % interval of the gain")
    high: float


class Details(ContractModel):
    """What the rung says beyond the score; a field that it does not say is null."""

    p_none: float | None = Field(None, description="cltv: probability of no order within the horizon")
    orders: float | None = Field(None, description="cltv: expected number of orders within the horizon")
    order_value: float | None = Field(None, description="cltv: expected money of one order")
    next_order_at: AwareDatetime | None = Field(
        None,
        description="cltv: the instant by which an order is as likely to have come as not; null beyond the horizon",
    )
    median: float | None = Field(None, description="cltv: half of the outcomes lie below")
    quantiles: list[Quantile] | None = Field(None, description="cltv: quantiles of the outcome")
    actions: list[ActionValue] | None = Field(None, description="next_action: value per action")


class Reason(ContractModel):
    """Why a score is what it is, in one feature."""

    feature: str
    direction: Direction
    text: str
    can_act: bool


class ScoreRecord(ContractModel):
    """One customer, task and horizon, as of an instant: the record that every path returns."""

    customer_id: str
    task: str
    kind: Kind
    horizon_days: int
    as_of: AwareDatetime
    score: float | None = Field(
        description="probability, money or expected gain after cost; null outside the population"
    )
    low: float | None = Field(description="lower end of the 90 % interval")
    high: float | None = Field(description="upper end of the 90 % interval")
    details: Details | None
    percentile: float | None = Field(description="within the base at training, 0-100")
    band: Band | None = Field(description="of the percentile, edges 50, 80 and 95")
    action: str | None = Field(description="next_action: the action to take")
    action_probability: float | None = Field(description="next_action: probability with which it is chosen")
    ranking: list[str] | None = Field(description="next_action: actions, the best first")
    reasons: list[Reason] | None = Field(description="on request")
    baseline: float | None = Field(description="what the named baseline would have said")
    model_version: str
    rung: str
    grade: Grade = Field(description="A-D, from the out-of-time evaluation")
    expires_at: AwareDatetime
    flags: list[str]
    score_id: str


CustomerId = Annotated[str, Field(min_length=1)]
EventField = str | int | float | bool | None


class CustomerRequest(ContractModel):
    """A customer to score; `events` are recent ones that the log may not hold yet, with the log's own column names."""

    customer_id: CustomerId
    events: list[dict[str, EventField]] = []


class ScoreRequest(ContractModel):
    """What `POST /v1/score` takes."""

    customers: Annotated[list[CustomerRequest], Field(min_length=1, max_length=1000)]
    tasks: list[str] | None = None
    as_of: str | None = Field(None, description="ISO date or time; as if that instant were now")
    reasons: bool = False
    model_from_the_future: bool = Field(False, description="allow a model that was trained after as_of")


class ScoreResponse(ContractModel):
    """What `POST /v1/score` returns: customers in the order asked, then tasks, then horizons."""

    scores: list[ScoreRecord]


class ServedHorizon(ContractModel):
    """What serves one horizon, with its out-of-time figures (each `[value, low, high]`) beside the baseline's."""

    horizon_days: int
    rung: str
    grade: Grade
    metrics: dict[str, list[float | None]]
    baseline_metrics: dict[str, list[float | None]]
    notes: list[str]


class ServedModel(ContractModel):
    """A champion."""

    task: str
    kind: Kind
    model_version: str
    bundle: str = Field(description="digest of the bundle")
    trained_as_of: AwareDatetime
    horizons: list[ServedHorizon]


class ModelsResponse(ContractModel):
    """What `GET /v1/models` returns."""

    models: list[ServedModel]


class Failure(ContractModel):
    """Why a request was refused: what was expected, what was found, what to do."""

    type: str
    message: str


class FailureResponse(ContractModel):
    """The body of every answer that is not 2xx."""

    error: Failure


def arrow_type(annotation: Any) -> pa.DataType:
    """The Arrow type of a field of the contract.

    >>> arrow_type(list[str] | None)
    ListType(list<item: string>)
    """
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (one for one in get_args(annotation) if one is not NoneType)
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return pa.string()
    if get_origin(annotation) is list:
        return pa.list_(arrow_type(get_args(annotation)[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(arrow_schema(annotation))
    return _PLAIN[annotation]


def arrow_schema(record: type[BaseModel]) -> pa.Schema:
    """The Arrow schema of a part of the contract, fields in its order."""
    return pa.schema(
        [
            pa.field(name, arrow_type(info.annotation), _optional(info.annotation))
            for name, info in record.model_fields.items()
        ]
    )


def _optional(annotation: Any) -> bool:
    return NoneType in get_args(annotation)


_PLAIN: Mapping[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int32(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
    AwareDatetime: pa.timestamp("us", tz="UTC"),
}
SCHEMA = arrow_schema(ScoreRecord)


@dataclass(frozen=True)
class ScoreId:
    """What a score was made from; with the customer it replays the score from store and bundle.

    `own_events` says that the request carried events of its own, without which it cannot be replayed.
    """

    task: str
    horizon_days: int
    bundle: str  # the first 16 digits of the digest
    as_of_us: int
    log_position: int
    own_events: bool

    def __str__(self) -> str:
        source = "request" if self.own_events else "log"
        return f"{self.task}.{self.horizon_days}d.{self.bundle[:16]}.{self.as_of_us}.{self.log_position}.{source}"


def read_score_id(text: str) -> ScoreId:
    """What a `score_id` says.

    >>> read_score_id("churn.90d.0123456789abcdef.1315612800000000.3.log").horizon_days
    90
    """
    try:
        task, horizon, bundle, as_of, position, source = text.split(".")
        return ScoreId(task, int(horizon.removesuffix("d")), bundle, int(as_of), int(position), _OWN_EVENTS[source])
    except (ValueError, KeyError):
        raise InputError(
            f"expected a score_id such as 'churn.90d.0123456789abcdef.1315612800000000.3.log', got '{text[:200]}'"
        ) from None


_OWN_EVENTS = {"log": False, "request": True}
