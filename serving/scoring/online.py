"""Scores of named customers: from the store, with the request's own events merged in, known or not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from features.config.sections import Config
from features.errors import ConfigError, RequestError, did_you_mean
from features.journeys import Journeys
from features.log import cells
from features.store.merge import merge
from features.store.reader import Store
from serving.scoring.as_of import LogEnd, resolve_as_of
from serving.scoring.score_journeys import ScoringOptions, score_journeys
from serving.scoring.scores import Scores
from serving.scoring.served_model import ServedBundle


@dataclass(frozen=True)
class Customer:
    """A customer to score and events of theirs that the log may not hold yet, by the log's own column names."""

    id: str
    events: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class ScoreQuery:
    """What to score named customers by; the fields are those of a score request."""

    tasks: Sequence[str] | None = None
    as_of: str | int | None = None
    reasons: bool = False
    model_from_the_future: bool = False


@dataclass(frozen=True, eq=False)
class Online:
    """A store and the bundles in service."""

    config: Config
    store: Store
    served: tuple[ServedBundle, ...]

    @cached_property
    def log_end(self) -> LogEnd:
        """Up to when the log is complete."""
        return LogEnd.of(self.config, self.store)

    def scores(self, customers: Sequence[Customer], query: ScoreQuery) -> Iterator[Scores]:
        """The scores of each customer, in the order asked.

        Raises:
            RequestError: an id, a task or an event that cannot be, or a model trained after the as-of.
        """
        served = self._served(query.tasks)
        try:
            default_us = resolve_as_of(self.config, self.store, query.as_of)
        except ConfigError as error:
            raise RequestError(str(error)) from None
        for customer in customers:
            journeys = self._journeys(customer)
            yield score_journeys(journeys, served, self._options(query, default_us, customer, journeys))

    def warm(self) -> None:
        """Score a known customer and a stranger once, so that no request pays for compiling and mapping."""
        customers = next((journeys.customers[:1] for journeys in self.store.buckets() if len(journeys)), ())
        for customer in [*customers, "nobody"]:
            for scores in self.scores([Customer(customer)], ScoreQuery(model_from_the_future=True)):
                list(scores.records())

    def _options(self, query: ScoreQuery, default_us: int, customer: Customer, journeys: Journeys) -> ScoringOptions:
        own_events, as_of_us = bool(customer.events), default_us
        if own_events and query.as_of is None and self.config.log.complete_until is None:
            as_of_us = max(default_us, int(journeys.known.max()))  # as if the events had been ingested
        return ScoringOptions(
            as_of_us,
            self.store.log_position,
            own_events,
            query.reasons,
            query.model_from_the_future,
            self.log_end.at(as_of_us),
        )

    def _journeys(self, customer: Customer) -> Journeys:
        try:
            name = cells.customer(customer.id)
        except ValueError as error:
            raise RequestError(
                f"customer_id: {error}; expected an id of at most 256 bytes without control characters"
            ) from None
        return merge(self.store.find(name), name, customer.events, self.config)

    def _served(self, tasks: Sequence[str] | None) -> tuple[ServedBundle, ...]:
        if tasks is None:
            return self.served
        by_name = {model.name: model for model in self.served}
        for name in tasks:
            if name not in by_name:
                raise RequestError(f"expected a task that is served, got '{name[:100]}'; {did_you_mean(name, by_name)}")
        return tuple(by_name[name] for name in dict.fromkeys(tasks))
