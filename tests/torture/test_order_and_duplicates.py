"""Whatever order events come in, split over files, repeated, replaced, and with ingests dying on the way: the store and
the features are those of a plain reading of the same events."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from features.arrays import Floats
from features.config.sections import Config
from features.errors import LogError
from features.ingest import build
from features.log.cells import AHEAD_US
from features.panel.build import Rows
from features.panel.build import build as panel
from features.system.files import digest
from features.timeline import DAY_US, iso
from tests.support.digests import state_digest
from tests.support.log_files import config, opened, run, write
from tests.support.oracle import oracle
from tests.support.strategies import CUTOFFS, EVERY_FEATURE, Event, Fact, World, events, facts
from tests.torture.support.sizes import Toll, size

LOG: dict[str, Any] = {
    "order": "bill",
    "known": "seen",
    "categories": ["channel", "product"],
    "numbers": ["quantity"],
    "profile": {"source": ["people/*"], "customer": "who", "known": "since"},
}
WAYS: dict[str, dict[str, Any]] = {
    "id": {"id": "key"},
    "drop_duplicates": {"drop_duplicates": True},
    "both": {"id": "key", "drop_duplicates": True},
}
CALLS = ("fsync", "replace", "unlink", "mkdir", "rmdir")
NOTHING = "nothing"
PEOPLE = ("anna", "bob", "carl 😀", "dörte", "eve@x.org", "zoë")


@dataclass(frozen=True)
class Row:
    """An event with its id; two rows of one id may differ."""

    event: Event
    key: str | None

    def raw(self) -> dict[str, Any]:
        row = self.event
        return {
            "who": row.customer,
            "at": iso(row.time),
            "what": row.event,
            "money": none_if_nan(row.value),
            "bill": row.order,
            "seen": None if row.known is None else iso(row.known),
            "key": self.key,
            "channel": row.channel,
            "product": row.product,
            "quantity": none_if_nan(row.quantity),
        }

    @property
    def rank(self) -> tuple[Any, ...]:
        """By which the rows of one id stand in order, the one that stays first; nothing stands before something."""
        row = self.event
        columns = (row.value, row.order, row.channel, row.product, row.quantity)
        told = [(column is not None and column == column, column) for column in columns]  # noqa: PLR0124  NaN
        return (
            known(row),
            row.customer.encode(),
            row.time,
            row.event,
            *((has, column if has else 0) for has, column in told),
        )


def known(row: Event | Fact) -> int:
    return max(row.time, row.known_at) if isinstance(row, Event) else row.known


def none_if_nan(number: float) -> float | None:
    return None if np.isnan(number) else number


def raw_fact(fact: Fact) -> dict[str, Any]:
    return {"who": fact.customer, "since": iso(fact.known), "plan": fact.plan, "age": none_if_nan(fact.age)}


class Died(BaseException):
    """The process is dead: it writes no more, and cleans nothing up."""


@contextmanager
def dying(at: int) -> Iterator[None]:
    """From its `at`-th call that changes the disk on the process is dead."""
    calls = 0

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls >= at:
                raise Died
            return call(*args, **kwargs)

        return instead

    with mock.patch.dict(vars(os), {name: mortal(getattr(os, name)) for name in CALLS}):
        yield


rows = st.builds(Row, events(PEOPLE), st.sampled_from((None, *"abcdefghijklmnop")))
clocks = st.sampled_from((*CUTOFFS, CUTOFFS[-1] + 30 * DAY_US))


class Shop(RuleBasedStateMachine):
    """A shop on disk beside what is to be found in its store."""

    toll = Toll()

    @initialize(
        way=st.sampled_from(sorted(WAYS)),
        rows_per_bucket=st.sampled_from((3, 10, 500_000)),
        clock=clocks,
        people=st.lists(facts(PEOPLE), min_size=1, max_size=5),
    )
    def opens(self, way: str, rows_per_bucket: int, clock: int, people: list[Fact]) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.way, self.clock, self.rows_per_bucket = way, clock, rows_per_bucket
        self.lying: dict[Path, Sequence[Row | Fact]] = {}
        self.taken: dict[str, Sequence[Row | Fact]] = {}
        people = [fact for fact in people if fact.known <= clock + AHEAD_US] or [Fact(clock, "free")]
        self.put(self.folder / "people" / "a.jsonl", people)
        self.put(self.folder / "people" / "b.csv", people[::-1] * 2)

    @rule(new=st.lists(rows, min_size=1, max_size=10), copies=st.integers(1, 5), data=st.data())
    def comes(self, new: list[Row], copies: int, data: st.DataObject) -> None:
        """Events come, each up to five times, in any order, in one to three files that may replace others."""
        with_ids = [Row(row.event, row.key or f"own {number}") for number, row in enumerate(new)]
        once = with_ids if self.way == "id" else new
        many = data.draw(st.permutations(once * copies))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(many)), max_size=2)))
        for begin, end in zip([0, *cuts], [*cuts, len(many)], strict=True):
            if begin < end:
                name = data.draw(st.sampled_from(("a.csv", "b.jsonl", "c.parquet", "d.csv", "e.jsonl", "f.parquet")))
                self.put(self.folder / "log" / name, many[begin:end])
        self.toll.fault(len(many) - len(new))

    @precondition(lambda self: any(path.parent.name == "log" for path in self.lying))
    @rule(data=st.data())
    def comes_again(self, data: st.DataObject) -> None:
        """A file lies there a second time, under another name."""
        path = data.draw(st.sampled_from(sorted(path for path in self.lying if path.parent.name == "log")))
        again = path.with_name(f"again-{path.name}")
        shutil.copyfile(path, again)
        self.lying[again] = self.lying[path]
        self.toll.fault()

    @rule(hours=st.sampled_from((1, 24, 24 * 29, 24 * 60)))
    def waits(self, hours: int) -> None:
        self.clock += hours * DAY_US // 24

    @precondition(lambda self: any(path.parent.name == "log" for path in self.lying))
    @rule(deaths=st.lists(st.integers(1, 40), max_size=2), cutoff=st.sampled_from(CUTOFFS))
    def ingests(self, deaths: list[int], cutoff: int) -> None:
        """An ingest, of which the first tries may die; after a death the store is what it was or what it will be."""
        found = {digest(path): content for path, content in self.lying.items()}
        new = {name: self.accepted(content) for name, content in found.items() if name not in self.taken}
        taken = {name: self.taken[name] for name in found.keys() & self.taken.keys()} | new
        before = self.held()
        between = [self.dies(at) for at in deaths]
        if not any(isinstance(row, Row) for content in taken.values() for row in content):
            with pytest.raises(LogError, match="no good row among"):
                self.brings()
            assert {*between, before} - {None} == {self.held()}
            return
        self.brings()
        self.taken = taken
        assert set(between) <= {before, self.held(), None}
        self.scores(cutoff)

    def scores(self, cutoff: int) -> None:
        """Every feature of everybody is what its definition says of the events that were accepted."""
        world = self.world()
        found: dict[str, Floats] = {}
        for journeys in opened(self.config()).buckets():
            grid = Rows.grid(len(journeys), np.array([cutoff]))
            values = panel(journeys, grid, EVERY_FEATURE).values
            found |= dict(zip(journeys.customers, values, strict=True))
        assert sorted(found) == world.customers
        self.toll.tell(scored=self.toll.more.get("scored", 0) + len(found))
        for customer, row in found.items():
            expected = list(map(oracle(world, customer, cutoff), EVERY_FEATURE.declared))
            np.testing.assert_allclose(row, expected, rtol=1e-12, err_msg=f"{customer} at {cutoff}")

    def teardown(self) -> None:
        """The store is that of an ingest of the same events, each once, in one file."""
        if not hasattr(self, "folder"):
            return
        try:
            if self.taken:
                assert self.held() == self.reference()
        finally:
            shutil.rmtree(self.folder)

    def put(self, path: Path, content: Sequence[Row | Fact]) -> None:
        write(path, [row.raw() if isinstance(row, Row) else raw_fact(row) for row in content])
        self.lying[path] = content

    def accepted(self, content: Sequence[Row | Fact]) -> Sequence[Row | Fact]:
        """The rows that do not lie further ahead of the clock than they may."""
        good = [row for row in content if known(row.event if isinstance(row, Row) else row) <= self.clock + AHEAD_US]
        self.toll.fault(len(content) - len(good))
        return good

    def config(self) -> Config:
        return config(self.folder, **LOG, **WAYS[self.way])

    def brings(self) -> None:
        with mock.patch.object(build, "ROWS_PER_BUCKET", self.rows_per_bucket):
            run(self.config(), now=self.clock)

    def dies(self, at: int) -> str | None:
        """What the store holds after an ingest that dies; None when it did not live to die, or failed before."""
        try:
            with dying(at):
                self.brings()
        except Died:
            self.toll.fault()
            return self.held()
        except LogError:
            return None
        return self.held()

    def held(self) -> str:
        if not (self.folder / "workspace" / "store" / "manifest.json").exists():
            return NOTHING
        return state_digest(opened(self.config()))

    def unique(self) -> list[Row]:
        """The accepted events, each once: by id, then by content."""
        every = {row: None for content in self.taken.values() for row in content if isinstance(row, Row)}
        if self.way == "drop_duplicates":
            return list(every)
        keyless = [row for row in every if row.key is None]
        best: dict[str, Row] = {}
        for row in sorted((row for row in every if row.key is not None), key=lambda row: row.rank):
            best.setdefault(str(row.key), row)
        return [*keyless, *best.values()]

    def people(self) -> list[Fact]:
        return list({row: None for content in self.taken.values() for row in content if isinstance(row, Fact)})

    def world(self) -> World:
        return World(tuple(row.event for row in self.unique()), tuple(self.people()))

    def reference(self) -> str:
        """The state of a store that took every event once."""
        clean = self.folder / "clean"
        write(clean / "log" / "all.jsonl", [row.raw() for row in self.unique()])
        write(
            clean / "people" / "all.jsonl", [raw_fact(fact) for fact in self.people()] or [{"who": None, "since": None}]
        )
        reference = config(clean, **LOG, **WAYS[self.way])
        run(reference, now=self.clock)
        return state_digest(opened(reference))


def test_order_splits_duplicates_and_deaths_change_nothing(toll: Toll) -> None:
    class Tolled(Shop):
        pass

    Tolled.toll = toll
    examples, steps = size((5, 8), (60, 10), (10_000, 10))
    quick = settings(
        max_examples=examples, stateful_step_count=steps, phases=set(Phase) - {Phase.shrink}
    )  # it takes ages
    run_state_machine_as_test(Tolled, settings=quick)
    toll.settle(at_least=examples)
