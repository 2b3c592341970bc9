"""The whole base: equal to what is said of each customer alone, and to itself however often it was killed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.journeys import Journeys
from serving import batch
from serving.batch import BatchRun
from serving.contract.arrow import SCHEMA
from serving.scoring.judge import ScoringOptions, judge_everyone
from serving.scoring.online import Customer, Online, ScoreQuery
from serving.scoring.scores import Scores
from serving.scoring.served_model import Served
from tests.support.ingested_shop import AS_OF, BUNDLES, CUSTOMERS, EMOJI, asked, base, rows, without_silence
from tests.support.log_files import event

HEADS = 5


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Online:
    return base(tmp_path_factory.mktemp("base"), rows())


@pytest.fixture
def run(online: Online, tmp_path: Path) -> BatchRun:
    return BatchRun(online.store, online.served, asked(online), tmp_path / "scores", threads=2)


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
    assert [without_silence(row) for row in table.to_pylist()] == [record for one in alone for record in one.records()]
    assert EMOJI in names


def test_every_kind_of_score_is_there(run: BatchRun, tmp_path: Path) -> None:
    frame = pq.read_table(run.publish(tmp_path / "scores.parquet").path).to_pandas()
    assert set(frame["task"]) == {bundle.task.name for bundle in BUNDLES}
    assert frame.groupby("task")["score"].count().min() > 10


def test_two_runs_give_the_same_bytes_and_leave_nothing_behind(run: BatchRun, tmp_path: Path) -> None:
    one, other = run.publish(tmp_path / "one.parquet").path, run.publish(tmp_path / "other.parquet").path
    assert one.read_bytes() == other.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.parquet", "other.parquet", "scores"]
    assert list((tmp_path / "scores").iterdir()) == []


def test_the_order_of_the_log_changes_no_byte(run: BatchRun, tmp_path: Path) -> None:
    turned = base(tmp_path / "turned", rows()[::-1])
    other = BatchRun(turned.store, turned.served, asked(turned), tmp_path / "scores")
    assert run.publish(tmp_path / "a").path.read_bytes() == other.publish(tmp_path / "b").path.read_bytes()


def test_what_was_not_known_yet_is_in_no_row(online: Online, tmp_path: Path) -> None:
    late = base(tmp_path / "late", [*rows(), event(who="new", at="2025-06-01T00:00:00", channel="web")])
    early = BatchRun(late.store, late.served, asked(late), tmp_path / "scores").publish(tmp_path / "late.parquet").path
    before = (
        BatchRun(online.store, online.served, asked(online), tmp_path / "scores")
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
    from serving.scoring.judge import ScoringOptions
    from serving.scoring.served_model import Served

    workspace, scores, out, as_of, dies_at, *digests = sys.argv[1:]
    store = Store.open(Path(workspace))
    bundles = [load(Path(workspace) / "bundles" / digest, digest) for digest in digests]
    served = tuple(Served(bundle, str(version)) for version, bundle in enumerate(bundles, start=1))
    left = int(dies_at)
    real = batch.write_text

    def write_text(path, text):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        real(path, text)

    batch.write_text = write_text
    batch.BatchRun(store, served, ScoringOptions(int(as_of), store.log_position), Path(scores),
    threads=1).publish(Path(out))
"""


def test_killed_and_run_again_is_run_once(
    run: BatchRun, online: Online, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = run.publish(tmp_path / "undisturbed.parquet").path.read_bytes()
    out = tmp_path / "scores.parquet"
    arguments = [online.config.workspace_path, run.workspace, out, run.asked.as_of_us, 3]
    digests = [one.bundle.digest for one in online.served]
    command = [sys.executable, "-c", textwrap.dedent(KILLED), *map(str, arguments), *digests]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], env=dict(os.environ), timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not out.exists()
    assert len(list(run.folder.glob("part-*.json"))) == 2
    computed: list[Journeys] = []

    def counted(journeys: Journeys, served: tuple[Served, ...], asked: ScoringOptions) -> Scores:
        computed.append(journeys)
        return judge_everyone(journeys, served, asked)

    monkeypatch.setattr(batch, "judge_everyone", counted)
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
        BatchRun(run.store, run.served, asked(online, as_of_us=run.asked.as_of_us + 1), run.workspace),
        BatchRun(run.store, run.served[1:], run.asked, run.workspace),
    ]
    assert len({run.folder, *(other.folder for other in others)}) == 3


def test_progress_is_told_for_every_bucket(run: BatchRun, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    run.publish(tmp_path / "scores.parquet", lambda done, total: told.append((done, total)))
    assert told == [(done, len(run.store)) for done in range(1, len(run.store) + 1)]
