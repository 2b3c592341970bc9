"""A shop with known truth: an event log, profiles and a configuration, and beside them what is true of every customer.

The shop is drawn in blocks of `BLOCK` customers, each from a seed of its own, so that neither the number of threads nor
the size of the shop changes how a full block comes out, and memory stays flat. `features.simulate.process` describes
the process, `features.simulate.truth` derives the truth. Nothing in training or serving reads the folder `truth/`.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import Floats
from features.errors import ConfigError
from features.simulate.customers import ACQUISITION, AGE_BANDS, COUNTRIES, Column, People, Shop, draw_people
from features.simulate.log import MICROSECONDS, SimulatedOrders, draw_orders, log_rows, to_arrow
from features.simulate.process import simulate_lives
from features.simulate.toml import config_text
from features.simulate.truth import truth_table
from features.system.files import atomic_write, write_text
from features.system.threads import ordered_map
from features.timeline import DAY_US

__all__ = ["Shop", "Simulation", "simulate"]

BLOCK = 2000  # part of what a seed means


@dataclass(frozen=True)
class Simulation:
    """What was written, and how much of it."""

    config: Path  # journeycast.toml
    events: Path
    customers: Path
    truth: Path
    future: Path
    event_count: int
    customer_count: int
    future_count: int


@dataclass(frozen=True)
class Block:
    """The four tables of some customers."""

    events: pa.Table
    customers: pa.Table
    truth: pa.Table
    future: pa.Table


def simulate(shop: Shop, out: Path, *, threads: int = 2) -> Simulation:
    """Write the shop into the folder `out`; each file appears whole or not at all.

    Raises:
        ConfigError: `out` holds another journeycast.toml; someone's own work is not written over.
    """
    config, text = out / "journeycast.toml", config_text(shop)
    if config.exists() and config.read_text(encoding="utf-8") != text:
        raise ConfigError(f"{config} is not what simulate would write; choose another folder, or remove it first")
    paths = {name: out / f"{name}.parquet" for name in ("events", "customers")}
    paths |= {name: out / "truth" / f"{name}.parquet" for name in ("truth", "future")}
    counts = _write(shop, paths, threads)
    write_text(config, text)
    return Simulation(
        config=config,
        **paths,
        event_count=counts["events"],
        customer_count=counts["customers"],
        future_count=counts["future"],
    )


def _write(shop: Shop, paths: dict[str, Path], threads: int) -> dict[str, int]:
    """Stream every block into the files, one row group each; rows by file."""
    counts = dict.fromkeys(paths, 0)
    with ExitStack() as files:
        temporary = {name: files.enter_context(atomic_write(path)) for name, path in paths.items()}
        with ExitStack() as open_writers:
            writers: dict[str, pq.ParquetWriter] = {}
            blocks = range(-(-shop.customers // BLOCK))
            for block in ordered_map(partial(draw_block, shop), blocks, threads=threads):
                for name in paths:
                    table = getattr(block, name)
                    if name not in writers:
                        writers[name] = open_writers.enter_context(_writer(temporary[name], table.schema))
                    writers[name].write_table(table, row_group_size=max(1, table.num_rows))
                    counts[name] += table.num_rows
    return counts


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer whose file reads back with plain strings, whatever was dictionary-encoded in memory."""
    repeats: Any = [name for name in schema.names if name not in ("event_id", "order_id", "timestamp", "ingested_at")]
    return pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, use_dictionary=repeats, store_schema=False
    )


def draw_block(shop: Shop, index: int) -> Block:
    """The customers `index * BLOCK` up to the next block or the shop's last."""
    rng = np.random.default_rng(np.random.SeedSequence(shop.seed, spawn_key=(index,)))
    numbers = range(index * BLOCK, min((index + 1) * BLOCK, shop.customers))
    customer = pa.array([f"c{number:08d}" for number in numbers])
    people = draw_people(shop, len(numbers), rng)
    lives = simulate_lives(shop, people, rng)
    orders = draw_orders(shop, people, lives.purchases, rng)
    log, future = log_rows(shop, people, lives, orders, rng)
    return Block(
        events=to_arrow(log, customer),
        customers=_profiles(shop, people, customer),
        truth=truth_table(shop, people, lives, customer=customer, pending=_pending(shop, orders, len(numbers))),
        future=to_arrow(future, customer),
    )


def _pending(shop: Shop, orders: SimulatedOrders, count: int) -> Floats:
    """Value of each customer's orders that may still come back after the log ends."""
    day = orders.at.day
    open_ = (day > shop.history_days - shop.return_days) & (day <= shop.history_days)
    return np.bincount(orders.at.owner[open_], orders.value[open_], count).astype(np.float64)


def _profiles(shop: Shop, people: People, customer: Column) -> pa.Table:
    """What the shop knows about its customers from the day they join."""
    joined = shop.start_us + np.rint(people.joined * DAY_US).astype(np.int64)
    return pa.table(
        {
            "customer_id": customer,
            "age_band": pa.array(AGE_BANDS).take(people.age_band),
            "country": pa.array(COUNTRIES).take(people.country),
            "acquisition_channel": pa.array(ACQUISITION).take(people.acquisition),
            "updated_at": pa.array(joined, MICROSECONDS),
        }
    )
