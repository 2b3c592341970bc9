"""The same request again: the training that is finished is returned, and what people decided since is kept."""

from pathlib import Path
from typing import Any

import pytest

from features.config.sections import Config
from models.actor import Actor
from models.promotion import Promotion
from models.registry.removal import past_runs
from tests.support.log_files import opened, run, write
from tests.support.training_shop import config, crowd
from training.compare.comparison import compare
from training.run import Outcome, train

ANNA = Actor("anna", 5)


@pytest.fixture
def shop(tmp_path: Path) -> Config:
    made = config(tmp_path)
    write(tmp_path / "log" / "rows.jsonl", crowd(60, 160))
    run(made)
    return made


def trained(shop: Config, as_of: str, **options: Any) -> Outcome:
    (outcome,) = train(shop, opened(shop), ["churn"], as_of=as_of, trials=0, who="cron", clock=lambda: 1, **options)
    return outcome


def moves(shop: Config) -> list[tuple[str, int]]:
    return [(entry.what, entry.version) for entry in Promotion.open(shop).history("churn")]


def test_a_finished_training_is_not_done_again(shop: Config) -> None:
    first, again = trained(shop, "2024-05-15"), trained(shop, "2024-05-15")
    assert (first.finished_before, again.finished_before) == (False, True)
    assert (again.version, again.bundle.digest) == (first.version, first.bundle.digest)
    assert again.verdict.serves_already
    parents = [one for one in past_runs(Promotion.open(shop).registry) if one.parent is None]
    assert len(parents) == 1
    assert moves(shop) == [("registered", 1), ("promoted", 1)]


def test_another_seed_is_another_request(shop: Config) -> None:
    trained(shop, "2024-05-15")
    other = shop.model_copy(update={"seed": 8})
    assert not trained(other, "2024-05-15").finished_before


def test_what_was_trained_without_promotion_is_promoted_by_the_same_request_with_it(shop: Config) -> None:
    first = trained(shop, "2024-05-15", promote=False)
    again = trained(shop, "2024-05-15")
    assert (first.promoted, again.promoted, again.finished_before) == (False, True, True)
    assert moves(shop) == [("registered", 1), ("promoted", 1)]
    entry = Promotion.open(shop).history("churn")[-1]
    assert entry.evidence["gate"] == first.verdict.record()


def test_what_somebody_rolled_back_is_not_promoted_again_by_training(shop: Config) -> None:
    trained(shop, "2024-05-01")
    newer = trained(shop, "2024-05-29", promote=False)
    succession = Promotion.open(shop)
    succession.promote(
        "churn", succession.registry.version("churn", newer.version), ANNA, why="looks good", evidence={}
    )
    succession.rollback("churn", ANNA, why="complaints")
    again = trained(shop, "2024-05-29")
    assert again.finished_before
    assert not again.promoted
    assert "anna rolled it back" in again.verdict.reason
    champion = succession.registry.champion("churn")
    assert champion is not None
    assert champion.version == 1
    assert moves(shop)[-1] == ("refused", 2)


def test_what_is_judged_again_is_compared_as_the_ledger_says(shop: Config) -> None:
    trained(shop, "2024-05-01")
    waiting = trained(shop, "2024-05-29", promote=False)
    newer = trained(shop, "2024-05-30", promote=False)
    succession = Promotion.open(shop)
    succession.promote(
        "churn", succession.registry.version("churn", newer.version), ANNA, why="looks good", evidence={}
    )
    again = trained(shop, "2024-05-29", promote=False)
    assert (again.version, again.finished_before) == (waiting.version, False)
    gate = compare(succession, "churn").gate
    assert gate is not None
    assert (gate.version, gate.how[:10]) == (waiting.version, "Against v3")
