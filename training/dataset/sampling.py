"""Customers sampled by a stable hash of their ids: the same whatever the order of buckets and whoever else is there."""

import numpy as np
from numpy.typing import NDArray

from features.arrays import Bools, Strings


def in_share(customers: Strings, share: float) -> Bools:
    """Whether each customer is among this share of all possible ids.

    >>> in_share(np.array(["ada", "bob", "🙂"], object), 1.0).tolist()
    [True, True, True]
    """
    return stable_hash(customers) < share * 2.0**64


def stable_hash(customers: Strings) -> NDArray[np.uint64]:
    """FNV-1a over code points with a finishing mix: the same number for an id on every machine, wherever it stands."""
    if not len(customers):
        return np.zeros(0, np.uint64)
    text = customers.astype(np.str_)
    points = text.view(np.uint32).reshape(len(text), -1).astype(np.uint64)
    hashed = np.full(len(text), 0xCBF29CE484222325, np.uint64)
    for column in points.T:
        hashed = np.where(column > 0, (hashed ^ column) * np.uint64(0x100000001B3), hashed)
    hashed ^= hashed >> np.uint64(32)
    return hashed * np.uint64(0x9E3779B97F4A7C15)
