"""The figures that a run may hold: what they are called, what they say, and where they are best."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What a figure is called, what it says, and where it is best: up, down or near `target`."""

    key: str
    title: str
    says: str
    best: str = "up"
    target: float = 0.0


KINDS = (
    Kind("skill", "skill", "share of the baseline's loss that is saved, money capped: what the grade is by"),
    Kind("auroc", "AUROC", "chance that someone it happened to ranks above someone it did not"),
    Kind("log_loss", "log-loss", "what the probabilities cost; lower is better", "down"),
    Kind("brier_skill", "Brier skill", "squared error saved against always saying the base rate"),
    Kind("ece", "ECE", "how far predicted and observed rates lie apart; lower is better", "down"),
    Kind("calibration_slope", "slope", "of the calibration: 1 when probabilities spread as they should", "near", 1.0),
    Kind("lift_at_10", "lift", "times the average rate among the tenth scored highest"),
    Kind("gini", "Gini", "how much of the best possible concentration of money the ranking finds"),
    Kind("rmse", "RMSE", "root of the mean squared error, in money; lower is better", "down"),
    Kind("mae", "MAE", "mean absolute error, in money; lower is better", "down"),
    Kind("bias", "bias", "predicted over actual money, minus 1; best at 0", "near", 0.0),
    Kind("coverage_90", "coverage", "share of outcomes inside their 90 % interval", "near", 0.9),
    Kind("policy_value", "policy value", "reward per decision after cost when the policy chooses"),
    Kind("gain", "gain", "policy value over doing nothing"),
    Kind("average_precision", "average precision", "area under precision and recall"),
    Kind("loss", "loss", "the loss that the rungs were chosen by; lower is better", "down"),
    Kind("precision", "precision", "share it happened to among those told, at the threshold"),
    Kind("recall", "recall", "share told among those it happened to, at the threshold"),
    Kind("f1", "F1", "harmonic mean of precision and recall"),
    Kind("spearman", "Spearman", "correlation of ranks"),
    Kind("decile_mape", "decile MAPE", "how far the sums of tenths are off; lower is better", "down"),
    Kind("coverage_80", "coverage of 80 %", "share of outcomes inside the middle 80 %", "near", 0.8),
    Kind("coverage_50", "coverage of 50 %", "share of outcomes inside the middle 50 %", "near", 0.5),
    Kind("winkler_90", "Winkler score", "width of the interval and what lies outside; lower is better", "down"),
    Kind("mae_median", "MAE of the median", "mean absolute error of the median; lower is better", "down"),
    Kind("p_none_bias", "bias of P(none)", "chance to buy nothing, predicted minus seen; best at 0", "near", 0.0),
    Kind("difference_to_best_constant", "over the best constant", "policy value over always taking one action"),
)
MAIN = 14  # of them tell most
KNOWN = {kind.key: kind for kind in KINDS}
