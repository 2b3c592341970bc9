"""Digests of what a store holds, by which tests tell whether two stores hold the same."""

import hashlib

import numpy as np

from features.journeys import Journeys
from features.store.reader import Store


def state_digest(store: Store) -> str:
    """A digest of all rows, whatever their arrival and however they are spread over buckets."""
    digests = {}
    for journeys in store.buckets():
        for index, customer in enumerate(journeys.customers):
            digests[customer] = journey_digest(journeys.customer_at(index))
    return hashlib.sha256(
        "\n".join(f"{customer}\t{digests[customer]}" for customer in sorted(digests)).encode()
    ).hexdigest()


def journey_digest(journey: Journeys) -> str:
    """A digest of one customer's rows and profile by content, not by code or arrival."""
    parts = hashlib.sha256()
    plain = [journey.time, journey.known, journey.value, journey.order, journey.occurrence, journey.identity]
    for column in (*plain, *journey.numbers.values(), journey.profile.known, *journey.profile.numbers.values()):
        parts.update(b"-" if column is None else np.ascontiguousarray(column).tobytes() + b"|")
    named = {**journey.categories, "": journey.event}
    for name, category in sorted(named.items()) + sorted(journey.profile.categories.items()):
        texts = ["\0" if code < 0 else category.names[code] for code in category.codes]
        parts.update("\x1f".join([name, *texts]).encode() + b"|")
    return parts.hexdigest()
