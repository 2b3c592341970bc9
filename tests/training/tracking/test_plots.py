import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from features.arrays import Floats
from models.predictor.actions import Actions
from training.evaluation.diagnostics import Attributions, LearningPoint, SliceFigures
from training.tracking.plots import actions, attributions, canvas, diagnostics, money, probability, search
from training.tracking.plots.curves import equal_groups, gained, rate_interval, thinned
from training.tracking.plots.gains import gains

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
    metrics={"policy_value": [1.6, 1.4, 1.8], "logged_value": [1.2, 1.1, 1.3], "nothing_value": [1.0, 0.9, 1.1]},
    notes=("chosen on earlier decisions, measured on later",),
)
LEARNT = (LearningPoint(0.25, 100, 400, [0.55, 0.5, 0.6]), LearningPoint(1.0, 400, 1600, [0.5, 0.45, 0.55]))
FIGURES: dict[str, list[float | None]] = {"auroc": [0.8, 0.7, 0.9], "log_loss": [0.5, 0.4, 0.6]}
PERIODS = (
    SliceFigures("2024-01-01", 300, 0.4, FIGURES, FIGURES),
    SliceFigures("2024-04-01", 400, 0.5, FIGURES, FIGURES),
)
TRIALS = (
    {"trial": 0, "state": "complete", "loss": 0.5},
    {"trial": 1, "state": "pruned", "loss": 0.6},
    {"trial": 2, "state": "complete", "loss": 0.4},
    {"trial": 3, "state": "failed", "loss": None},
)


def moved(model: Floats) -> Attributions | None:
    """Two features; the second is unknown for the first half."""
    if not len(model):
        return None
    values = np.column_stack([model, np.where(np.arange(len(model)) < len(model) / 2, np.nan, model)])
    return Attributions(np.array([0, 1]), values, np.column_stack([model - model.mean(), -model]))


def labels(figure: Figure) -> str:
    texts = [figure.get_suptitle()]
    for axes in figure.axes:
        legend = axes.get_legend()
        texts += [axes.get_title("left"), *(text.get_text() for text in axes.texts)]
        texts += [text.get_text() for text in legend.get_texts()] if legend else []
    return "\n".join(texts)


def every_figure(truth: Floats, paid: Floats, model: Floats, baseline: Floats) -> dict[str, Figure]:
    return {
        "ranking": probability.ranking(truth, model, baseline, title=T),
        "gains": gains(paid, model, baseline, title=T, what="value"),
        "reliability": probability.reliability(truth, model, baseline, title=T),
        "distribution": probability.distribution(truth, model, title=T, happened="left", otherwise="stayed"),
        "deciles": money.deciles(paid, model, baseline, title=T),
        "coverage": money.coverage(paid, model, model * 0, model * 9, title=T),
        "importance": attributions.importance(["days since the last purchase", "number of visits"], model[:2], title=T),
        "actions": actions.actions(ACTIONS, title=T),
        "values": actions.values(ACTIONS, title=T),
        "learning": diagnostics.learning(LEARNT, (0.6, 0.5, 0.7), title=T, money=False),
        "stability": diagnostics.stability(PERIODS, title=T),
        "shap": attributions.shap(["days since the last purchase", "visits"], moved(model), title=T, unit="moved by"),
        "history": search.history(TRIALS, title=T),
        "importances": search.importances({"min_data_in_leaf": 0.7, "num_leaves": 0.3}, title=T),
    }


@pytest.mark.parametrize(("name", "figure"), every_figure(TRUTH, MONEY, MODEL, BASELINE).items())
def test_every_figure_is_a_png_of_readable_size_with_its_title(name: str, figure: Figure) -> None:
    image = Image.open(io.BytesIO(canvas.png(figure)))
    assert image.format == "PNG"
    assert 700 <= image.width <= 1600
    assert T in labels(figure)


@pytest.mark.parametrize("outcomes", [[], [1.0], [0.0, 0.0], [0.0, 1.0]])
def test_a_small_shop_gets_its_figures_too(outcomes: list[float]) -> None:
    truth, n = np.array(outcomes), len(outcomes)
    for figure in every_figure(truth, truth, MODEL[:n], BASELINE[:n]).values():
        figure.set_dpi(30)
        assert canvas.png(figure).startswith(b"\x89PNG")


def test_equal_predictions_for_everybody_are_drawn() -> None:
    for figure in every_figure(TRUTH, MONEY, np.full(N, 0.3), np.full(N, 0.3)).values():
        figure.set_dpi(30)
        assert canvas.png(figure).startswith(b"\x89PNG")


def test_one_outcome_only_says_why_there_is_no_ranking() -> None:
    assert "All 400 test rows have the same outcome" in labels(probability.ranking(TRUTH * 0, MODEL, BASELINE, title=T))


def test_net_refunds_say_why_there_are_no_gains() -> None:
    assert "hold no value" in labels(gains(-MONEY, MODEL, BASELINE, title=T, what="value"))


def test_the_legend_tells_model_from_baseline_by_figure() -> None:
    text = labels(
        probability.ranking(np.array([0.0, 0, 1, 1]), np.array([1.0, 2, 3, 4]), np.array([4.0, 3, 2, 1]), title=T)
    )
    assert "model  AUROC 1.000" in text
    assert "baseline  AUROC 0.000" in text


def test_importance_counts_what_is_used_and_cuts_long_names() -> None:
    figure = attributions.importance(
        ["x" * 200, *("y" * k for k in range(1, 30))], np.r_[50.0, np.ones(24), np.zeros(5)], title=T
    )
    axes = figure.axes[0]
    assert axes.get_xlabel() == "share of the total gain\n20 of 25 features in use, 30 offered"
    assert max(len(label.get_text()) for label in axes.get_yticklabels()) == canvas.LONGEST_LABEL
    assert axes.get_yticklabels()[-1].get_text().startswith("xxx")  # the largest is on top


def test_drawing_leaves_no_global_state() -> None:
    from matplotlib import pyplot as plt

    canvas.png(probability.ranking(TRUTH, MODEL, BASELINE, title=T))
    assert plt.get_fignums() == []


def test_the_same_figure_has_the_same_bytes() -> None:
    first, second = (canvas.png(probability.ranking(TRUTH, MODEL, BASELINE, title=T)) for _ in range(2))
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
    ticks = [label.get_text() for label in actions.actions(ACTIONS, title=T).axes[0].get_yticklabels()]
    assert ticks == ["womens\n1 decisions", "mens\n100 decisions"]


def test_only_nothing_was_done_says_so() -> None:
    alone = replace(ACTIONS, actions=("none",), gain=(0.0,), low=(0.0,), high=(0.0,), count=(9,))
    assert "No action but 'none' was taken" in labels(actions.actions(alone, title=T))


def test_the_learning_curve_says_how_many_customers_each_point_learnt_from() -> None:
    axes = diagnostics.learning(LEARNT, (0.6, 0.5, 0.7), title=T, money=False).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [
        "1/4\n100 customers\n400 rows",
        "all\n400 customers\n1,600 rows",
    ]
    assert axes.lines[0].get_ydata() == pytest.approx([0.55, 0.5])


def test_the_learning_curve_of_money_is_drawn_in_money() -> None:
    squared = (LearningPoint(1.0, 9, 9, [400.0, 100.0, 900.0]),)
    axes = diagnostics.learning(squared, (900.0, 400.0, 1600.0), title=T, money=True).axes[0]
    assert axes.lines[0].get_ydata() == pytest.approx([20.0])


def test_stability_says_that_only_the_last_period_tests_the_choice() -> None:
    left, right = diagnostics.stability(PERIODS, title=T).axes
    assert [axes.get_title("left")[:8] for axes in (left, right)] == ["AUROC (h", "log-loss"]
    assert "only the last one is a test of the choice" in right.get_xlabel()
    assert (
        diagnostics.stability(PERIODS[1:], title=T).axes[1].get_xlabel() == "history is too short for an earlier period"
    )


def test_a_period_whose_figure_says_nothing_is_drawn() -> None:
    nothing: dict[str, list[float | None]] = {"auroc": [None, None, None], "log_loss": [0.5, 0.4, 0.6]}
    assert canvas.png(diagnostics.stability([SliceFigures("2024-01-01", 3, 0.0, nothing, nothing)], title=T))


def test_the_search_marks_what_was_stopped_and_what_failed_and_where_the_best_is() -> None:
    text = labels(search.history(TRIALS, title=T))
    assert "1 stopped early" in text
    assert "1 failed" in text
    assert "best, trial 2" in text
    steps = search.history(TRIALS, title=T).axes[0].lines[0].get_ydata()
    assert steps == pytest.approx([0.5, 0.4, 0.4])


@pytest.mark.parametrize(
    ("figure", "sentence"),
    [
        (diagnostics.learning((), (), title=T, money=False), "no later rows"),
        (diagnostics.stability((), title=T), "no later rows"),
        (attributions.shap([], None, title=T, unit=""), "every customer gets the same answer"),
        (search.history((), title=T), "No search"),
        (search.importances({}, title=T), "Too few trials"),
        (actions.values(replace(ACTIONS, metrics={}), title=T), "no policy has a value yet"),
    ],
)
def test_what_cannot_be_shown_says_why(figure: Figure, sentence: str) -> None:
    assert sentence in labels(figure)


def test_a_long_name_keeps_its_window() -> None:
    text = canvas.cut("number of different values of channel in events of any kind whatsoever in the last 90 days")
    assert len(text) == canvas.LONGEST_LABEL
    assert text.endswith("in the last 90 days")


def test_points_of_equal_place_are_spread_to_both_sides_within_their_row() -> None:
    heights = attributions._swarm(np.r_[np.zeros(50), 1.0])
    assert abs(heights).max() <= 0.5
    assert len(np.unique(heights[:50])) == 50
    assert heights[50] == 0
