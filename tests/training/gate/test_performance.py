"""What the conditions on shared rows say where a figure has no value."""

from pathlib import Path

import numpy as np

from features.language.feature_set import FeatureSet
from features.timeline import instant
from tests.support.training_shop import config
from training.dataset.examples import Examples
from training.dataset.labels import Labels
from training.fit.recipe import Question
from training.gate.performance import calibration
from training.gate.shared_rows import Match, Scored


def match_of_money(outcome: list[float], tmp_path: Path) -> Match:
    """Two models of these rows, whose intervals hold every outcome."""
    rows = len(outcome)
    cutoff = instant("2024-06-01", "UTC")
    customers = np.array([f"c{number}" for number in range(rows)], object)
    truth = np.array(outcome)
    examples = Examples(customers, np.full(rows, cutoff), np.zeros((rows, 0)), Labels(truth, (truth != 0) * 1.0))
    scored = Scored(np.ones(rows), np.full(rows, -10.0), np.full(rows, 10.0), "A")
    question = Question(config(tmp_path).task("value"), 30, FeatureSet(()), seed=7, threads=1)
    return Match(30, cutoff, "fair", question, examples, scored, scored, np.ones(rows), cap=10.0)


def test_a_bias_that_cannot_be_measured_is_said_and_not_called_0(tmp_path: Path) -> None:
    condition = calibration(match_of_money([0.0] * 20, tmp_path))
    assert condition.passed
    assert "its bias could not be measured, because the outcomes of these rows sum to no money" in condition.message
    assert "bias of 0.00" not in condition.message
    assert condition.figures["parts"]["bias"] is None


def test_a_bias_that_can_be_measured_is_among_the_figures(tmp_path: Path) -> None:
    condition = calibration(match_of_money([2.0] * 20, tmp_path))
    assert condition.figures["parts"]["bias"]["own"] == 0.5
