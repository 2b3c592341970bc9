"""Actions: what each brings, and what policies are worth."""

from matplotlib.figure import Figure

from models.predictor.actions import Actions
from training.tracking.plots.canvas import BLUE, GREY, INK, ORANGE, VERMILION, cut, dress, nothing, panels


def actions(predictor: Actions, *, title: str) -> Figure:
    """What each action brings over doing nothing, best on top."""
    order = [action for action in reversed(predictor.ranking) if predictor.actions[action] != predictor.nothing]
    if not order:
        return nothing(title, f"No action but '{predictor.nothing}' was taken.")
    figure, (axes,) = panels(title, 1, size=(8.0, 1.6 + 0.5 * len(order)))
    axes.axvline(0, color=INK, linewidth=1)
    for row, action in enumerate(order):
        gain, low, high = predictor.gain[action], predictor.low[action], predictor.high[action]
        colour = BLUE if low > 0 else VERMILION if high < 0 else GREY
        axes.plot([low, high], [row, row], color=colour, linewidth=3, solid_capstyle="round")
        axes.plot(gain, row, "o", color=colour, markersize=9)
        axes.annotate(f"{gain:+,.3g}", (gain, row), (0, 9), textcoords="offset points", ha="center", color=INK)
    dress(axes, f"Gain over '{cut(predictor.nothing)}', after cost", "gain per customer, with its 90% interval", None)
    axes.set_yticks(
        range(len(order)),
        [f"{cut(predictor.actions[action])}\n{predictor.count[action]:,} decisions" for action in order],
    )
    axes.set_ylim(-0.6, len(order) - 0.3)
    axes.margins(x=0.08)
    axes.grid(axis="y", visible=False)
    return figure


POLICIES = {
    "policy_value": "the policy: the best action\nof decisions not measured on",
    "best_constant_value": "the best constant action\nof all decisions",
    "logged_value": "what was done",
    "nothing_value": "doing nothing",
}


def values(predictor: Actions, *, title: str) -> Figure:
    """What each policy is worth per decision, after costs."""
    known = [(text, predictor.metrics[name]) for name, text in POLICIES.items() if name in predictor.metrics]
    if not known:
        return nothing(title, "No decision has been seen to its end: no policy has a value yet.")
    figure, (axes,) = panels(title, 1, size=(8.0, 1.6 + 0.55 * len(known)))
    for row, (_, (value, low, high)) in enumerate(reversed(known)):
        colour = BLUE if row == len(known) - 1 else ORANGE if row == 0 else GREY
        axes.plot([low, high], [row, row], color=colour, linewidth=3, solid_capstyle="round")
        axes.plot(value, row, "o", color=colour, markersize=9)
        axes.annotate(f"{value:,.4g}", (value, row), (0, 9), textcoords="offset points", ha="center", color=INK)
    how = predictor.notes[0] if predictor.notes else ""
    dress(axes, "What policies are worth", f"reward per decision after costs, with its 90% interval\n{how}", None)
    axes.set_yticks(range(len(known)), [text for text, _ in reversed(known)])
    axes.set_ylim(-0.5, len(known) - 0.3)
    axes.margins(x=0.08)
    axes.grid(axis="y", visible=False)
    return figure
