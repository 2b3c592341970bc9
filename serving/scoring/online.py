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
from serving.scoring.as_of import LogEnd, as_of_us
from serving.scoring.judge import ScoringOptions, judge
from serving.scoring.scores import Scores
from serving.scoring.served_model import Served


@dataclass(frozen=True)
class Customer:
    """A customer to score and events of theirs that the log may not hold yet, by the log's own column names."""

    id: str
    events: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class ScoreQuery:
    """What is asked about named customers; the fields are those of a score request."""

    tasks: Sequence[str] | None = None
    as_of: str | int | None = None
    reasons: bool = False
    model_from_the_future: bool = False


@dataclass(frozen=True, eq=False)
class Online:
    """A store and the bundles in service."""

    config: Config
    store: Store
    served: tuple[Served, ...]

    @cached_property
    def told(self) -> LogEnd:
        """Up to when the log tells of the world."""
        return LogEnd.by(self.config, self.store)

    def scores(self, customers: Sequence[Customer], question: ScoreQuery) -> Iterator[Scores]:
        """The scores of each customer, in the order asked.

        Raises:
            RequestError: an id, a task or an event that cannot be, or a model trained after the as-of.
        """
        served = self._serving(question.tasks)
        try:
            default = as_of_us(self.config, self.store, question.as_of)
        except ConfigError as error:
            raise RequestError(str(error)) from None
        for customer in customers:
            journeys = self._journeys(customer)
            yield judge(journeys, served, self._asked(question, default, customer, journeys))

    def warm(self) -> None:
        """Score a known customer and a stranger once, so that no request pays for compiling and mapping."""
        known = next((files.customers[:1] for files in self.store.buckets() if len(files)), ())
        for customer in [*known, "nobody"]:
            for scores in self.scores([Customer(customer)], ScoreQuery(model_from_the_future=True)):
                list(scores.records())

    def _asked(self, question: ScoreQuery, default: int, customer: Customer, journeys: Journeys) -> ScoringOptions:
        own, as_of = bool(customer.events), default
        if own and question.as_of is None and self.config.log.complete_until is None:
            as_of = max(default, int(journeys.known.max()))  # as if the events had been ingested
        told = self.told.until(as_of)
        return ScoringOptions(
            as_of, self.store.log_position, own, question.reasons, question.model_from_the_future, told
        )

    def _journeys(self, customer: Customer) -> Journeys:
        try:
            name = cells.customer(customer.id)
        except ValueError as error:
            raise RequestError(f"expected an id of at most 256 bytes without control characters; one {error}") from None
        return merge(self.store.find(name), name, customer.events, self.config)

    def _serving(self, tasks: Sequence[str] | None) -> tuple[Served, ...]:
        if tasks is None:
            return self.served
        by_name = {one.name: one for one in self.served}
        for name in tasks:
            if name not in by_name:
                raise RequestError(f"no task '{name[:100]}' is served; {did_you_mean(name, by_name)}")
        return tuple(by_name[name] for name in dict.fromkeys(tasks))
