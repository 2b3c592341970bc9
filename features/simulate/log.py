"""Simulated lives as rows of an event log: sessions of views and carts, order lines, returns, tickets, offers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrays import Bools, Floats, Ints
from features.simulate.customers import ACTIONS, CHANNELS, PRODUCTS, Column, People, Shop
from features.simulate.process import Lives, Points, draw_positions
from features.timeline import DAY_US

EVENTS = ("view", "cart", "purchase", "return", "support", "email")
LOG_CHANNELS = (*CHANNELS, "email")
MINUTE = 1 / 1440
ABANDONED_CARTS = 0.3  # share of sessions without a purchase that still reach the cart
STRAY_VIEWS = 0.4  # share of views that are not of what the session is about
MICROSECONDS: pa.DataType = pa.timestamp("us", tz="UTC")

# A column that a kind of event does not have holds this, and is null in the log.
NO_NUMBER, NO_CODE, NO_QUANTITY = np.nan, -1, 0
Rows = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class SimulatedOrders:
    """The purchases of a block, sorted by customer and time, shape (orders,)."""

    at: Points
    number: Ints  # counts the orders of its customer from 0
    value: Floats  # whole cents
    channel: Ints
    product: Ints  # of one line, and of most views before it
    known: Floats  # day


def draw_orders(shop: Shop, people: People, purchases: Points, rng: np.random.Generator) -> SimulatedOrders:
    """What each purchase was worth, where it was made and when it became known."""
    owner = purchases.owner
    noise = rng.lognormal(-(shop.order_value_noise**2) / 2, shop.order_value_noise, len(owner))
    return SimulatedOrders(
        at=purchases,
        number=_number_within(owner),
        value=np.maximum(np.round(people.order_value[owner] * noise, 2), 0.01),
        channel=draw_positions(rng, people.habits[owner]),
        product=draw_positions(rng, people.tastes[owner]),
        known=_known(shop, purchases.day, rng),
    )


def log_rows(
    shop: Shop, people: People, lives: Lives, orders: SimulatedOrders, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """The rows of a block up to the end of the log, and those of the future after it; each sorted by customer and time.

    By the end of the log all that happened in it is known.
    """
    kinds = [
        *_sessions(shop, people, lives, orders, rng),
        _purchases(shop, people, orders, rng),
        _returns(shop, orders, rng),
        _tickets(shop, people, lives, rng),
        _offers(lives),
    ]
    rows = {name: np.concatenate([kind[name] for kind in kinds]) for name in kinds[0]}
    for name in ("time", "known"):
        rows[name] = shop.start_us + np.rint(rows[name] * DAY_US).astype(np.int64)
    order = _by_owner_and_time(rows)
    numbers = _number_within(rows["owner"][order])
    past = rows["time"][order] <= shop.end_us
    future = ~past & (rows["time"][order] <= shop.start_us + shop.total_days * DAY_US)
    log, future_log = (
        {name: rows[name][order[part]] for name in rows} | {"number": numbers[part]} for part in (past, future)
    )
    log["known"] = np.minimum(log["known"], shop.end_us)
    return log, future_log


def to_arrow(rows: Rows, customer: Column) -> Column:
    """The rows as a table; words are dictionary-encoded."""
    columns = {
        "customer_id": pa.DictionaryArray.from_arrays(rows["owner"].astype(np.int32), customer),
        "timestamp": pa.array(rows["time"], MICROSECONDS),
        "event_type": _words(rows["event"], EVENTS),
        "value": pa.array(rows["value"], mask=np.isnan(rows["value"])),
        "channel": _words(rows["channel"], LOG_CHANNELS),
        "product": _words(rows["product"], PRODUCTS),
        "campaign": _words(rows["campaign"], ACTIONS),
        "send_probability": pa.array(rows["probability"], mask=np.isnan(rows["probability"])),
        "order_id": _names(customer, rows["owner"], rows["order"], "-o"),
        "event_id": _names(customer, rows["owner"], rows["number"], "-"),
        "quantity": pa.array(rows["quantity"], mask=rows["quantity"] == NO_QUANTITY),
        "ingested_at": pa.array(rows["known"], MICROSECONDS),
    }
    return pa.table(columns)


def _by_owner_and_time(rows: Rows) -> Ints:
    """A stable order; owners fit 16 bits, which sort in linear time."""
    order = np.argsort(rows["time"], kind="stable")
    return order[np.argsort(rows["owner"][order].astype(np.int16), kind="stable")]


def _rows(at: Points, event: str, *, known: Floats, **columns: NDArray[Any]) -> Rows:
    count = len(at.day)
    absent = {"value": NO_NUMBER, "channel": NO_CODE, "product": NO_CODE, "campaign": NO_CODE}
    absent |= {"probability": NO_NUMBER, "order": NO_CODE, "quantity": NO_QUANTITY}
    rows: Rows = {"owner": at.owner, "time": at.day, "known": known, "event": np.full(count, EVENTS.index(event))}
    return rows | {name: columns.get(name, np.full(count, nothing)) for name, nothing in absent.items()}


def _sessions(
    shop: Shop, people: People, lives: Lives, orders: SimulatedOrders, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """Views and carts: of every purchase, and of the sessions that end without one."""
    browsing = lives.browsing
    owner, end = np.concatenate([orders.at.owner, browsing.owner]), np.concatenate([orders.at.day, browsing.day])
    channel = np.concatenate([orders.channel, draw_positions(rng, people.habits[browsing.owner])])
    session_product = np.concatenate([orders.product, draw_positions(rng, people.tastes[browsing.owner])])
    bought = np.arange(len(owner)) < len(orders.number)
    viewed = np.repeat(np.arange(len(owner)), 1 + rng.poisson(shop.views_per_session - 1, len(owner)))
    carted = np.flatnonzero(bought | (rng.random(len(owner)) < ABANDONED_CARTS))
    views = Points(owner[viewed], end[viewed] - MINUTE * rng.uniform(3, 45, len(viewed)))
    carts = Points(owner[carted], end[carted] - MINUTE * rng.uniform(0.5, 3, len(carted)))
    strays = rng.random(len(viewed)) < STRAY_VIEWS
    viewed_product = np.where(strays, draw_positions(rng, people.tastes[views.owner]), session_product[viewed])
    return (
        _rows(views, "view", known=_known(shop, views.day, rng), channel=channel[viewed], product=viewed_product),
        _rows(
            carts, "cart", known=_known(shop, carts.day, rng), channel=channel[carted], product=session_product[carted]
        ),
    )


def _purchases(shop: Shop, people: People, orders: SimulatedOrders, rng: np.random.Generator) -> Rows:
    """One row for each line of an order; the lines' values are whole cents and sum to the order's."""
    lines = 1 + rng.poisson(shop.lines_per_order - 1, len(orders.value))
    order = np.repeat(np.arange(len(lines)), lines)
    last = np.cumsum(lines) - 1
    weight = rng.uniform(0.5, 1.5, len(order))
    value = np.floor(100 * orders.value[order] * weight / np.bincount(order, weight, len(lines))[order]) / 100
    value[last] += orders.value - np.bincount(order, value, len(lines))
    product = draw_positions(rng, people.tastes[orders.at.owner[order]])
    product[last] = orders.product
    return _rows(
        Points(orders.at.owner[order], orders.at.day[order]),
        "purchase",
        known=orders.known[order],
        value=np.round(value, 2),
        channel=orders.channel[order],
        product=product,
        order=orders.number[order],
        quantity=1 + rng.poisson(0.3, len(order)),
    )


def _returns(shop: Shop, orders: SimulatedOrders, rng: np.random.Generator) -> Rows:
    returned = rng.random(len(orders.value)) < shop.return_share
    at = Points(orders.at.owner[returned], orders.at.day[returned] + shop.return_days)
    known = np.maximum(_known(shop, at.day, rng), orders.known[returned])
    return _rows(
        at,
        "return",
        known=known,
        value=-orders.value[returned],
        channel=orders.channel[returned],
        order=orders.number[returned],
    )


def _tickets(shop: Shop, people: People, lives: Lives, rng: np.random.Generator) -> Rows:
    at = lives.tickets
    return _rows(at, "support", known=_known(shop, at.day, rng), channel=draw_positions(rng, people.habits[at.owner]))


def _offers(lives: Lives) -> Rows:
    offers, count = lives.offers, len(lives.offers.action)
    channel = np.full(count, LOG_CHANNELS.index("email"))
    return _rows(
        offers.at, "email", known=offers.at.day, channel=channel, campaign=offers.action, probability=offers.probability
    )


def _known(shop: Shop, day: Floats, rng: np.random.Generator) -> Floats:
    late = rng.random(len(day)) < shop.late_share
    return day + np.where(late, rng.exponential(shop.late_days, len(day)), 0.0)


def _number_within(owner: Ints) -> Ints:
    """Position of each row among those of its owner; owners are sorted."""
    first: Bools = np.concatenate([[True], owner[1:] != owner[:-1]])[: len(owner)]
    start = np.flatnonzero(first)
    return np.arange(len(owner)) - np.repeat(start, np.diff(np.append(start, len(owner))))


def _words(codes: Ints, words: Sequence[str]) -> Column:
    indices: Column = pa.array(codes.astype(np.int8), mask=codes == NO_CODE)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words))


def _names(customer: Column, owner: Ints, number: Ints, joint: str) -> Column:
    text: Column = pc.cast(pa.array(number, pa.int64(), mask=number == NO_CODE), pa.string())
    return pc.binary_join_element_wise(customer.take(owner), text, joint)
