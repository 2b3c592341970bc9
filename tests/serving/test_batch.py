"""The whole base: equal to what is said of each customer alone, and to itself however often it was killed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.journeys import Journeys
from serving import batch
from serving.batch import BatchRun
from serving.contract.arrow import SCHEMA
from serving.scoring.online import Customer, Online, ScoreQuery
from serving.scoring.score_journeys import ScoringOptions, score_known_customers
from serving.scoring.scores import Scores
from serving.scoring.served_model import ServedBundle
from tests.support.ingested_shop import AS_OF, BUNDLES, CUSTOMERS, EMOJI, base, options, rows, without_nulls
from tests.support.log_files import event

HEADS = 5


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Online:
    return base(tmp_path_factory.mktemp("base"), rows())


@pytest.fixture
def run(online: Online, tmp_path: Path) -> BatchRun:
    return BatchRun(online.store, online.served, options(online), tmp_path / "scores", threads=2)


def test_the_file_keeps_the_contract(run: BatchRun, tmp_path: Path) -> None:
    written = run.publish(tmp_path / "scores.parquet")
    table = pq.read_table(written.path)
    assert table.schema.equals(SCHEMA)
    table.validate(full=True)
    assert (written.rows, written.customers) == (table.num_rows, CUSTOMERS) == (CUSTOMERS * HEADS, CUSTOMERS)
    assert len(run.store) > 4
    assert table["customer_id"].to_pylist()[::HEADS] == [
        name for part in run.store.buckets() for name in part.customers
    ]


def test_every_score_of_the_file_is_the_one_said_of_the_customer_alone(
    run: BatchRun, online: Online, tmp_path: Path
) -> None:
    table = pq.read_table(run.publish(tmp_path / "scores.parquet").path)
    names = list(dict.fromkeys(table["customer_id"].to_pylist()))
    alone = online.scores([Customer(name) for name in names], ScoreQuery(as_of=AS_OF))
    assert [without_nulls(row) for row in table.to_pylist()] == [
        record for scores in alone for record in scores.records()
    ]
    assert EMOJI in names


def test_every_kind_of_score_is_there(run: BatchRun, tmp_path: Path) -> None:
    frame = pq.read_table(run.publish(tmp_path / "scores.parquet").path).to_pandas()
    assert set(frame["task"]) == {bundle.task.name for bundle in BUNDLES}
    assert frame.groupby("task")["score"].count().min() > 10


def test_two_runs_give_the_same_bytes_and_leave_nothing_behind(run: BatchRun, tmp_path: Path) -> None:
    first, second = run.publish(tmp_path / "first.parquet").path, run.publish(tmp_path / "second.parquet").path
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.parquet", "scores", "second.parquet"]
    assert list((tmp_path / "scores").iterdir()) == []


def test_two_at_once_end_one_after_the_other_with_the_same_bytes(
    run: BatchRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    other = threading.Thread(target=run.publish, args=(second,))

    def meanwhile(done: int, _total: int) -> None:
        if done == 1:
            other.start()
            other.join(0.5)

    run.publish(first, meanwhile)
    other.join()
    assert first.read_bytes() == second.read_bytes()
    assert batch.WAITING in caplog.text
    assert list(run.workspace.iterdir()) == []


def test_the_order_of_the_log_changes_no_byte(run: BatchRun, tmp_path: Path) -> None:
    reversed_log = base(tmp_path / "reversed", rows()[::-1])
    other = BatchRun(reversed_log.store, reversed_log.served, options(reversed_log), tmp_path / "scores")
    assert run.publish(tmp_path / "a").path.read_bytes() == other.publish(tmp_path / "b").path.read_bytes()


def test_what_was_not_known_yet_is_in_no_row(online: Online, tmp_path: Path) -> None:
    late = base(tmp_path / "late", [*rows(), event(who="new", at="2025-06-01T00:00:00", channel="web")])
    early = (
        BatchRun(late.store, late.served, options(late), tmp_path / "scores").publish(tmp_path / "late.parquet").path
    )
    before = (
        BatchRun(online.store, online.served, options(online), tmp_path / "scores")
        .publish(tmp_path / "before.parquet")
        .path
    )
    assert sorted(pq.read_table(early)["customer_id"].unique().to_pylist()) == sorted(
        pq.read_table(before)["customer_id"].unique().to_pylist()
    )
    assert by_customer(early) == by_customer(before)


def by_customer(path: Path) -> list[tuple[str, str, int, float | None]]:
    table = pq.read_table(path, columns=["customer_id", "task", "horizon_days", "score"])
    return sorted(tuple(row.values()) for row in table.to_pylist())


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from features.system import environment
    environment.apply()
    from features.store.reader import Store
    from models.bundle import load
    from serving import batch
    from serving.scoring.score_journeys import ScoringOptions
    from serving.scoring.served_model import ServedBundle

    workspace, scores, out, as_of, dies_at, *digests = sys.argv[1:]
    store = Store.open(Path(workspace))
    bundles = [load(Path(workspace) / "bundles" / digest, digest) for digest in digests]
    served = tuple(ServedBundle(bundle, str(version)) for version, bundle in enumerate(bundles, start=1))
    writes_left = int(dies_at)
    real_write_text = batch.write_text

    def write_text(path, text):
        global writes_left
        writes_left -= 1
        if writes_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        real_write_text(path, text)

    batch.write_text = write_text
    batch.BatchRun(store, served, ScoringOptions(int(as_of), store.log_position), Path(scores),
    threads=1).publish(Path(out))
"""


def test_killed_and_run_again_is_run_once(
    run: BatchRun, online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = run.publish(tmp_path / "undisturbed.parquet").path.read_bytes()
    out = tmp_path / "scores.parquet"
    arguments = [online.config.workspace_path, run.workspace, out, run.options.as_of_us, 3]
    digests = [model.bundle.digest for model in online.served]
    command = [sys.executable, "-c", textwrap.dedent(KILLED), *map(str, arguments), *digests]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], env=dict(os.environ), timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    assert len(list(run.folder.glob("part-*.json"))) == 2
    computed: list[Journeys] = []

    def counted(journeys: Journeys, served: tuple[ServedBundle, ...], options: ScoringOptions) -> Scores:
        computed.append(journeys)
        return score_known_customers(journeys, served, options)

    monkeypatch.setattr(batch, "score_known_customers", counted)
    assert run.publish(out).path.read_bytes() == undisturbed
    assert len(computed) == len(run.store) - 2
    assert not run.folder.exists()


def test_a_part_that_was_changed_is_computed_again(run: BatchRun, tmp_path: Path) -> None:
    undisturbed = run.publish(tmp_path / "undisturbed.parquet").path.read_bytes()
    run.part(0)
    part = next(run.folder.glob("part-*.arrow"))
    part.write_bytes(part.read_bytes()[:-100])
    assert json.loads(part.with_suffix(".json").read_text())["rows"] > 0
    assert run.publish(tmp_path / "scores.parquet").path.read_bytes() == undisturbed


def test_another_as_of_another_model_and_another_store_are_another_run(run: BatchRun, online: Online) -> None:
    others = [
        BatchRun(run.store, run.served, options(online, as_of_us=run.options.as_of_us + 1), run.workspace),
        BatchRun(run.store, run.served[1:], run.options, run.workspace),
    ]
    assert len({run.folder, *(other.folder for other in others)}) == 3


def test_progress_is_told_for_every_bucket(run: BatchRun, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    run.publish(tmp_path / "scores.parquet", lambda done, total: calls.append((done, total)))
    assert calls == [(done, len(run.store)) for done in range(1, len(run.store) + 1)]
