"""The logistic that serves: the same bits alone and among many, bounded, and with reasons that add up."""

import json
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from scipy.special import logit

from features.arrays import Floats
from models.ladder.average import moved
from models.ladder.lightgbm import QUIET, Trees
from models.ladder.logistic import WIDEST, Logistic, Standardizer
from models.ladder.packing import unpack
from models.ladder.rung import Rung
from models.ladder.trees import Probability
from tests.models.btyd.test_expectations import NAMES, POSITION, PROBABLE, SILENCE, customers

COLUMNS = (NAMES[4], NAMES[5], NAMES[6])
RNG = np.random.default_rng(11)


def linear(width: int, blanks: tuple[int, ...]) -> Logistic:
    """A logistic of COLUMNS with made-up weights."""
    scale = Standardizer(RNG.normal(1.0, 1.0, width), RNG.uniform(0.5, 2.0, width))
    return Logistic(COLUMNS, scale, blanks, RNG.normal(0, 0.4, width + len(blanks)), -0.7)


def trees() -> Trees:
    rows = customers(300)
    label = np.random.default_rng(2).random(300) < 0.4
    parameters = {**QUIET, "objective": "binary", "num_leaves": 4, "num_threads": 1}
    return Trees.from_text(lgb.train(parameters, lgb.Dataset(rows, label.astype(float)), 5).model_to_string())


PLAIN = linear(3, (2,))
STARTED = replace(linear(7, (2, 3)), process=PROBABLE)
NOTHING = Logistic((), Standardizer(np.zeros(0), np.zeros(0)), (), np.zeros(0), 0.3)
RUNGS: dict[str, Rung] = {
    "plain": PLAIN,
    "from a process": STARTED,
    "no columns": NOTHING,
    "trees from a base": Probability(trees(), base=-1.25),
    "trees from a process": Probability(trees(), process=PROBABLE),
}
each = pytest.mark.parametrize("rung", RUNGS.values(), ids=RUNGS.keys())


def extreme(count: int, seed: int) -> Floats:
    """Customers, some with values that are absent, infinite or huge."""
    rows = customers(count, seed)
    rows[1::9, 5], rows[2::9, 4], rows[3::9, 4], rows[4::9, 6] = np.inf, -np.inf, 1e300, np.nan
    return rows


@each
def test_a_row_alone_has_the_bits_it_has_among_many_in_any_order_of_memory(rung: Rung) -> None:
    rows = extreme(700, seed=3)
    together = rung.predict(rows, POSITION).mean
    assert np.isfinite(together).all()
    assert rung.predict(np.asfortranarray(rows), POSITION).mean.tobytes() == together.tobytes()
    assert rung.predict(rows[::-1], POSITION).mean[::-1].tobytes() == together.tobytes()
    for row in range(0, 700, 31):
        alone = rung.predict(rows[row : row + 1], POSITION).mean
        assert alone.tobytes() == together[row : row + 1].tobytes()


@each
def test_a_rung_comes_back_from_json_with_all_bits(rung: Rung) -> None:
    plain, texts = rung.pack()
    again, rows = unpack(json.loads(json.dumps(plain)), texts), extreme(90, seed=4)
    assert again.predict(rows, POSITION).mean.tobytes() == rung.predict(rows, POSITION).mean.tobytes()
    assert json.dumps(again.pack()) == json.dumps((plain, texts))


@pytest.mark.parametrize("rung", [PLAIN, STARTED], ids=["plain", "from a process"])
def test_what_moved_a_row_adds_up_to_its_log_odds(rung: Logistic) -> None:
    rows = customers(200, seed=5)
    if (
        rung.process is not None
    ):  # its reasons are against a first purchase just now, and without the bound of the start
        sure = rung.process.predict(rows, POSITION).mean
        rows = rows[~np.isnan(rows[:, 0]) & (sure > 0.002) & (sure < 0.998)]
    rest = logit(rung.predict(rows, POSITION).mean) - moved(rung, rows, POSITION).sum(axis=1)
    assert len(rows) > 50
    assert rest == pytest.approx(np.full(len(rows), rest[0]))


def test_trees_from_a_base_are_moved_from_there() -> None:
    rows, grown = customers(100, seed=6), trees()
    on_top = Probability(grown, base=0.5).predict(rows, POSITION).mean
    assert logit(on_top) == pytest.approx(grown.raw(rows) + 0.5)
    from_process = Probability(grown, process=PROBABLE).predict(rows, POSITION).mean
    begun = np.clip(PROBABLE.predict(rows, POSITION).mean, 0.001, 0.999)
    assert logit(from_process) == pytest.approx(grown.raw(rows) + logit(begun))


def test_nobody_stands_further_out_than_five() -> None:
    scale = Standardizer(np.array([0.0, 2.0]), np.array([0.5, 1e-3]))
    rows = np.array([[np.inf, -np.inf], [np.nan, np.nan], [-1e300, 1e300], [0.1, 6.3]])
    units = scale.standardized(rows)
    assert units[:2].tolist() == [[WIDEST, -WIDEST], [0.0, 0.0]]
    assert (np.abs(units) <= WIDEST).all()
    assert units.flags.c_contiguous


def test_a_value_never_seen_moves_no_further_than_the_widest() -> None:
    rows = np.repeat(customers(2, seed=7)[1:2], 3, axis=0)
    rows[:, POSITION[COLUMNS[0]]] = [1e6, 1e12, 1e300]
    means = PLAIN.predict(rows, POSITION).mean
    assert means[0] == means[1] == means[2]


def test_what_a_process_expects_is_read_after_the_features() -> None:
    assert len(STARTED.weights) == len(COLUMNS) + len(SILENCE.shown) + 1 + len(STARTED.blanks)
    never = customers(8, seed=8)[:1]
    assert np.isfinite(STARTED.predict(never, POSITION).mean).all()
    assert not moved(STARTED, never, POSITION)[0, POSITION[SILENCE.days]]  # it starts from the rate of the others
