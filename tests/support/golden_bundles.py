"""The golden bundles, one for each kind of task, with most rungs between them, and the events that they score."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.config.sections import Config
from features.config.tasks import TaskConfig
from features.language.feature_set import FeatureSet
from features.timeline import DAY_US, instant, iso
from models.bundle import Bundle, load, save
from models.ladder.average import Average
from models.ladder.logistic import Logistic, Standardizer
from models.ladder.rules import Binned, Scaled
from models.ladder.rung import Rung
from models.predictor.adjusted import Adjusted
from models.predictor.calibrators import Beta
from models.predictor.level import Level
from models.predictor.predictor import NoPurchase, Predictor
from serving.frames.frames import Frames
from serving.scoring.served_model import ServedBundle
from tests.models.btyd.test_expectations import FEATURES, HURDLE, LOGISTIC, NAMES, ORDERS, PROBABLE, VALUE
from tests.support import bundles
from tests.support.bundles import HIGH, LOW, MONEY, PROBABILITY

FOLDER = Path(__file__).parents[1] / "golden"
EXPECTED = "expected.json"
AS_OF = instant("2025-05-01")
NAMES_OF_LOG = Config.model_validate({"folder": Path(), "log": {"value": "value", "categories": ("channel",)}})
RULE = Binned(NAMES[3], (30.0, 90.0), (0.2, 0.4, 0.6, 0.9))
COLUMNS = (NAMES[3], NAMES[5], NAMES[6])
SCALE = Standardizer(np.array([3.5, 1.5, 5.0]), np.array([1.0, 0.75, 0.5]))
LINEAR = Logistic(COLUMNS, SCALE, (0,), np.array([-0.5, 0.75, 0.125, 0.25]), -0.5)
LEVEL = Level(AS_OF - 30 * DAY_US, 7.0, (0.1, 0.3), (0.2, 0.3))


def made() -> dict[str, Bundle]:
    """By kind of task, a bundle as this version writes it."""
    event = {"event": "purchase", "horizon_days": 90}
    money = Average((HURDLE, VALUE, ORDERS), odds=False)
    quiet = NoPurchase(Average((LOGISTIC, PROBABLE), odds=True), Adjusted(level=LEVEL))
    value = replace(
        answer("cltv", "event", money, Scaled(NAMES[4], 0.5)), base=HIGH, distribution=MONEY, no_purchase=quiet
    )
    churn = answer("churn", "silence", Average((LOGISTIC, PROBABLE), odds=True), RULE)
    adjusted = Adjusted(Beta(0.9, 1.1, 0.05), LEVEL)
    return {
        "churn": bundle({"name": "churn", "kind": "churn", **event}, replace(churn, adjusted=adjusted)),
        "propensity": bundle(
            {"name": "buys", "kind": "propensity", **event}, answer("propensity", "event", LINEAR, RULE)
        ),
        "cltv": bundle({"name": "value", "kind": "cltv", **event}, value),
        "next_action": replace(bundles.offer(), facts=facts()),
    }


def answer(kind: str, outcome: str, rung: Rung, baseline: Rung) -> Predictor:
    return Predictor(90, 90, kind, outcome, rung, baseline, PROBABILITY, LOW, "B")


def bundle(task: Mapping[str, Any], *answers: Predictor, features: FeatureSet = FEATURES) -> Bundle:
    return Bundle(TaskConfig.model_validate(task), features, answers, None, facts())


def facts() -> dict[str, Any]:
    """Nothing of what may change from version to version."""
    return {"trained_as_of_us": AS_OF - 30 * DAY_US}


def events() -> pd.DataFrame:
    """Customers who buy often, once, long ago, only on the as-of, or only look."""
    days = {
        "often": range(0, 300, 13),
        "once": (41,),
        "long ago": (330, 310),
        "now": (0,),
        "looks": (),
        "sends back": (9, 70),
    }
    rows: list[tuple[str, int, str, float | None]] = []
    rows += [(who, day, "purchase", 10.0 + day / 8) for who, ago in days.items() for day in ago]
    rows += [("looks", 5, "view", None), ("sends back", 3, "return", -12.5)]
    return pd.DataFrame(
        {
            "customer_id": [who for who, *_ in rows],
            "timestamp": [iso(AS_OF - day * DAY_US) for _, day, *_ in rows],
            "event_type": [what for *_, what, _ in rows],
            "value": [value for *_, value in rows],
            "channel": "email",
        }
    )


def scored(bundle: Bundle) -> list[Any]:
    """The score records of the events, as JSON has them."""
    frame = Frames(ServedBundle(bundle, "1"), NAMES_OF_LOG).predict(events(), as_of=iso(AS_OF))
    return [plain(row) for row in frame.to_dict("records")]


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and np.isnan(value) else value


def machine() -> str:
    """What decides the last bit of exp and log: the instructions that NumPy found."""
    config: Any = np.show_config(mode="dicts")
    return " ".join(config["SIMD Extensions"].get("found", ()))


def remake() -> None:
    """Write all of it anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for kind, bundle in made().items():
        folder = save(bundle, FOLDER / kind)
        expected = {"machine": machine(), "digest": folder.name, "records": scored(load(folder, folder.name))}
        (FOLDER / kind / EXPECTED).write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
        print(kind, folder.name, sum(file.stat().st_size for file in folder.iterdir()))


if __name__ == "__main__":
    remake()
