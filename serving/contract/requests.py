"""What the HTTP service takes and returns: requests, responses, and the body of a refusal."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from features.config.task_kinds.registry import Kind
from models.score_record import ContractModel, Grade, ScoreRecord

CustomerId = Annotated[str, Field(min_length=1)]
EventField = str | int | float | bool | None


class CustomerRequest(ContractModel):
    """A customer to score; `events` are recent ones that the log may not hold yet, with the log's own column names."""

    customer_id: CustomerId
    events: list[dict[str, EventField]] = Field([])


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
