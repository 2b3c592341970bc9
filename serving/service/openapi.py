"""The OpenAPI 3.1 description of the service, from the contract's models."""

from typing import Any

from pydantic.json_schema import models_json_schema
from pydantic_core import to_json

from serving.contract.requests import FailureResponse, ModelsResponse, ScoreRequest, ScoreResponse

REFUSALS = {
    400: "not JSON",
    405: "another method",
    413: "more than 1 MiB",
    415: "not application/json",
    422: "a field, a task or an event that cannot be used",
    429: "too many requests at once",
    500: "a failure of the service",
    503: "no model serves yet, or the store is missing",
    504: "not answered in time",
}
REFERENCE = "#/components/schemas/{model}"


def _content(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REFERENCE.format(model=name)}}}


def _operation(summary: str, response: str, body: str | None = None) -> dict[str, Any]:
    refusals = {
        str(status): {"description": text, "content": _content("FailureResponse")} for status, text in REFUSALS.items()
    }
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": "OK", "content": _content(response)}, **refusals},
    }
    return operation if body is None else {**operation, "requestBody": {"required": True, "content": _content(body)}}


def _openapi() -> bytes:
    _, schemas = models_json_schema(
        [
            (ScoreRequest, "validation"),
            *((model, "serialization") for model in (ScoreResponse, ModelsResponse, FailureResponse)),
        ],
        ref_template=REFERENCE,
    )
    paths = {
        "/v1/score": {"post": _operation("Scores of customers", "ScoreResponse", "ScoreRequest")},
        "/v1/models": {"get": _operation("The models that serve", "ModelsResponse")},
    }
    info = {"title": "Journeycast", "version": "1", "description": "Scores of customers from their journeys"}
    return to_json({"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas["$defs"]}})


OPENAPI = _openapi()
