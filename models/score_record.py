"""The score record: one list of fields for the service's JSON, the Parquet file's columns and MLflow's signature.

`ScoreRecord` is that list, and each of the others is derived from it. Money is in the currency of the log, times are
UTC.
"""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from features.config.task_kinds.registry import Kind

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
