"""What holds worlds against the truth, on made-up worlds whose verdict is known; and one small shop from end to end."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.known_truth.simulated_shops import SIZES, Told, World, kept, worlds
from benchmarks.known_truth.verdict import judged
from features.arrays import Floats


def made_up(said: Floats | None = None, baseline: float = 0.3, customers: int = 4000, seed: int = 1) -> Told:
    """Chances between 0.02 and 0.58, what came of them, and what is said: the chances themselves unless given."""
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.02, 0.58, customers)
    spoken = chance if said is None else said
    came = (rng.random(customers) < chance).astype(np.float64)
    low, high = spoken * 0.9, np.minimum(spoken * 1.1, 1.0)
    return Told(chance, came, spoken, low, high, np.full(customers, baseline), "rule", "B")


def chances(customers: int = 4000, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).uniform(0.02, 0.58, customers)


def test_the_truth_itself_passes_everything() -> None:
    verdict = judged(made_up())
    assert not verdict.behind_baseline
    assert not verdict.ahead_of_truth
    assert verdict.ece_holds
    assert verdict.slope_holds
    assert verdict.answered
    assert verdict.excess == pytest.approx(0.0, abs=1e-12)
    assert verdict.skill > 0.05


def test_scores_turned_round_are_behind_the_baseline() -> None:
    verdict = judged(made_up(0.6 - chances()))
    assert verdict.behind_baseline
    assert verdict.skill < 0


def test_scores_that_know_what_came_are_ahead_of_the_truth() -> None:
    known = made_up()
    verdict = judged(made_up(np.where(known.came > 0, 0.6, 0.05)))
    assert verdict.ahead_of_truth


def test_scores_spread_too_wide_fail_slope_and_calibration() -> None:
    odds = np.log(chances() / (1 - chances()))
    verdict = judged(made_up(1 / (1 + np.exp(-2 * odds))))
    assert verdict.slope_holds is False
    assert not verdict.ece_holds


def test_nobody_falling_silent_proves_nothing() -> None:
    few = 50
    chance, said, baseline = np.full(few, 0.01), np.full(few, 0.02), np.full(few, 0.011)
    verdict = judged(Told(chance, np.zeros(few), said, said, said, baseline, "rule", "D"))
    assert not verdict.behind_baseline
    assert verdict.slope_holds is None


@pytest.mark.parametrize(
    ("said", "grade"), [(np.full(10, np.nan), "C"), (np.full(10, 1.5), "C"), (np.full(10, 0.5), "")]
)
def test_an_answer_needs_chances_and_a_grade(said: Floats, grade: str) -> None:
    half = np.full(10, 0.5)
    came = (np.arange(10) < 5).astype(np.float64)
    assert not judged(Told(half, came, said, np.zeros(10), np.ones(10), half, "rule", grade)).answered


def test_a_hundred_worlds_lie_in_every_cell() -> None:
    every = worlds(100)
    counts = [
        sum((one.customers, one.silent) == cell for one in every)
        for cell in {(size, silent) for size in SIZES for silent in (0.01, 0.10, 0.40)}
    ]
    assert (len(every), len(counts), min(counts), max(counts)) == (100, 12, 8, 9)
    assert len({one.seed for one in every}) == 100


def test_one_stroke_of_bad_luck_proves_nothing() -> None:
    few = 50
    chance, said, baseline = np.full(few, 0.002), np.full(few, 0.002), np.full(few, 0.02)
    came = (np.arange(few) == 7).astype(np.float64)
    assert not judged(Told(chance, came, said, said, said, baseline, "rule", "D")).behind_baseline


def test_a_small_shop_is_answered_and_not_behind_its_baseline(tmp_path: Path) -> None:
    found = kept(World(200, 0.40, 4), tmp_path / "told.npz", trials=1)
    assert 0.3 < found.chance.mean() < 0.5
    assert abs(found.came.mean() - found.chance.mean()) < 4 * np.sqrt(0.25 / len(found.came))
    verdict = judged(found)
    assert verdict.answered
    assert not verdict.behind_baseline
    assert not verdict.ahead_of_truth
    assert kept(World(200, 0.40, 4), tmp_path / "told.npz").said.tolist() == found.said.tolist()
