import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from features.journeys import Floats
from models.action import Actions
from training import plots
from training.curves import equal_groups, gained, rate_interval, thinned

N = 400
CHANCE = np.random.default_rng(5)
MODEL = CHANCE.beta(2, 3, N)
TRUTH = (CHANCE.random(N) < MODEL).astype(np.float64)
BASELINE = np.round(MODEL, 1)
MONEY = TRUTH * CHANCE.lognormal(4, 1, N)
T = "shop.churn"
ACTIONS = Actions(
    horizon_days=14,
    nothing="none",
    actions=("mens", "none", "womens"),
    value=(1.6, 1.0, 0.9),
    gain=(0.6, 0.0, -0.1),
    low=(0.3, 0.0, -0.3),
    high=(0.9, 0.0, 0.1),
    count=(100, 90, 1),
    costs=(0.1, 0.0, 0.1),
    grade="B",
)


def labels(figure: Figure) -> str:
    texts = [figure.get_suptitle()]
    for axes in figure.axes:
        legend = axes.get_legend()
        texts += [axes.get_title("left"), *(text.get_text() for text in axes.texts)]
        texts += [text.get_text() for text in legend.get_texts()] if legend else []
    return "\n".join(texts)


def every_figure(truth: Floats, money: Floats, model: Floats, baseline: Floats) -> dict[str, Figure]:
    return {
        "ranking": plots.ranking(truth, model, baseline, title=T),
        "gains": plots.gains(money, model, baseline, title=T, what="value"),
        "reliability": plots.reliability(truth, model, baseline, title=T),
        "distribution": plots.distribution(truth, model, title=T, happened="left", otherwise="stayed"),
        "deciles": plots.deciles(money, model, baseline, title=T),
        "coverage": plots.coverage(money, model, model * 0, model * 9, title=T),
        "importance": plots.importance(["days since the last purchase", "number of visits"], model[:2], title=T),
        "actions": plots.actions(ACTIONS, title=T),
    }


@pytest.mark.parametrize(("name", "figure"), every_figure(TRUTH, MONEY, MODEL, BASELINE).items())
def test_every_figure_is_a_png_of_readable_size_with_its_title(name: str, figure: Figure) -> None:
    image = Image.open(io.BytesIO(plots.png(figure)))
    assert image.format == "PNG"
    assert 700 <= image.width <= 1600
    assert T in labels(figure)


@pytest.mark.parametrize("outcomes", [[], [1.0], [0.0, 0.0], [0.0, 1.0]])
def test_a_small_shop_gets_its_figures_too(outcomes: list[float]) -> None:
    truth, n = np.array(outcomes), len(outcomes)
    for figure in every_figure(truth, truth, MODEL[:n], BASELINE[:n]).values():
        figure.set_dpi(30)
        assert plots.png(figure).startswith(b"\x89PNG")


def test_equal_predictions_for_everybody_are_drawn() -> None:
    for figure in every_figure(TRUTH, MONEY, np.full(N, 0.3), np.full(N, 0.3)).values():
        figure.set_dpi(30)
        assert plots.png(figure).startswith(b"\x89PNG")


def test_one_outcome_only_says_why_there_is_no_ranking() -> None:
    assert "All 400 test rows have the same outcome" in labels(plots.ranking(TRUTH * 0, MODEL, BASELINE, title=T))


def test_net_refunds_say_why_there_are_no_gains() -> None:
    assert "hold no value" in labels(plots.gains(-MONEY, MODEL, BASELINE, title=T, what="value"))


def test_the_legend_tells_model_from_baseline_by_figure() -> None:
    text = labels(plots.ranking(np.array([0.0, 0, 1, 1]), np.array([1.0, 2, 3, 4]), np.array([4.0, 3, 2, 1]), title=T))
    assert "model  AUROC 1.000" in text
    assert "baseline  AUROC 0.000" in text


def test_importance_counts_what_is_used_and_cuts_long_names() -> None:
    figure = plots.importance(
        ["x" * 200, *("y" * k for k in range(1, 30))], np.r_[50.0, np.ones(24), np.zeros(5)], title=T
    )
    axes = figure.axes[0]
    assert axes.get_xlabel() == "share of the total gain; 20 of 25 features in use, 30 offered"
    assert max(len(label.get_text()) for label in axes.get_yticklabels()) == plots.LONGEST_LABEL
    assert axes.get_yticklabels()[-1].get_text().startswith("xxx")  # the largest is on top


def test_drawing_leaves_no_global_state() -> None:
    from matplotlib import pyplot as plt

    plots.png(plots.ranking(TRUTH, MODEL, BASELINE, title=T))
    assert plt.get_fignums() == []


def test_the_same_figure_has_the_same_bytes() -> None:
    first, second = (plots.png(plots.ranking(TRUTH, MODEL, BASELINE, title=T)) for _ in range(2))
    assert first == second


def test_groups_partition_the_rows_and_keep_equal_scores_together() -> None:
    groups = equal_groups(BASELINE, 10)
    assert sorted(np.concatenate(groups)) == list(range(N))
    assert sum(len(np.unique(BASELINE[group])) for group in groups) == len(np.unique(BASELINE))


def test_gained_is_the_same_in_whatever_order_rows_come() -> None:
    order = CHANCE.permutation(N)
    np.testing.assert_allclose(gained(TRUTH[order], BASELINE[order]), gained(TRUTH, BASELINE))
    np.testing.assert_allclose(gained(TRUTH, BASELINE)[-1], TRUTH.sum())


def test_rate_intervals_hold_the_rate_and_stay_within_bounds() -> None:
    low, high = rate_interval(np.array([0.0, 5, 10]), np.array([10.0, 10, 10]))
    assert (low <= [0, 0.5, 1]).all()
    assert (high >= [0, 0.5, 1]).all()
    assert low.min() == 0
    assert high.max() == 1


def test_a_thinned_curve_keeps_its_ends_and_its_points() -> None:
    x, y = thinned(np.arange(1e5), np.arange(1e5) ** 2, most=100)
    assert (x[0], x[-1], len(x)) == (0, 99_999, 100)
    np.testing.assert_array_equal(y, x**2)


def test_actions_stand_best_on_top_without_the_nothing_they_are_held_against() -> None:
    ticks = [label.get_text() for label in plots.actions(ACTIONS, title=T).axes[0].get_yticklabels()]
    assert ticks == ["womens\n1 decisions", "mens\n100 decisions"]


def test_only_nothing_was_done_says_so() -> None:
    alone = replace(ACTIONS, actions=("none",), gain=(0.0,), low=(0.0,), high=(0.0,), count=(9,))
    assert "No action but 'none' was taken" in labels(plots.actions(alone, title=T))
