"""Features of a module in service: the very file of the training is needed, and every way of scoring agrees."""

from pathlib import Path

import pytest

from features.config.sections import Config
from features.errors import BundleError, ConfigError
from features.sets.user_module import load_user_features
from features.store.reader import Store
from models.bundle import save
from models.registry.versions import Registry
from serving.score import score
from serving.scoring.champions import champions
from serving.scoring.online import Customer, Online, ScoreQuery
from serving.scoring.served_model import ServedBundle
from tests.features.sets.test_user_module import SOURCE
from tests.support import bundles
from tests.support.ingested_shop import EMOJI, FACTS, base, rows
from tests.support.registered_shop import register_folder

LAST = "2025-04-30T12:00:00"
FRESH = {"at": LAST, "what": "purchase", "money": 40.0, "channel": "web"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A shop whose champion reads features of a module, in trees that split on them."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "my.py").write_text(SOURCE, encoding="utf-8")
    config = base(folder, rows()).config
    config = config.model_copy(update={"features": config.features.model_copy(update={"module": "my.py"})})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "FEATURES", bundles.FEATURES.union(load_user_features(config)))
        bundle = bundles.churn(**FACTS)
    path = save(bundle, config.workspace_path / "bundles")
    registry = Registry.open(config)
    with registry.run("churn", "made by hand") as run:
        version = register_folder(registry, "churn", run, path)
    registry.set_champion("churn", version)
    return config


def served(config: Config) -> tuple[ServedBundle, ...]:
    return champions(config, ["churn"])


def test_the_base_and_one_customer_get_the_same_score(trained: Config) -> None:
    everybody = score(trained, ["churn"])
    alone = score(trained, ["churn"], customers=[EMOJI])
    assert everybody[everybody["customer_id"] == EMOJI].reset_index(drop=True).equals(alone)
    used = {feature for line in _splits(trained) for feature in line}
    position = served(trained)[0].bundle.features.position
    assert {str(position["custom_longest_silence"]), str(position["custom_web_money"])} <= used


def test_an_event_of_the_request_enters_a_function(trained: Config) -> None:
    online = Online(trained, Store.open(trained.workspace_path, trained), served(trained))
    query = ScoreQuery(as_of="2025-05-01")
    before, after = (next(online.scores([Customer(EMOJI, events)], query)) for events in ((), (FRESH,)))
    assert before.by_head[0].numbers["score"] != after.by_head[0].numbers["score"]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (SOURCE + "#", BundleError, "task 'churn' was trained with a module .*, and my.py has changed since"),
        (None, ConfigError, r"\[features\] module: expected a Python file at .*my\.py, found none"),
    ],
)
def test_a_service_without_the_very_module_does_not_start(
    trained: Config, source: str | None, error: type[Exception], message: str, tmp_path: Path
) -> None:
    if source is not None:
        (tmp_path / "my.py").write_text(source, encoding="utf-8")
    workspace = str(trained.workspace_path)
    elsewhere = trained.model_copy(update={"folder": tmp_path, "workspace": workspace})
    with pytest.raises(error, match=message):
        served(elsewhere)


def _splits(config: Config) -> list[list[str]]:
    folder = config.workspace_path / "bundles" / served(config)[0].bundle.digest
    texts = [file.read_text() for file in folder.glob("*.txt")]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("split_feature=")]
    return [line.removeprefix("split_feature=").split() for line in lines]
