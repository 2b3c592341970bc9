"""The average of unlike rungs, and what is told of any rung: what moved it, and what it gained by."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from features.arrays import Floats
from models.ladder.hurdle import Hurdle, Orders
from models.ladder.logistic import Logistic
from models.ladder.purchase_process import PurchaseProcess
from models.ladder.rules import Binned, Scaled
from models.ladder.rung import Rung
from models.ladder.trees import Probability
from models.prediction import EPS, Packed, Position, Prediction


@dataclass(frozen=True, eq=False)
class Average:
    """Unlike rungs averaged with equal weight: probabilities by their log-odds (`odds`), money as it is."""

    rungs: tuple["Rung", ...]
    odds: bool
    name: str = "average"

    def predict(self, values: Floats, position: Position) -> Prediction:
        """The average, of parts as well."""
        predictions = [rung.predict(values, position) for rung in self.rungs]
        if self.odds:
            logits = [logit(np.clip(prediction.mean, LOG_ODDS_FLOOR, 1 - LOG_ODDS_FLOOR)) for prediction in predictions]
            return Prediction(np.asarray(expit(sum(logits) / len(predictions))))
        mean, p_none, orders = (
            np.asarray(sum(column) / len(predictions))
            for column in zip(
                *(
                    (prediction.mean, prediction.parts["p_none"], prediction.parts["orders"])
                    for prediction in predictions
                ),
                strict=True,
            )
        )
        return Prediction(mean, {"p_none": p_none, "orders": orders, "order_value": mean / np.maximum(orders, EPS)})

    def moved(self, values: Floats, position: Position) -> Floats:
        """The average of what moved the rungs, (n, n_features)."""
        return np.asarray(sum(moved(rung, values, position) for rung in self.rungs) / len(self.rungs))

    def pack(self) -> Packed:
        """All rungs' JSON, and their texts by number."""
        packed = [rung.pack() for rung in self.rungs]
        texts = {
            f"{index}-{name}": text for index, (_, rung_texts) in enumerate(packed) for name, text in rung_texts.items()
        }
        return {"rung": "average", "odds": self.odds, "name": self.name, "rungs": [plain for plain, _ in packed]}, texts


LOG_ODDS_FLOOR = 1e-3  # in an average no rung is surer than this, so that none decides alone


def moved(rung: Rung, values: Floats, position: Position) -> Floats:
    """How far each feature moved each row's score from the average, (n, n_features).

    In log-odds, or in the logarithm of money; a rule's in the score itself.
    """
    if isinstance(rung, Probability | Logistic | Hurdle | Orders | PurchaseProcess | Average):
        return rung.moved(values, position)
    shift = np.zeros(values.shape)
    match rung:
        case Binned():
            shift[:, position[rung.feature]] = rung.predict(values, position).mean - np.mean(rung.means)
        case Scaled():
            shift[:, position[rung.feature]] = rung.predict(values, position).mean
    return shift


def gains(rung: Rung, position: Position) -> dict[str, Floats]:
    """By booster what the trees gained from each feature, (n_features,)."""
    match rung:
        case Probability() | Orders():
            boosters = {"trees": rung.trees}
        case Hurdle():
            boosters = {"buys": rung.buys, "more": rung.more}
        case Average():
            return {name: gain for member in rung.rungs for name, gain in gains(member, position).items()}
        case _:
            return {}
    fold = rung.expectations
    rows = {name: trees.importance()[None, :] for name, trees in boosters.items()}
    return {name: (row if fold is None else fold.folded(row, position))[0] for name, row in rows.items()}
