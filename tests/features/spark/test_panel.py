"""The panel in Spark on a cluster of two executors: equal to the bit to ingest and build on one machine."""

import importlib.util
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.arrays import Floats
from features.config.sections import Config
from features.errors import ConfigError, LogError
from features.ingest.report import IngestReport
from features.language.feature import Feature, Stream
from features.language.feature_set import FeatureSet
from features.log.schema import hash_of
from features.panel.build import Rows, build
from features.panel.comparisons import count_keys
from features.sets.user_module import read
from features.store.reader import Store
from tests.conftest import SERVICES_REQUIRED
from tests.features.sets.test_user_module import SOURCE
from tests.support.log_files import run
from tests.support.random_shop import NOW, crowd
from tests.support.strategies import COMPARISONS, CUTOFFS, EVERY_FEATURE, same_bits, world

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")]

CUSTOMERS = 10_000 if SERVICES_REQUIRED else 500
FEATURES = EVERY_FEATURE.union(
    FeatureSet((Feature("mean", Stream(), "comment_length"), Feature("attribute_is", column="size", level="XL"))),
    COMPARISONS,
    read("my_features.py", SOURCE.encode(), "UTC"),
)
Answers = Mapping[str, Floats]  # values at `CUTOFFS` by customer


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on two executors, each a process of its own with one core, where this checkout is on no path."""
    missing = [name for name in ("pyspark", "java") if not _here(name)]
    if missing:
        message = f"no {' and no '.join(missing)}: `make spark` installs PySpark, which needs a JRE"
        (pytest.fail if SERVICES_REQUIRED else pytest.skip)(message)
    from features.spark.panel import session

    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.adaptive.coalescePartitions.enabled": "false",  # so little would go to one executor
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(_home(folder)))
        patch.setenv("PYTHONPATH", "")
        opened = session(folder, "local-cluster[2,1,1024]", settings)
        yield opened
        opened.stop()


@pytest.fixture(scope="module")
def shop(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Config:
    return crowd(tmp_path_factory.mktemp("shop"), CUSTOMERS)


@pytest.fixture(scope="module")
def report(shop: Config) -> IngestReport:
    return run(shop, now=NOW)


@pytest.fixture(scope="module")
def expected(shop: Config, report: IngestReport) -> Answers:
    """What one machine says."""
    answers: dict[str, Floats] = {}
    for journeys in Store.open(shop.workspace_path, shop).with_global_counts(count_keys(FEATURES)).buckets():
        values = build(journeys, Rows.grid(len(journeys), np.array(CUTOFFS)), FEATURES).values
        answers.update(zip(journeys.customers, values.reshape(len(journeys), len(CUTOFFS), -1), strict=True))
    return answers


@pytest.fixture(scope="module")
def events(spark: Any, shop: Config) -> Any:
    return spark.read.parquet(str(shop.folder / "log"))


@pytest.fixture(scope="module")
def profile(spark: Any, shop: Config) -> Any:
    return spark.read.parquet(str(shop.folder / "people"))


def test_every_customer_at_every_cutoff_is_equal_to_the_bit(
    events: Any, profile: Any, shop: Config, expected: Answers
) -> None:
    from features.spark.panel import panel

    table = panel(events, CUTOFFS, FEATURES, shop, now_us=NOW, profile=profile).toArrow()
    assert table.schema.names == ["customer_id", "cutoff", *FEATURES.names]
    assert len(table) == len(expected) * len(CUTOFFS)
    names, cutoffs, values = _parts(table)
    assert names[:: len(CUTOFFS)] != sorted(names)[:: len(CUTOFFS)]  # more than one partition
    assert cutoffs == [*CUTOFFS] * len(expected)
    assert same_bits(values, np.concatenate([expected[name] for name in names[:: len(CUTOFFS)]]))


def test_rows_that_are_asked_for_come_back_each_once_unknown_customers_included(
    spark: Any, events: Any, profile: Any, shop: Config, expected: Answers
) -> None:
    from features.spark.panel import panel

    some = sorted(expected)[::7]
    pairs = [(name, CUTOFFS[place % 2]) for place, name in enumerate([*some, "nobody", some[0]])]
    requested = spark.createDataFrame(pairs, "customer_id string, us long")
    requested = requested.selectExpr("customer_id", "timestamp_micros(us) AS cutoff")
    names, cutoffs, values = _parts(panel(events, requested, FEATURES, shop, now_us=NOW, profile=profile).toArrow())
    assert sorted(zip(names, cutoffs, strict=True)) == sorted(pairs)
    stranger = build(world(strangers=["nobody"]).journeys(), Rows.grid(1, np.array(CUTOFFS)), EVERY_FEATURE).values
    for name, cutoff, row in zip(names, cutoffs, values, strict=True):
        right = expected.get(name, stranger)[CUTOFFS.index(cutoff)]
        assert same_bits(row[: len(right)], right)


def test_neither_the_zone_of_the_session_nor_small_batches_change_a_bit(
    spark: Any, events: Any, profile: Any, shop: Config, expected: Answers
) -> None:
    from features.spark.panel import panel

    settings = {"spark.sql.session.timeZone": "America/New_York", "spark.sql.execution.arrow.maxRecordsPerBatch": "97"}
    before = {name: spark.conf.get(name) for name in settings}
    few = FeatureSet((*FEATURES.features[:9], Feature("attribute", column="age")))
    places = [FEATURES.position[name] for name in few.names]
    try:
        for name, setting in settings.items():
            spark.conf.set(name, setting)
        names, _, values = _parts(panel(events, CUTOFFS[:1], few, shop, now_us=NOW, profile=profile).toArrow())
    finally:
        for name, setting in before.items():
            spark.conf.set(name, setting)
    assert sorted(names) == sorted(expected)
    assert same_bits(values, np.stack([expected[name][0, places] for name in names]))


@pytest.mark.parametrize("kind", ["log", "profile"])
def test_bad_rows_are_told_with_what_they_held_and_none_is_lost(
    kind: Any, events: Any, profile: Any, shop: Config, report: IngestReport
) -> None:
    from features.spark.panel import check

    checked = check(events if kind == "log" else profile, shop, now_us=NOW, kind=kind).select("reason", "raw").toArrow()
    bad = checked.filter(pc.is_valid(checked.column("reason")))
    reasons = report.quarantined if kind == "log" else report.profile_quarantined
    assert len(checked) == (report.rows if kind == "log" else report.profile_rows)
    assert dict(Counter(bad.column("reason").to_pylist())) == reasons
    assert all("who" in raw for raw in bad.column("raw").to_pylist())


def test_customers_come_together_by_the_bucket_of_the_store(spark: Any) -> None:
    from features.spark.panel import BUCKET

    names = ["anna", "é", "😀", "c1@x.org", ""]
    rows = spark.createDataFrame([(name,) for name in names], "customer string").selectExpr(
        "customer", f"{BUCKET} AS b"
    )
    assert {row.customer: row.b for row in rows.collect()} == {name: hash_of(name) for name in names}


def test_a_missing_column_is_told_before_anything_runs(events: Any, shop: Config) -> None:
    from features.spark.panel import check, panel

    with pytest.raises(LogError, match=r"no column 'money', which \[log\] names as `value`; did you mean 'monee'"):
        check(events.withColumnRenamed("money", "monee"), shop, now_us=NOW)
    with pytest.raises(ConfigError, match=r"expected rows of customer_id \(string\) and cutoff \(timestamp\), got"):
        panel(events, events, FEATURES, shop, now_us=NOW)


def test_nothing_is_written_beside_the_folder_of_the_session(spark: Any) -> None:
    left = ("artifacts", "derby.log", "metastore_db", "spark-warehouse", "work")
    assert [name for name in left if Path(name).exists()] == []


def _parts(table: pa.Table) -> tuple[list[str], list[int], Floats]:
    """Customers, cutoffs and values of a panel."""
    values = np.stack([column.to_numpy() for column in table.columns[2:]], axis=1)
    return table.column("customer_id").to_pylist(), table.column("cutoff").cast(pa.int64()).to_pylist(), values


def _here(name: str) -> bool:
    return importlib.util.find_spec(name) is not None if name == "pyspark" else shutil.which(name) is not None


def _home(folder: Path) -> Path:
    """PySpark's own files under a folder of the test: a cluster's workers write into their home."""
    spec = importlib.util.find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    home = folder / "home"
    home.mkdir()
    for item in Path(spec.origin).parent.iterdir():
        (home / item.name).symlink_to(item)
    return home
