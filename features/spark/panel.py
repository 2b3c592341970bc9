"""The same panel from a log in Spark: the PySpark door.

Events are checked where they lie, brought together by the bucket of their customer and built into panels by
`features.spark.jobs` inside the executors. These need the packages of requirements.lock; our own code comes to them.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812  as everybody knows them
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from features.config.sections import Config
from features.errors import ConfigError, LogError, did_you_mean
from features.global_counts import summed, together
from features.language.feature_set import FeatureSet
from features.log.validate import SourceKind, log_columns, profile_columns
from features.panel.comparisons import count_keys
from features.spark import jobs
from features.spark.jobs import ASKED, ATTRIBUTE, EVENT, PROFILE, RAW, REASON, Checks
from features.store import global_counts
from features.system.files import atomic_write, digest, text_digest

ROOM = Path(__file__).parents[1]  # `features/`, which is what executors get
BUCKET = "cast(shiftright(crc32(cast(customer AS BINARY)), 16) AS INT)"  # `features.log.schema.hash_of` in SQL


def panel(
    events: DataFrame,
    requested: DataFrame | Sequence[int],
    features: FeatureSet,
    config: Config,
    *,
    now_us: int,
    profile: DataFrame | None = None,
) -> DataFrame:
    """The panel as `customer_id`, `cutoff` and a double for each feature, equal to the bit to
    `features.panel.build.build`.

    `events` and `profile` have the source columns of [log] and [profile]. Rows that `check` finds bad are left out; so
    are events more than a day after `now_us` (µs UTC). `requested` are cutoffs in µs UTC for every customer, or rows of
    `customer_id` and `cutoff`, whose customers may be unknown. Global counts are counted at once, if features read
    them; all else waits for an action.
    """
    good = check(events, config, now_us=now_us).where(F.col(REASON).isNull()).drop(REASON, RAW)
    unique_events = _one_event_an_id(good) if config.log.id else good
    parts = [_part(unique_events, EVENT, "time")]
    parts += [] if profile is None else [_facts(check(profile, config, now_us=now_us, kind="profile"))]
    parts += [_questions(requested)] if isinstance(requested, DataFrame) else []
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.unionByName(part, allowMissingColumns=True)
    facts = [_column(name) for name in whole.columns if name.startswith(ATTRIBUTE)]
    ordered = whole.repartition(F.expr(BUCKET)).sortWithinPartitions("customer", "kind", "at", *facts)
    cutoffs = None if isinstance(requested, DataFrame) else [int(cutoff) for cutoff in requested]
    module = None if features.module is None else (features.module.name, features.module.source)
    arguments = {"config": jobs.plain(config), "features": features.to_json(), "cutoffs": cutoffs, "module": module}
    counts_file = _global_counts(parts[0], features, config)
    return _mapped(ordered, "panels", jobs.panel_schema(features), arguments, counts_file)


def check(rows: DataFrame, config: Config, *, now_us: int, kind: SourceKind = "log") -> DataFrame:
    """Every row of a log or a profile checked as `ingest` does: the good ones as taken, of the bad `reason` and `raw`.

    Raises LogError when a column is missing.
    """
    wanted = log_columns(config) if kind == "log" else profile_columns(config)
    _demand(rows.columns, wanted, kind)
    read = rows.select(*map(_column, dict.fromkeys(wanted.values()))) if kind == "log" else rows
    kinds = _kinds(rows, config) if kind == "profile" else {}
    with TemporaryDirectory() as folder:
        checks = Checks(config, kind, now_us, kinds)
        schema = jobs.check_schema(to_arrow_schema(read.schema), Path(folder), checks)
    arguments = {"config": jobs.plain(config), "kind": kind, "now_us": now_us, "kinds": kinds}
    return _mapped(read, "check", schema, arguments)


def session(
    folder: Path, master: str = "local[*,3]", settings: Mapping[str, str] = MappingProxyType({})
) -> SparkSession:
    """A session that writes below `folder` only, thinks in UTC and runs a task that failed up to twice more."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else whatever python3 there is; no setting says it
    chosen: dict[str, bool | float | int | str | None] = {
        "spark.sql.session.timeZone": "UTC",
        "spark.task.maxFailures": "3",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        **settings,
    }
    return SparkSession.builder.master(master).appName("journeycast").config(map=chosen).getOrCreate()


def _demand(columns: Sequence[str], wanted: dict[str, str], kind: SourceKind) -> None:
    for key, column in wanted.items():
        if column not in columns:
            raise LogError(
                f"the DataFrame has no column '{column}', which [{kind}] names as `{key}`; "
                f"{did_you_mean(column, columns)}"
            )


def _kinds(profile: DataFrame, config: Config) -> dict[str, str]:
    """What each attribute is over all chunks: a number where every chunk has numbers."""
    schema = pa.schema([("column", pa.string()), ("kind", pa.string())])
    rows = _mapped(profile, "kinds", schema, {"config": jobs.plain(config)}).distinct().collect()
    listed = sorted((row["column"], row["kind"]) for row in rows)
    return {column: "category" if (column, "category") in listed else kind for column, kind in listed}


def _one_event_an_id(events: DataFrame) -> DataFrame:
    """One event of every id: the one known first, then the smallest by all columns, as `features.ingest.build` has
    it.
    """
    first = ["known", "customer", "time", "event"]
    other_columns = [name for name in events.columns if name not in (*first, "id", "identity", "arrival")]
    alone = F.when(F.col("id").isNull(), F.monotonically_increasing_id())  # an event without id equals no other
    place = F.row_number().over(
        Window.partitionBy("id", "alone").orderBy(
            *(_column(name).asc_nulls_first() for name in (*first, *other_columns))
        )
    )
    return events.withColumn("alone", alone).withColumn("place", place).where("place = 1").drop("id", "alone", "place")


def _facts(checked: DataFrame) -> DataFrame:
    """Rows of the profile, each once, under names that no event has."""
    good = checked.where(F.col(REASON).isNull()).drop(REASON, RAW).distinct()
    keys = ("customer", "known")
    named = [_column(name).alias(name if name in keys else ATTRIBUTE + name) for name in good.columns]
    return _part(good.select(*named), PROFILE, "known")


def _questions(requested: DataFrame) -> DataFrame:
    kinds = dict(requested.dtypes)
    if kinds.get("customer_id") != "string" or kinds.get("cutoff") != "timestamp":
        raise ConfigError(
            f"expected rows of customer_id (string) and cutoff (timestamp), got {kinds}; rename or cast what there is"
        )
    named = requested.select(F.col("customer_id").alias("customer"), F.unix_micros("cutoff").alias("cutoff"))
    return _part(named, ASKED, "cutoff")


def _part(rows: DataFrame, kind: int, at: str) -> DataFrame:
    """Rows of one kind, as `jobs.panels` reads them."""
    other_columns = [_column(name) for name in rows.columns if name not in ("customer", at)]
    return rows.select("customer", F.lit(kind).alias("kind"), F.col(at).alias("at"), *other_columns)


def _column(name: str) -> Column:
    return F.col("`" + name.replace("`", "``") + "`")


def _global_counts(events: DataFrame, features: FeatureSet, config: Config) -> dict[str, str]:
    """Global counts on every executor, where features read them: the argument of `panels` and its file."""
    keys = count_keys(features)
    if not keys:
        return {}
    ordered = events.repartition(F.expr(BUCKET)).sortWithinPartitions("customer", "kind", "at")
    arguments = {"config": jobs.plain(config), "features": features.to_json()}
    counted = _mapped(ordered, "counts", jobs.COUNTS, arguments).groupBy("key").agg(F.sum("count").alias("count"))
    table = counted.toArrow()
    counts = summed(table.column("key").to_numpy(), table.column("count").to_numpy())
    content = sha256(repr(keys).encode() + counts.keys.tobytes() + counts.counts.tobytes())
    path = Path(SparkFiles.getRootDirectory()) / f"global_counts-{content.hexdigest()[:16]}.arrow"
    if not path.exists():
        global_counts.write(path, together([counts], keys))
        for part in (path, path.with_suffix(".json")):
            events.sparkSession.sparkContext.addFile(part.as_uri())
    return {"counts_file": path.name}


def _mapped(
    rows: DataFrame,
    job: str,
    schema: pa.Schema,
    arguments: dict[str, Any],
    files: Mapping[str, str] = MappingProxyType({}),
) -> DataFrame:
    """The rows through a job; columns travel by number, because `mapInArrow` stumbles over names with dots in them.

    `files` are arguments that name a file which was added to the application.
    """
    numbered = rows.toDF(*(f"c{number}" for number in range(len(rows.columns))))
    run = _in_executors(job, _ship(rows.sparkSession), rows.columns, arguments, dict(files))
    return numbered.mapInArrow(run, from_arrow_schema(schema))


def _in_executors(
    job: str, code: str, names: list[str], arguments: dict[str, Any], files: dict[str, str]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[Any]]:
    """A job of `features.spark.jobs` for `mapInArrow`, on batches whose columns are `names`.

    The function is shipped by value because it is a local one, and imports our code where that has been unpacked; numba
    keeps what it compiles beside it. Both go with the application.
    """

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[Any]:
        home = Path(SparkFiles.get(code)).resolve()
        if str(home) not in sys.path:
            sys.path.insert(0, str(home))
            os.environ["NUMBA_CACHE_DIR"] = str(home / "numba")
        importlib.import_module("features.system.environment").apply()
        shipped = importlib.import_module("features.spark.jobs")
        if home not in Path(str(shipped.__file__)).parents:
            raise RuntimeError(
                f"expected our code in {home}, found {shipped.__file__}; after a change start a new session"
            )
        named = (batch.rename_columns(names) for batch in batches)
        placed = {argument: SparkFiles.get(name) for argument, name in files.items()}
        yield from getattr(shipped, job)(named, home.parent, **arguments, **placed)

    return run


def _ship(spark: SparkSession) -> str:
    """Our code on every executor, once an application; returns the folder it is unpacked to, named by its content."""
    sources = sorted(ROOM.rglob("*.py"))
    name = f"journeycast-{text_digest(''.join(map(digest, sources)))[:16]}"
    archive = Path(SparkFiles.getRootDirectory()) / f"{name}.zip"
    if not archive.exists():
        with atomic_write(archive) as temporary, ZipFile(temporary, "w") as file:
            for source in sources:
                file.write(source, source.relative_to(ROOM.parent))
        spark.sparkContext.addArchive(f"{archive.as_uri()}#{name}")
    return name
