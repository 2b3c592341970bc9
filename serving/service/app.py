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
STARTING = "the service is starting; ask again in a few seconds"
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
    return Route(path, metrics.counted(path, _explained(endpoint)), methods=[method])


def _explained(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with every failure told in the one shape."""

    @wraps(endpoint)
    async def explained(request: Request) -> Response:
        try:
            return await endpoint(request)
        except JourneycastError as error:
            return _failure(error.http_status, type(error).__name__, str(error))
        except HTTPException as error:
            return _failure(error.status_code, "RequestError", error.detail)
        except ValidationError as error:
            return _failure(*_mistake(error))
        except Exception:
            logger.exception("a request failed")
            return _failure(500, "InternalError", "the service failed; its log says where")

    return explained


async def _score(request: Request) -> Response:
    online = _online(request)
    asked = ScoreRequest.model_validate_json(await _body(request))
    answer = _answer(online, asked)
    few = len(asked.customers) <= INLINE_CUSTOMERS and not asked.reasons
    body = answer() if few else await anyio.to_thread.run_sync(answer)
    request.app.state.metrics.customers.inc(len(asked.customers))
    return _json(200, body)


def _answer(online: Online, asked: ScoreRequest) -> Callable[[], bytes]:
    customers = [Customer(one.customer_id, one.events) for one in asked.customers]
    question = ScoreQuery(asked.tasks, asked.as_of, asked.reasons, asked.model_from_the_future)

    def answer() -> bytes:
        return to_json(
            {"scores": [record for scores in online.scores(customers, question) for record in scores.records()]}
        )

    return answer


async def _models(request: Request) -> Response:
    return _json(200, to_json({"models": [one.described() for one in _online(request).served]}))


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
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > LARGEST_BODY:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> HTTPException:
    return HTTPException(413, f"expected at most {LARGEST_BODY:,} bytes; ask for fewer customers at a time")


def _mistake(error: ValidationError) -> tuple[int, str, str]:
    """Status, type and message of the first mistake, without the value that was sent."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return 400, "RequestError", "the body is not JSON"
    where = ".".join(str(part) for part in first["loc"])
    return 422, "RequestError", f"{where}: {first['msg']}"


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _failure(status, "RequestError", error.detail if isinstance(error, HTTPException) else "")


def _failure(status: int, kind: str, message: str) -> Response:
    return _json(status, to_json({"error": {"type": kind, "message": message}}))


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")
