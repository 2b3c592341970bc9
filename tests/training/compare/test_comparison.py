"""Comparisons of versions in real SQLite: every printed figure is one of a run, whatever is missing is said.

One database serves all tests, each with a shop of its own.
"""

import io
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from features.config.load import parse
from features.config.sections import Config
from features.errors import JourneycastError
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.timeline import instant
from journeycast import app
from models.actor import Actor
from models.bundle import Bundle, save
from models.ladder.rules import Binned
from models.predictor.intervals import PredictionInterval
from models.predictor.predictor import Predictor
from models.promotion import Promotion
from models.registry.version import Version
from tests.support.bundles import OFFER
from tests.support.registered_shop import register_folder
from training.compare import pictures as light
from training.compare.comparison import Comparison, compare
from training.compare.figure_kinds import KNOWN
from training.compare.figures import Figure, Pair, _better, shown
from training.compare.page import card, page
from training.compare.parameters import facts
from training.compare.pictures import pictures
from training.compare.table import table

SHOPS = count()
TASKS = {
    "churn": {"kind": "churn", "event": "purchase", "horizon_days": 90},
    "buys": {"kind": "propensity", "event": "purchase", "horizons_days": [7, 30]},
    "offer": OFFER,
}
NOON = instant("2026-11-28T11:02:00Z")
EVIL = "<script>alert('x')</script>"
Metrics = Mapping[str, float]


def figure(name: str, value: float, low: float, high: float, *, end: str = "") -> dict[str, float]:
    return {f"{name}{end}": value, f"{name}{end}_low": low, f"{name}{end}_high": high}


GOOD = figure("test_auroc", 0.8123456, 0.79, 0.83) | figure("baseline_auroc", 0.7, 0.68, 0.72) | {"seconds_fit": 2.0}
BEST = figure("test_auroc", 0.9123456, 0.89, 0.93) | figure("baseline_auroc", 0.7, 0.68, 0.72)
TESTED = {"rung": "lightgbm", "grade": "B", "split.test": "2011-06-11T00:00:00Z", "split.horizon_days": "90"}
REFUSAL = {
    "passed": False,
    "method": "fair",
    "champion": {"version": 1},
    "reason": "it is less well calibrated than the champion",
    "conditions": [
        {"name": "loss", "passed": True, "told": "its loss is 2 % below", "figures": {"ratio": [0.98, 0.97, 0.99]}},
        {"name": "calibration", "passed": False, "told": f"its slope is 0.5 {EVIL}", "figures": {"own": {"ece": 0.25}}},
    ],
}


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory, tracking_database: Path) -> Config:
    folder = tmp_path_factory.mktemp("compared")
    config = parse({"name": "shop", "log": {"value": "money"}, "tasks": TASKS}, folder=folder)
    config.workspace_path.mkdir()
    shutil.copy(tracking_database, config.workspace_path / "mlflow.db")
    return config


@pytest.fixture(scope="session")
def first(config: Config) -> Promotion:
    return Promotion.open(config)


@pytest.fixture
def succession(first: Promotion) -> Promotion:
    shop = f"shop{next(SHOPS)}"
    return replace(first, registry=replace(first.registry, shop=shop), ledger=replace(first.ledger, shop=shop))


def hand(hours: int = 0) -> Actor:
    return Actor("ada@host", NOON + hours * 3_600_000_000)


def picture(grey: int = 200) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 20), (grey, grey, grey)).save(file, "PNG")
    return file.getvalue()


def trained(
    succession: Promotion,
    config: Config,
    seed: int,
    metrics: Metrics,
    *,
    task: str = "churn",
    params: Mapping[str, str] = TESTED,
    files: Mapping[str, bytes] | None = None,
) -> Version:
    """A version whose run holds what is given."""
    rule = Binned("purchase_recency", (30.0,), (0.2, 0.8, 0.5))
    answer = Predictor(
        90,
        90,
        "churn",
        "silence",
        rule,
        rule,
        PredictionInterval((), (0.0,), (0.1,)),
        (0.0, 1.0),
        "B",
        {},
        {},
        notes=(),
    )
    features = FeatureSet((Feature("recency", Stream(("purchase",))),))
    facts = {"seed": seed, "trained_as_of_us": NOON}
    folder = save(Bundle(config.task("churn"), features, (answer,), None, facts), config.workspace_path / "bundles")
    tags = {"kind": config.task(task).kind}
    with succession.registry.run(task, f"{task} number {seed}", tags) as run:
        run.log_metrics(metrics)
        run.log_params(params)
        run.log_data("store", str(seed) * 36, {})
        for name, data in (files or {}).items():
            run.log_bytes(name, data)
        version = register_folder(succession.registry, task, run, folder)
    succession.register(task, version, hand(seed), why=f"trained as of day {seed}", evidence={})
    return version


def promoted(succession: Promotion, config: Config, seed: int, metrics: Metrics, **more: Any) -> Version:
    version = trained(succession, config, seed, metrics, **more)
    succession.promote(more.get("task", "churn"), version, hand(seed), why=f"reason {seed}", evidence={})
    return version


def printed(found: Comparison, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(table(found))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class Numbers(HTMLParser):
    """Every number of a page with the run and the metric that it names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.outside: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.outside += [str(given[name]) for name in ("src", "href") if name in given]
        if tag == "data":
            self.found.append((str(given["data-run"]), str(given["data-metric"]), ""))

    def handle_data(self, data: str) -> None:
        if self.found and not self.found[-1][2]:
            self.found[-1] = (*self.found[-1][:2], data)


def numbers(html: str) -> Numbers:
    reader = Numbers()
    reader.feed(html)
    return reader


def test_every_number_of_page_and_terminal_is_one_of_mlflow(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD | figure("test_ece", 0.0041, 0.003, 0.006))
    trained(succession, config, 2, BEST | figure("test_log_loss", 1234.5, 1200.0, 1300.0))
    found = compare(succession, "churn")
    shown_here = numbers(page(found)).found
    logged = {
        (side.run.id, name): shown(value)
        for side in found.sides
        if side.run
        for name, value in succession.registry.client.get_run(side.run.id).data.metrics.items()
        if not name.startswith("seconds")
    }
    assert {(run, metric): text for run, metric, text in shown_here} == logged
    said = printed(found)
    assert [text for (_, metric), text in logged.items() if "baseline_auroc_" not in metric and text not in said] == []


def test_the_champion_stands_before_its_challenger(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD)
    trained(succession, config, 2, BEST)
    found = compare(succession, "churn")
    assert [(side.role, side.name) for side in found.sides] == [("champion", "v1"), ("challenger", "v2")]
    assert found.sides[0].summary == "v1 serves since 2026-11-28 12:02 UTC, promoted by ada@host: reason 1"
    assert found.sides[1].summary == "v2 waits since 2026-11-28 13:02 UTC: nobody has promoted it"


def test_a_refused_challenger_is_told_with_the_reason_and_the_conditions(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD)
    bad = trained(succession, config, 2, BEST, files={"gate.json": json.dumps(REFUSAL).encode()})
    succession.refuse("churn", bad, hand(2), why=str(REFUSAL["reason"]), evidence={})
    found = compare(succession, "churn")
    assert found.sides[1].summary == "v2 was refused: it is less well calibrated than the champion"
    assert found.gate is not None
    assert (found.gate.passed, [one.passed for one in found.gate.conditions]) == (False, [True, False])
    said = printed(found)
    assert "The gate refused v2: it is less well calibrated than the champion" in said
    assert "Against v1, on rows whose label windows neither was fitted on:" in said
    assert re.search(r"broken +calibration +its slope is 0\.5", said)
    assert "own.ece" in page(found)


def test_without_a_challenger_the_version_before_stands_beside_the_champion(
    succession: Promotion, config: Config
) -> None:
    promoted(succession, config, 1, GOOD)
    promoted(succession, config, 2, BEST)
    found = compare(succession, "churn")
    assert [(side.role, side.name) for side in found.sides] == [("champion", "v2"), ("served before", "v1")]
    assert found.sides[1].summary == "v1 served from 2026-11-28 12:02 UTC to 2026-11-28 13:02 UTC"


def test_after_a_rollback_what_was_taken_back_stands_beside_the_champion(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD)
    promoted(succession, config, 2, BEST)
    succession.rollback("churn", hand(5), why="complaints")
    found = compare(succession, "churn")
    assert [(side.role, side.name) for side in found.sides][1] == ("served before", "v2")
    assert found.sides[0].summary == "v1 serves since 2026-11-28 16:02 UTC, brought back by ada@host: complaints"
    assert [entry.what for entry in found.history][-1] == "rolled back"


def test_the_only_version_stands_beside_its_baselines(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD)
    found = compare(succession, "churn")
    assert len(found.sides) == 1
    assert re.search(r"AUROC +0\.812 \(0\.790–0\.830\) +0\.700", printed(found))
    assert "beside its baselines" in page(found)


def test_before_the_first_training_there_is_nothing_to_compare(succession: Promotion) -> None:
    with pytest.raises(JourneycastError, match=r"a version of shop\d+\.churn to compare, found none; train first"):
        compare(succession, "churn")


def test_only_intervals_that_lie_apart_say_what_is_better(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD | figure("test_log_loss", 0.5, 0.45, 0.55))
    trained(succession, config, 2, BEST | figure("test_log_loss", 0.48, 0.44, 0.53))
    better = {row.kind.key: row.better for row in compare(succession, "churn").rows}
    assert better == {"auroc": 1, "log_loss": None}


@pytest.mark.parametrize(
    ("key", "first", "second", "better"),
    [
        ("auroc", (0.7, 0.8), (0.81, 0.9), 1),
        ("log_loss", (0.3, 0.4), (0.41, 0.5), 0),
        ("log_loss", (0.3, 0.4), (0.4, 0.5), None),
        ("calibration_slope", (0.9, 1.1), (1.2, 1.4), 0),
        ("calibration_slope", (0.6, 0.8), (0.95, 1.05), 1),
        ("bias", (-0.3, -0.2), (0.1, 0.15), 1),
        ("coverage_90", (0.85, 0.95), (0.88, 0.92), None),
    ],
)
def test_better_goes_by_what_a_figure_wants(
    key: str, first: tuple[float, float], second: tuple[float, float], better: int | None
) -> None:
    pairs = [Pair(Figure("run", key, sum(ends) / 2, *ends), None) for ends in (first, second)]
    assert _better(KNOWN[key], pairs) == better


def test_each_horizon_has_rows_of_its_own(succession: Promotion, config: Config) -> None:
    params = {"rung_7d": "btyd", "rung_30d": "lightgbm", "split.test_7d": "2011-06-11", "split.test_30d": "2011-05-19"}
    metrics = figure("test_auroc", 0.6, 0.5, 0.7, end="_7d") | figure("test_auroc", 0.7, 0.6, 0.8, end="_30d")
    promoted(succession, config, 1, metrics, task="buys", params=params)
    found = compare(succession, "buys")
    assert [(row.horizon_days, row.metric) for row in found.rows] == [(7, "test_auroc_7d"), (30, "test_auroc_30d")]
    assert re.search(r"7 days.*0\.600.*30 days.*0\.700", printed(found), re.DOTALL)


def test_an_action_task_shows_its_policy_beside_doing_nothing(succession: Promotion, config: Config) -> None:
    metrics = figure("test_policy_value", 11.9, 9.7, 14.1) | figure("baseline_policy_value", 9.8, 8.0, 11.0)
    promoted(succession, config, 1, metrics, task="offer", params={"rung": "best constant", "task.horizon_days": "14"})
    assert re.search(r"policy value +11\.90 \(9\.700–14\.10\) +9\.800", printed(compare(succession, "offer")))


def test_different_test_periods_are_said(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD)
    trained(succession, config, 2, BEST, params=TESTED | {"split.test": "2011-09-11T00:00:00Z"})
    (note,) = compare(succession, "churn").notes
    assert "different test periods (v1 on 2011-06-11 and v2 on 2011-09-11)" in note


def test_a_version_without_figures_is_shown_without_them(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD)
    trained(succession, config, 2, {"seconds_fit": 1.0}, params={"rung": "rule", "grade": "D"})
    found = compare(succession, "churn")
    assert found.notes == ("v2: its run holds no figures: there was too little history for a test",)
    assert re.search(r"AUROC +0\.812 \(0\.790–0\.830\) +0\.700 +– +–", printed(found))
    assert "No pictures were found" in page(found)


def test_a_deleted_run_is_shown_while_it_is_there_and_missed_when_it_is_gone(
    succession: Promotion, config: Config
) -> None:
    version = promoted(succession, config, 1, GOOD)
    succession.registry.client.delete_run(version.run_id)
    found = compare(succession, "churn")
    assert found.notes == ("v1: its run was deleted in MLflow; `mlflow gc` will take its figures away",)
    assert len(found.rows) == 1
    succession.registry.client._tracking_client.store._hard_delete_run(version.run_id)
    gone = compare(succession, "churn")
    assert gone.notes == (f"v1: its run {version.run_id} is gone from MLflow, and its figures with it",)
    assert "which is gone" in page(gone)


def test_pictures_stand_side_by_side_and_a_missing_one_is_said(succession: Promotion, config: Config) -> None:
    both = {"plots/ranking.png": picture()}
    broken = both | {"plots/gains.png": b"no picture", "gate.json": b"{"}
    promoted(succession, config, 1, GOOD, files=both | {"plots/importance-buys.png": picture()})
    trained(succession, config, 2, BEST, files=broken)
    compared = compare(succession, "churn")
    assert compared.gate is None
    found = pictures([side.pictures for side in compared.sides])
    here = {one.name: tuple(image is not None for image in one.images) for one in found}
    assert here == {"ranking": (True, True), "gains": (False, False), "importance-buys": (True, False)}
    assert found[2].caption.startswith("What the trees look at")


def test_many_pictures_grow_smaller_until_the_page_is_light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light, "HEAVIEST", 60_000)
    chance = np.random.default_rng(3).integers(0, 255, (60, 1400, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(chance).save(file, "PNG")
    side = {f"{days}d/ranking.png": file.getvalue() for days in (7, 30)}
    found = pictures([side])
    assert [one.name for one in found] == ["7d/ranking", "30d/ranking"]
    assert 2 * len(file.getvalue()) > 60_000 * 4 / 3 > sum(len(str(image)) for one in found for image in one.images)


def test_the_page_reaches_nothing_and_runs_nothing(succession: Promotion, config: Config) -> None:
    files = {
        "plots/ranking.png": picture(),
        "model_card.md": f"# Card\n\n{EVIL} [x](https://e.com) ![x](https://e.com/x.png)".encode(),
        "gate.json": json.dumps(REFUSAL).encode(),
    }
    version = trained(succession, config, 1, GOOD, params=TESTED | {"task.event": EVIL}, files=files)
    succession.promote("churn", version, Actor(EVIL, NOON), why=EVIL, evidence={})
    found = numbers(page(compare(succession, "churn")))
    assert not {"script", "link", "iframe", "a", "object"} & set(found.tags)
    assert [address[:15] for address in found.outside] == ["data:image/png;"]


def test_a_model_card_keeps_its_headings_and_tables() -> None:
    assert card("## Limits\n\n|a|b|\n|-|-|\n|1|2|").startswith("<h2>Limits</h2>\n<table>")


def test_what_differs_in_training_is_marked(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD)
    trained(succession, config, 2, BEST)
    html = re.sub(r"\s+", " ", page(compare(succession, "churn")))
    assert f'data digest</th><td>{"1" * 36}</td><td>{"2" * 36}</td><td class="role">differs' in html
    assert 'grade</th><td>B</td><td>B</td><td class="role"></td>' in html


def test_trees_of_older_runs_are_compared_by_the_names_of_lightgbm(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD, params=TESTED | {"chosen.leaves": "8", "chosen.min_rows_30d": "100"})
    trained(
        succession, config, 2, BEST, params=TESTED | {"chosen.num_leaves": "12", "chosen.min_data_in_leaf_30d": "100"}
    )
    by_name = {fact.name: fact for fact in facts(compare(succession, "churn").sides)}
    assert by_name["chosen.num_leaves"].values == ("8", "12")
    assert not by_name["chosen.min_data_in_leaf_30d"].differs


@pytest.mark.parametrize(("width", "widest"), [(80, 80), (200, 100)])
def test_the_table_fits_any_terminal(succession: Promotion, config: Config, width: int, widest: int) -> None:
    promoted(succession, config, 1, GOOD | figure("test_bias", -0.0142, -0.0621, 0.0405))
    bad = trained(succession, config, 2, BEST, files={"gate.json": json.dumps(REFUSAL).encode()})
    succession.refuse("churn", bad, hand(2), why="a long story " * 20, evidence={})
    lines = printed(compare(succession, "churn"), width).splitlines()
    assert max(map(len, lines)) <= widest
    assert [line for line in lines if "…" in line] == []


def test_the_verb_shows_the_figures_and_writes_the_page(succession: Promotion, config: Config) -> None:
    promoted(succession, config, 1, GOOD)
    toml = config.folder / f"{succession.registry.shop}.toml"
    tasks = 'kind = "churn"\nevent = "purchase"\nhorizon_days = 90'
    toml.write_text(f'name = "{succession.registry.shop}"\n[tasks.churn]\n{tasks}\n')
    done = CliRunner().invoke(app, ["-c", str(toml), "compare", "churn"])
    written = config.workspace_path / "compare" / "churn.html"
    assert done.exit_code == 0
    assert "0.812 (0.790–0.830)" in done.output
    assert done.output.endswith(f"with pictures  {written}\n")
    assert written.read_text(encoding="utf-8").startswith("<!doctype html>")
