"""A bundle as an MLflow model: the very scores of every other path, from files that no pickle is among."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.config.sections import Config
from features.errors import BundleError, JourneycastError
from features.language.feature import Feature
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.sets.user_module import load_user_features
from features.store.reader import Store
from features.timeline import DAY_US, instant, moment
from models.bundle import Bundle, load, save
from models.registry import pyfunc
from models.registry.version import Version
from models.registry.versions import Registry
from serving.contract.arrow import SCHEMA
from serving.frames.frames import Frames
from serving.score import score
from serving.scoring.champions import champions
from tests.features.sets.test_user_module import SOURCE
from tests.support import bundles
from tests.support.ingested_shop import AS_OF, BUNDLES, EMOJI, FACTS, base, rows
from tests.support.log_files import Row, event

ROOT = Path(__file__).parents[3]
LOG = rows()
MADE_FROM = "score_id"  # says which log, or that the request brought its own
OWN = "own"
COMPARED = FeatureSet((*bundles.FEATURES.features, Feature("popularity", column="channel", window_days=90)))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tracking_database: Path) -> Config:
    """A shop whose champions are MLflow models."""
    config = base(tmp_path_factory.mktemp("shop"), LOG).config
    shutil.copy(tracking_database, config.workspace_path / "mlflow.db")
    for bundle in BUNDLES:
        champion(config, bundle)
    return config


def champion(config: Config, bundle: Bundle) -> Version:
    folder = save(bundle, config.workspace_path / "bundles")
    registry = Registry.open(config)
    with registry.run(bundle.task.name, "made by hand") as run:
        version = registry.register(
            bundle.task.name, run, folder.name, lambda: registry.log_model(run, bundle, folder), {}
        )
    registry.set_champion(bundle.task.name, version)
    return version


@pytest.fixture(autouse=True)
def tracking(shop: Config) -> Iterator[None]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{shop.workspace_path / 'mlflow.db'}")
    yield
    mlflow.set_tracking_uri(before)


def loaded(task: str) -> Any:
    return mlflow.pyfunc.load_model(f"models:/shop.{task}@champion")


def folder_of(config: Config, task: str) -> Path:
    return next((config.workspace_path / "mlartifacts" / task).glob("*/artifacts/model"))


def opened(config: Config, task: str) -> Frames:
    """The model without MLflow's own checks of the frame."""
    frames: Frames = loaded(task).unwrap_python_model().frames
    return frames


def alike(actual: pd.DataFrame, expected: pd.DataFrame) -> None:
    """To the bit, but for what a score was made from."""
    assert list(actual.columns) == list(expected.columns) == SCHEMA.names
    mine, theirs = (plain(frame.drop(columns=MADE_FROM).to_dict("records")) for frame in (actual, expected))
    assert mine == theirs


def plain(value: Any) -> Any:
    """Lists for arrays and None for NaN, so that equal is equal."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | np.ndarray):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value


@pytest.mark.parametrize("task", [bundle.task.name for bundle in BUNDLES])
def test_a_frame_of_the_whole_log_scores_like_the_batch(shop: Config, task: str) -> None:
    scores = loaded(task).predict(pd.DataFrame(LOG), params={"as_of": AS_OF, "reasons": True})
    everybody = score(shop, [task], as_of=AS_OF, reasons=True).sort_values("customer_id", kind="stable")
    assert len(scores) > 50
    alike(
        scores[scores["customer_id"].isin(everybody["customer_id"])].reset_index(drop=True),
        everybody.reset_index(drop=True),
    )


@pytest.mark.parametrize("task", ["churn", "value"])
def test_a_frame_scores_like_the_same_events_in_a_request(shop: Config, task: str) -> None:
    own = {
        f"new {n}": [event(f"new {n}", f"2025-04-{10 + n + day}T08:00:00", channel="web") for day in (0, 7)]
        for n in range(5)
    }
    expected = score(shop, [task], as_of="2025-04-23", customers=list(own), events=own)
    scores = loaded(task).predict(
        pd.DataFrame([row for events in own.values() for row in events]), params={"as_of": "2025-04-23"}
    )
    alike(scores, expected)
    assert set(scores["model_version"]) == {"1"}


@pytest.mark.parametrize("task", [bundle.task.name for bundle in BUNDLES])
def test_a_panel_scores_like_the_batch(shop: Config, task: str) -> None:
    as_of = [instant("2025-03-01"), instant(AS_OF)]
    scores = loaded(task).predict(panel(shop, task, as_of), params={"reasons": True})
    parts = [score(shop, [task], as_of=cutoff, reasons=True) for cutoff in as_of]
    assert len(scores) == sum(map(len, parts))
    for cutoff, expected in zip(as_of, parts, strict=True):
        mine = scores[scores["as_of"] == moment(cutoff)].reset_index(drop=True)
        expected["flags"] = [[flag for flag in flags if flag != "stale_features"] for flags in expected["flags"]]
        mine["flags"] = [list(flags) for flags in mine["flags"]]
        alike(mine, expected)


def panel(shop: Config, task: str, cutoffs: list[int]) -> pd.DataFrame:
    """What the task's bundle reads, of everybody known at each cutoff, cutoffs mixed as a panel has them."""
    (served,) = champions(shop, [task])
    features = served.bundle.features.union(served.population_features)
    frames = []
    for journeys in Store.open(shop.workspace_path, shop).buckets():
        for cutoff in cutoffs:
            seen = journeys.as_of(cutoff)
            known = np.flatnonzero(np.diff(seen.starts) > 0)
            built = build(seen, Rows.grid(len(seen), np.array([cutoff])), features)
            columns = {name: built.column(name)[known] for name in features.names}
            frames.append(pd.DataFrame({"customer_id": seen.customers[known], "cutoff": moment(cutoff), **columns}))
    return pd.concat(frames, ignore_index=True)


def test_without_an_as_of_it_is_the_newest_event_of_the_frame(shop: Config) -> None:
    scores = loaded("churn").predict(pd.DataFrame([event(at="2025-04-01T10:00:00", channel="web")]))
    assert set(scores["as_of"]) == {moment(instant("2025-04-01T10:00:00"))}


def test_a_frame_that_ends_before_the_training_is_seen_from_the_training(shop: Config) -> None:
    scores = loaded("churn").predict(pd.DataFrame([event(at="2024-12-01", channel="web")]))
    assert set(scores["as_of"]) == {moment(FACTS["trained_as_of_us"])}


def test_a_customer_of_whom_nothing_is_known_yet_gets_the_prior(shop: Config) -> None:
    frame = pd.DataFrame([event(channel="web", at="2025-04-01"), event("bob", channel="web", at="2025-04-20")])
    scores = loaded("churn").predict(frame, params={"as_of": "2025-04-02"})
    assert [list(flags) for flags in scores["flags"]] == [["thin_data"]] * 2 + [["new_customer"]] * 2


@pytest.mark.parametrize(
    ("at", "who"),
    [
        (pd.Timestamp("2025-04-01 10:00"), 12346),
        (pd.Timestamp("2025-04-01 12:00", tz="Europe/Paris"), 12346.0),
        (pd.Timestamp("2025-04-01 10:00").as_unit("ns"), "12346"),
        ("2025-04-01T10:00:00Z", 12346),
    ],
    ids=["naive", "placed", "nanoseconds", "text"],
)
def test_times_and_ids_may_come_as_pandas_has_them(shop: Config, at: Any, who: Any) -> None:
    frame = pd.DataFrame([event(who, at, money=money, channel="web") for money in (5, 7)])
    scores = loaded("churn").predict(frame)
    expected = loaded("churn").predict(
        pd.DataFrame([event("12346", "2025-04-01T10:00", money=m, channel="web") for m in (5.0, 7.0)])
    )
    assert_frame_equal(scores, expected)


def test_attributes_in_a_frame_are_the_profile(shop: Config) -> None:
    plain = [event(at=f"2025-04-{day:02d}", channel="web") for day in (1, 9)]
    bare, with_profile = (
        loaded("churn").predict(pd.DataFrame([{**row, **more} for row in plain]))
        for more in ({}, {"age": 80, "plan": "paid"})
    )
    assert bare["score"].tolist() != with_profile["score"].tolist()


WRONG: list[tuple[list[Row], dict[str, Any], str]] = [
    ([], {}, "expected a data frame with rows of a log or of a panel, found no rows"),
    (
        [{"who": "anna", "at": "2025-04-01"}],
        {},
        "expected the log's column 'what' in the frame, found none; found only",
    ),
    (
        [{"who": "anna", "at": "2025-04-01", "what": "view", "monye": 5.0, "channel": "web"}],
        {},
        "the log's column 'money' .* did you mean 'monye'",
    ),
    ([event(at="soon", channel="web")], {}, 'row 0: at: not an ISO 8601 date or time, got "soon"'),
    ([event(channel="web"), event(channel="web", money="five")], {}, "in the column 'money', found several"),
    (
        [event(channel="web", money="5"), event(channel="web", money="five")],
        {},
        'row 1: money: not a finite number, got "five"',
    ),
    ([event(who="", channel="web")], {}, "row 0: customer_id: empty"),
    (
        [event(channel="web", at="2024-01-01")],
        {"as_of": "2024-01-01"},
        "trained at or before 2024-01-01T00:00:00Z, found one trained as of",
    ),
    ([event(channel="web")], {"as_of": "soon"}, "expected an ISO date or time"),
    (
        [event(channel="web", plan=plan) for plan in ("a", "b")],
        {},
        "expected one value of plan for each customer, found several for 'anna'",
    ),
    (
        [{"customer_id": "anna", "cutoff": "2025-04-01"}],
        {},
        "expected the column 'purchase_recency' in the panel, found none",
    ),
    ([{"customer_id": "anna", "cutoff": "soon"}], {}, "cutoff: expected dates or times, found one that is not an ISO"),
    ([{"customer_id": "anna", "cutoff": "2025-04-01"}], {"as_of": AS_OF}, "expected no as_of beside a panel, got"),
    ([{"cutoff": "2025-04-01"}], {}, "expected the column 'customer_id' in the panel, found none"),
]


@pytest.mark.parametrize(("given", "params", "message"), WRONG, ids=[message[:40] for *_, message in WRONG])
def test_a_frame_that_cannot_be_used_is_refused(
    shop: Config, given: list[Row], params: dict[str, Any], message: str
) -> None:
    with pytest.raises(JourneycastError, match=message):
        opened(shop, "churn").predict(pd.DataFrame(given), **params)


def test_the_model_is_plain_files_without_a_pickle(shop: Config) -> None:
    model = folder_of(shop, "value")
    files = [file for file in model.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert {file.suffix for file in files} <= {"", ".json", ".txt", ".py", ".yaml"}
    assert "pickle" not in (model / "MLmodel").read_text()
    assert {file.name for file in (model / "artifacts").iterdir()} == {"bundle", "log.json"}
    assert sum(file.stat().st_size for file in files) < 2_000_000


def test_nothing_is_unpickled_on_load(shop: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, lambda *_, **__: pytest.fail("something was unpickled"))
    assert loaded("value").predict(pd.DataFrame(LOG[:5]), params={"as_of": AS_OF}) is not None


def test_nothing_of_where_the_log_lies_is_in_the_model(shop: Config) -> None:
    names = json.loads((folder_of(shop, "churn") / "artifacts" / "log.json").read_text())
    assert names["customer"] == "who"
    assert {"source", "complete_until"} & names.keys() == set()
    assert str(shop.folder) not in (folder_of(shop, "churn") / "MLmodel").read_text()


@pytest.mark.parametrize(
    "name", ["bundle/answer-90-rung-trees.txt", "bundle/bundle.json", "bundle/manifest.json", "log.json"]
)
def test_a_flipped_byte_is_refused(shop: Config, name: str, tmp_path: Path) -> None:
    model = shutil.copytree(folder_of(shop, "churn"), tmp_path / "model")
    file = model / "artifacts" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(BundleError, match=r"was changed: expected SHA-256"):
        mlflow.pyfunc.load_model(str(model))


ELSEWHERE = """
    import sys
    from pathlib import Path
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
    root, model, events = sys.argv[1:]
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(root) and place]
    import mlflow.pyfunc, pandas as pd
    scores = mlflow.pyfunc.load_model(model).predict(pd.read_json(events, lines=True), params={"as_of": "2025-05-01"})
    import features
    assert Path(features.__file__).is_relative_to(Path(model, "code")), features.__file__
    assert "training" not in sys.modules
    print(scores["score"].to_json(double_precision=15))
"""


def test_it_scores_on_a_machine_without_this_checkout(shop: Config, tmp_path: Path) -> None:
    model = shutil.copytree(folder_of(shop, "churn"), tmp_path / "model", ignore=shutil.ignore_patterns("__pycache__"))
    quick = {
        "NUMBA_DISABLE_JIT": "1",
        "HOME": str(tmp_path),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # compiling takes long
    arguments = [ROOT, model, shop.folder / "log" / "events.jsonl"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(ELSEWHERE), *map(str, arguments)],
        cwd=tmp_path,
        env=quick,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    there = pd.Series(json.loads(done.stdout.splitlines()[-1])).to_numpy(np.float64)
    here = loaded("churn").predict(pd.DataFrame(LOG), params={"as_of": AS_OF})["score"].to_numpy(np.float64)
    np.testing.assert_allclose(there, here, rtol=1e-12)
    assert [file for file in (model / "code").rglob("*") if file.suffix not in ("", ".py")] == []


def test_packing_says_nothing(shop: Config, capfd: pytest.CaptureFixture[str]) -> None:
    folder = shop.workspace_path / "bundles" / champions(shop, ["value"])[0].bundle.digest
    with pyfunc.packed(load(folder, folder.name), folder, shop, "a run") as model:
        assert (model / "MLmodel").is_file()
    assert not model.exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("task", [bundle.task.name for bundle in BUNDLES])
def test_the_input_example_is_a_made_up_customer_and_can_be_scored(shop: Config, task: str) -> None:
    example: Any = loaded(task).input_example
    assert set(example["who"]) == {"customer 1"}
    assert loaded(task).predict(example)["customer_id"].unique().tolist() == ["customer 1"]


def test_the_signature_names_what_goes_in_and_what_comes_out(shop: Config) -> None:
    signature = loaded("churn").metadata.signature
    names = signature.inputs.input_names()
    assert names[:5] == ["who", "at", "what", "money", "channel"]
    assert {"customer_id", "cutoff", *bundles.FEATURES.names} <= set(names)
    assert signature.inputs.required_input_names() == []
    assert signature.outputs.input_names() == SCHEMA.names
    assert [param.name for param in signature.params.params] == ["as_of", "reasons", "model_from_the_future"]


def test_the_plain_bundle_is_fetched_from_the_model(shop: Config, tmp_path: Path) -> None:
    registry = Registry.open(shop)
    version = registry.champion("value")
    assert version is not None
    folder = registry.fetch(version, tmp_path)
    assert load(folder, version.digest).task.name == "value"
    assert [item.name for item in tmp_path.iterdir()] == [version.digest]


def test_features_that_compare_with_everybody_read_the_frame(shop: Config) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "FEATURES", COMPARED)
        bundle = bundles.churn(**FACTS)
    bundle = replace(bundle, task=bundle.task.model_copy(update={"name": "compared"}))
    config = shop.model_copy(update={"tasks": {**shop.tasks, "compared": bundle.task}})
    champion(config, bundle)
    scores = loaded("compared").predict(pd.DataFrame(LOG), params={"as_of": AS_OF})
    everybody = score(config, ["compared"], as_of=AS_OF).sort_values("customer_id", kind="stable")
    alike(
        scores[scores["customer_id"].isin(everybody["customer_id"])].reset_index(drop=True),
        everybody.reset_index(drop=True),
    )


def test_a_module_of_own_features_travels_in_the_model(shop: Config) -> None:
    (shop.folder / "my.py").write_text(SOURCE, encoding="utf-8")
    features = shop.features.model_copy(update={"module": "my.py"})
    config = shop.model_copy(update={"features": features})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "FEATURES", bundles.FEATURES.union(load_user_features(config)))
        bundle = bundles.churn(**FACTS)
    bundle = replace(bundle, task=bundle.task.model_copy(update={"name": OWN}))
    config = config.model_copy(update={"tasks": {**shop.tasks, OWN: bundle.task}})
    champion(config, bundle)
    (shop.folder / "my.py").rename(shop.folder / "away.py")
    scores = loaded(OWN).predict(pd.DataFrame(LOG), params={"as_of": AS_OF})
    (shop.folder / "away.py").rename(shop.folder / "my.py")
    alike(scores[scores["customer_id"] == EMOJI], score(config, [OWN], as_of=AS_OF, customers=[EMOJI]))
    module = folder_of(config, OWN) / "artifacts" / "module.py"
    module.write_text(SOURCE.replace("FEATURES", "FEATURES "), encoding="utf-8")
    with pytest.raises(BundleError, match=r"module.py was changed: expected SHA-256"):
        loaded(OWN)


def test_the_example_reads_every_column_of_the_log(tmp_path: Path) -> None:
    log = {
        "order": "bill",
        "known": "seen",
        "id": "key",
        "text": "note",
        "numbers": ["pieces"],
        "categories": ["channel"],
    }
    config = Config.model_validate({"folder": tmp_path, "log": log})
    example = pyfunc.example(replace(BUNDLES[0], facts={"trained_as_of_us": 400 * DAY_US}), config)
    assert example.notna().all().all()
    assert {"bill", "seen", "key", "note", "pieces", "channel"} < set(example.columns)
