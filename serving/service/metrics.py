"""What the service counts, as Prometheus text: by route template and status, never by a path that a client chose."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

TEXT = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
Endpoint = Callable[[Request], Awaitable[Response]]


def _registry() -> CollectorRegistry:
    return CollectorRegistry(auto_describe=False)


@dataclass(frozen=True)
class Metrics:
    """Requests by route and status, their seconds, and customers scored."""

    registry: CollectorRegistry = field(default_factory=_registry)
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    customers: Counter = field(init=False)

    def __post_init__(self) -> None:
        metrics = {
            "requests": Counter(
                "journeycast_requests", "requests answered", ("route", "status"), registry=self.registry
            ),
            "seconds": Histogram(
                "journeycast_seconds", "seconds to answer", ("route",), registry=self.registry, buckets=SECONDS
            ),
            "customers": Counter("journeycast_customers_scored", "customers scored", registry=self.registry),
        }
        for name, metric in metrics.items():
            object.__setattr__(self, name, metric)

    def counted(self, route: str, endpoint: Endpoint) -> Endpoint:
        """The endpoint, with every answer counted under `route`."""

        async def count(request: Request) -> Response:
            started = perf_counter()
            response = await endpoint(request)
            self.seconds.labels(route).observe(perf_counter() - started)
            self.requests.labels(route, str(response.status_code)).inc()
            return response

        return count

    async def show(self, _: Request) -> Response:
        """All metrics as Prometheus text."""
        return Response(generate_latest(self.registry), media_type=TEXT)
