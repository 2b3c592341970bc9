"""The HTTP edge as a Starlette application: `/v1/score`, `/v1/models`, `/v1/openapi.json`, `/metrics`.

Every answer that is not 2xx is `{"error": {"type", "message"}}`. `app.state.online` holds what scores; until it is set
the answer is 503 with `app.state.reason`.
"""

import logging
from collections.abc import Callable
from functools import wraps

import anyio.to_thread
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from features.errors import JourneycastError, StoreError
from serving.contract.requests import ScoreRequest
from serving.scoring.online import Customer, Online, ScoreQuery
from serving.service.metrics import Endpoint, Metrics
from serving.service.openapi import OPENAPI

LARGEST_BODY = 2**20  # bytes
INLINE_CUSTOMERS = 8  # more than these are scored in a thread, so that other requests are answered meanwhile
STARTING = "the service is starting; try again in a few seconds"
logger = logging.getLogger(__name__)


def create_app() -> Starlette:
    """The application; it is ready once `app.state.online` is set."""
    metrics = Metrics()
    app = Starlette(
        routes=[
            _route("/v1/score", _score, "POST", metrics),
            _route("/v1/models", _models, "GET", metrics),
            _route("/v1/openapi.json", _openapi, "GET", metrics),
            Route("/metrics", metrics.show),
        ],
        exception_handlers={HTTPException: _http_error},
    )
    app.state.online, app.state.reason, app.state.metrics = None, STARTING, metrics
    return app


def _route(path: str, endpoint: Endpoint, method: str, metrics: Metrics) -> Route:
    return Route(path, metrics.counted(path, _with_error_responses(endpoint)), methods=[method])


def _with_error_responses(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with every failure answered in the one shape."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except JourneycastError as error:
            return _failure(error.http_status, type(error).__name__, str(error))
        except HTTPException as error:
            return _failure(error.status_code, "RequestError", error.detail)
        except ValidationError as error:
            return _failure(*_validation_failure(error))
        except Exception:
            logger.exception("a request failed")
            return _failure(500, "InternalError", "the service failed; its log holds the error")

    return answer


async def _score(request: Request) -> Response:
    online = _online(request)
    score_request = ScoreRequest.model_validate_json(await _body(request))
    compute_body = _score_body(online, score_request)
    inline = len(score_request.customers) <= INLINE_CUSTOMERS and not score_request.reasons
    body = compute_body() if inline else await anyio.to_thread.run_sync(compute_body)
    request.app.state.metrics.customers.inc(len(score_request.customers))
    return _json(200, body)


def _score_body(online: Online, request: ScoreRequest) -> Callable[[], bytes]:
    customers = [Customer(customer.customer_id, customer.events) for customer in request.customers]
    query = ScoreQuery(request.tasks, request.as_of, request.reasons, request.model_from_the_future)

    def body() -> bytes:
        return to_json(
            {"scores": [record for scores in online.scores(customers, query) for record in scores.records()]}
        )

    return body


async def _models(request: Request) -> Response:
    return _json(200, to_json({"models": [model.description() for model in _online(request).served]}))


async def _openapi(_: Request) -> Response:
    return _json(200, OPENAPI)


def _online(request: Request) -> Online:
    online: Online | None = request.app.state.online
    if online is None:
        raise StoreError(request.app.state.reason)
    return online


async def _body(request: Request) -> bytes:
    """The body of a JSON request; 415 for another type, 413 for more than `LARGEST_BODY`, whatever its header says."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(
            415, "expected a body of type application/json; send the header Content-Type: application/json"
        )
    content_length = request.headers.get("content-length", "0")
    if content_length.isdecimal() and int(content_length) > LARGEST_BODY:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> HTTPException:
    return HTTPException(
        413, f"expected a body of at most {LARGEST_BODY:,} bytes, got more; send fewer customers at a time"
    )


def _validation_failure(error: ValidationError) -> tuple[int, str, str]:
    """Status, type and message of the first invalid field, without the value that was sent."""
    first_error = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first_error["type"] == "json_invalid":
        return 400, "RequestError", "the body is not JSON"
    field = ".".join(str(part) for part in first_error["loc"])
    return 422, "RequestError", f"{field}: {first_error['msg']}"


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _failure(status, "RequestError", error.detail if isinstance(error, HTTPException) else "")


def _failure(status: int, kind: str, message: str) -> Response:
    return _json(status, to_json({"error": {"type": kind, "message": message}}))


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")
