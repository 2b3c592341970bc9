"""The module of one's own features: what it may hold, every message, and its way to panels, bundles and executors."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.config.load import parse
from features.config.sections import Config
from features.errors import BundleError, ConfigError, FeatureError
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.panel.build import Rows, build
from features.sets.user_module import load_user_features, read
from features.spark import jobs
from features.store.merge import merge
from features.store.reader import Store
from models.bundle import equipped, load, save
from tests.features.spark.test_jobs import _batches, _partition
from tests.support import bundles
from tests.support.log_files import config, event, opened, run, write
from tests.support.random_shop import NOW, crowd
from tests.support.strategies import CUTOFFS, Event, same_bits, world

SOURCE = """
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from features.custom import Seen, feature
from features.windows import Feature, Stream

@dataclass
class Held:
    days: float

FEATURES = [Feature("count", Stream(("view",)), window_days=14)]

@feature(unit="days", text="longest silence")
def longest_silence(seen: Seen) -> float:
    gaps = -np.diff(seen.days_ago)
    return Held(gaps.max()).days if len(gaps) else np.nan

@feature(unit="money", text="money of the web")
def web_money(seen):
    return np.nansum(seen.value[seen.categories["channel"] == "web"])
"""
HEAD = "from features.language.functions import feature\nfrom features.windows import Feature, Stream\n"


def of(source: str = SOURCE) -> FeatureSet:
    return read("my.py", source.encode(), "UTC")


def shop(folder: Path, source: str | None = SOURCE) -> Config:
    if source is not None:
        (folder / "my.py").write_text(source, encoding="utf-8")
    return parse({"features": {"module": "my.py"}}, folder=folder)


def test_declared_features_and_functions_become_features(tmp_path: Path) -> None:
    own = load_user_features(shop(tmp_path))
    assert own.names == ("view_count_14d", "custom_longest_silence", "custom_web_money")
    assert [feature.unit for feature in own.features] == ["occurrences", "days", "money"]
    assert own == of()


def test_a_toml_without_a_module_has_no_features_of_its_own(tmp_path: Path) -> None:
    assert load_user_features(parse({}, folder=tmp_path)) == FeatureSet(())


def test_one_byte_of_the_module_is_another_fingerprint() -> None:
    assert of(SOURCE + "#").fingerprint != of().fingerprint
    assert of(SOURCE + "#").names == of().names
    assert of().fingerprint == of().fingerprint
    declared = HEAD + "FEATURES = [Feature('tenure')]"
    assert of(declared + "\n").fingerprint != of(declared).fingerprint


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", r"my.py: expected FEATURES = \[Feature\(…\)\] or functions under @feature\(.*, found neither"),
        ("x = (\n", r"my.py line 1: '\(' was never closed"),
        ("\0", "my.py.*null bytes"),
        ("\n1 / 0", "a module that can be imported, but my.py line 2: ZeroDivisionError: division by zero"),
        ("exit()", "a module that can be imported, but my.py line 1: SystemExit: None"),
        ("import not_here", "my.py line 1: ModuleNotFoundError: No module named 'not_here'"),
        ("FEATURES = 3", r"my.py: expected a list FEATURES = \[Feature\(…\)\], found 3"),
        (HEAD + "FEATURES = [Feature('tenure'), 'x']", "my.py: expected .* as number 2 of FEATURES, found 'x'"),
        (HEAD + "FEATURES = [Feature('tenur')]", "my.py: unknown feature kind 'tenur'; did you mean 'tenure'"),
        (HEAD + "FEATURES = [Feature('tenure'), Feature('tenure')]", "my.py: expected every feature once, found"),
        (HEAD + "FEATURES = [Feature('tenure', Stream('view'))]", r"my.py: expected a tuple of events .*, got 'view'"),
        (
            HEAD + "def f(s): pass\n\ndef f(s): pass",
            "my.py: expected one function of a name, found 'f' in lines 3 and 5",
        ),
        (HEAD + "@feature(unit='x', text='')\ndef f(s): pass", "my.py line 3: @feature: expected `text` in words"),
        (HEAD + "@feature\ndef f(s): pass", r"my.py line 3: TypeError: feature\(\) takes 0 positional arguments"),
        (
            HEAD + "@feature(unit='x', text='y')\ndef f(a, b): pass",
            r"my.py line 3: @feature: expected a function of one value, `def f\(seen\)`, got \(a, b\)",
        ),
        (
            HEAD + "def g():\n @feature(unit='x', text='y')\n def f(s): pass\n return f\na, b = g(), g()",
            "my.py: expected every feature once, found 'custom_f' twice",
        ),
    ],
)
def test_what_is_wrong_with_a_module_is_told(source: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        of(source)


def test_a_missing_module_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"module: expected a Python file at .*my\.py, found none \(No such file"):
        load_user_features(shop(tmp_path, None))


def test_a_failure_names_the_line_of_the_module() -> None:
    features = of(HEAD + "@feature(unit='x', text='y')\ndef f(seen):\n    return 1 / len(seen.time[1:])")
    with pytest.raises(FeatureError, match=r"custom_f of customer 'anna' at .*: my.py line 5: ZeroDivisionError: "):
        build(world(Event(CUTOFFS[0])).journeys(), Rows.grid(1, np.array(CUTOFFS)), features)


def test_fresh_events_give_what_ingested_ones_give(tmp_path: Path) -> None:
    rows = [event(at=f"2025-01-{day:02}T10:00:00", channel="web" if day % 3 else None) for day in (1, 2, 5, 9, 20)]
    shops = [config(tmp_path / name, categories=["channel"]) for name in ("some", "all")]
    write(shops[0].folder / "log" / "a.jsonl", rows[:3])
    write(shops[1].folder / "log" / "a.jsonl", rows)
    for shop in shops:
        run(shop)
    merged = merge(opened(shops[0]).find("anna"), "anna", rows[3:], shops[0])
    now = Rows.grid(1, np.array([int(merged.known.max())]))
    online, batch = (build(journeys, now, of()).values for journeys in (merged, opened(shops[1]).find("anna")))
    assert same_bits(online, batch)
    assert batch[0, 1] == 11


@pytest.mark.parametrize("most", [40, 10**6])
def test_executors_give_what_one_machine_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    shop = crowd(tmp_path, 60, without="id")
    run(shop, now=NOW)
    monkeypatch.setattr(jobs, "CHUNK_ROWS", most)
    own = of()
    assert own.module is not None
    given: dict[str, Any] = {"features": own.to_json(), "cutoffs": CUTOFFS, "config": jobs.plain(shop)}
    given["module"] = (own.module.name, own.module.source)
    batches = list(jobs.panels(_batches(_partition(shop)), shop.folder, **given))
    table = pa.Table.from_batches(batches, jobs.panel_schema(own))
    journeys = Store.open(shop.workspace_path, shop).bucket(0)
    expected = build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), own)
    assert table.schema.names[2:] == list(own.names)
    assert same_bits(np.stack([column.to_numpy() for column in table.columns[2:]], axis=1), expected.values)
    assert not np.isnan(expected.values[:, 1]).all()


def test_a_bundle_holds_the_digest_and_no_code(tmp_path: Path) -> None:
    bundle = bundles.buys()
    own = of()
    folder = save(
        type(bundle)(bundle.task, bundle.features.union(own), bundle.predictors, None, bundle.facts), tmp_path
    )
    assert not any(
        "longest silence between" in file.read_text() or "def " in file.read_text() for file in folder.iterdir()
    )
    again = load(folder, folder.name)
    assert again.features.names[-3:] == own.names
    ready = equipped(again, own)
    journeys = world(Event(CUTOFFS[0], value=2.0, channel="web")).journeys()
    rows = Rows.grid(1, np.array(CUTOFFS))
    assert build(journeys, rows, ready.features).column("custom_web_money").tolist() == [2.0] * 3


def test_another_module_than_that_of_the_training_is_refused(tmp_path: Path) -> None:
    plain = bundles.buys()
    bundle = type(plain)(plain.task, plain.features.union(of()), plain.predictors, None, plain.facts)
    changed = "trained with a module .*, and my.py has changed since .*; train again, or restore the file"
    with pytest.raises(BundleError, match=changed):
        equipped(bundle, of(SOURCE + "#"))
    with pytest.raises(BundleError, match=r"and the TOML names none; name it in \[features\] module, train again, or"):
        equipped(bundle, FeatureSet(()))
    assert equipped(plain, of()) is plain
    assert Feature("count", Stream(("view",)), window_days=14) in bundle.features.features
