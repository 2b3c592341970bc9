"""The search for growth: where it begins, what bounds it, and that it can be repeated."""

import pytest

from models.boosted import Growth, Stop
from training.tune import Budget, Found, search

START, CHAMPION = Growth(min_rows=40), Growth(leaves=5, min_rows=9000, feature_share=0.2, row_share=0.9, l2=3.0)


def bowl(growth: Growth, stop: Stop) -> tuple[int, float]:
    """A loss that is lowest at 12 leaves and l2 of 20; pruned trials end early."""
    loss = abs(growth.leaves - 12) / 12 + abs(growth.l2 - 20) / 20
    stopped = any(stop(trees, loss + 10 / trees) for trees in range(10, 101, 10))
    return (10 if stopped else 100), loss


def found(**keys: float) -> Found:
    return search(bowl, START, budget=Budget(**{"trials": 12, **keys}), seed=1)  # type: ignore[arg-type]


def test_without_trials_the_start_is_taken_as_it_is() -> None:
    assert found(trials=0).growth == START
    assert len(found(trials=0).trials) == 1


def test_a_search_never_ends_worse_than_it_began_and_equal_seeds_give_equal_trials() -> None:
    assert found().loss <= bowl(START, lambda _, __: False)[1]
    assert found() == found()


def test_the_champion_is_tried_second_inside_of_what_is_searched() -> None:
    made = search(bowl, START, budget=Budget(3, champion=CHAMPION), seed=1)
    assert made.trials[0]["leaves"] == START.leaves
    assert made.trials[1]["leaves"] == CHAMPION.leaves
    assert made.trials[1]["l2"] == CHAMPION.l2
    assert made.trials[1]["min_rows"] == 8 * START.min_rows


@pytest.mark.parametrize("trials", [0, 1])
def test_where_one_trial_is_all_it_is_the_start(trials: int) -> None:
    assert len(search(bowl, START, budget=Budget(trials, champion=CHAMPION), seed=1).trials) == 1


def test_minutes_bound_the_search_instead_of_trials() -> None:
    made = found(trials=0, minutes=0.01)
    assert len(made.trials) > 1
    assert made.loss <= bowl(START, lambda _, __: False)[1]
