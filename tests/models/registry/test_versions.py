"""Against real SQLite. One database serves all tests, each with a shop of its own: making one takes seconds."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from sqlalchemy import Engine
from sqlalchemy.event import listen

from features.config.load import parse
from features.config.sections import Config
from features.errors import BundleError, JourneycastError
from features.system import processes
from features.system.files import TEMPORARY, text_digest
from models.registry.client import ADDRESS, hurried, place
from models.registry.download import download as download_files
from models.registry.runs import PROCESS
from models.registry.version import Version
from models.registry.versions import Registry, Standing
from tests.support.registered_shop import register_folder
from tests.torture.support.killed import ended, forked

SHOPS = count()


def configuration(folder: Path, name: str = "shop") -> Config:
    return parse({"name": name, "workspace": "a workspace é"}, folder=folder)


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, tracking_database: Path) -> Registry:
    config = configuration(tmp_path_factory.mktemp("registry"))
    config.workspace_path.mkdir()
    shutil.copy(tracking_database, config.workspace_path / "mlflow.db")
    return Registry.open(config)


@pytest.fixture
def registry(first: Registry) -> Registry:
    return replace(first, shop=f"shop{next(SHOPS)}")


def bundle(folder: Path, text: str = "{}") -> tuple[Path, str]:
    manifest = json.dumps({"files": {"bundle.json": text_digest(text)}})
    made = folder / text_digest(manifest)
    made.mkdir(parents=True)
    (made / "bundle.json").write_text(text)
    (made / "manifest.json").write_text(manifest)
    return made, made.name


def registered(registry: Registry, folder: Path, text: str = "{}") -> Version:
    made, _ = bundle(folder, text)
    with registry.run("churn", "a run") as run:
        return register_folder(registry, "churn", run, made, {"grade": "B"})


def status(registry: Registry, run_id: str) -> str:
    return str(registry.client.get_run(run_id).info.status)


def test_a_run_holds_what_was_logged(registry: Registry) -> None:
    with registry.run("churn", "churn as of 2011-09-10", {"rung": "lightgbm"}) as run:
        run.log_params({"trials": 15, "long": "x" * 9000} | {f"p{k}": k for k in range(150)})
        run.log_metrics({"test_auroc": 0.75, "nothing": float("nan")})
        run.log_text("config/journeycast.toml", "name = 'é'")
        run.log_json("trials.json", [{"loss": 0.5}])
        run.log_bytes("plots/ranking.png", b"\x89PNG")
    stored = registry.client.get_run(run.id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params["trials"] == "15"
    assert len(stored.data.params) == 152
    assert stored.data.metrics["test_auroc"] == 0.75
    assert stored.data.tags["rung"] == "lightgbm"
    folder = Path(run.artifacts.removeprefix("file://").replace("%20", " ").replace("%C3%A9", "é"))
    assert (folder / "config/journeycast.toml").read_text() == "name = 'é'"
    assert json.loads((folder / "trials.json").read_text()) == [{"loss": 0.5}]
    assert (folder / "plots/ranking.png").read_bytes() == b"\x89PNG"
    assert registry.artifacts is not None
    assert folder.is_relative_to(registry.artifacts / "churn")


@pytest.mark.parametrize(("error", "expected"), [(ValueError(), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_run_that_does_not_end_well_says_so(registry: Registry, error: BaseException, expected: str) -> None:
    with pytest.raises(type(error)), registry.run("churn", "a run") as run:
        raise error
    assert status(registry, run.id) == expected


@pytest.fixture
def other_process() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        yield other
        other.kill()


def identity_of(pid: int) -> str:
    host, boot, space, _, _ = processes.identity().split(" ")
    return " ".join((host, boot, space, str(pid), processes._start(pid)))


def test_only_runs_of_dead_processes_are_closed(registry: Registry, other_process: "subprocess.Popen[bytes]") -> None:
    living = identity_of(other_process.pid)
    dead = living.rpartition(" ")[0] + " 1"  # the number was given out again
    elsewhere = f"elsewhere {dead.partition(' ')[2]}"
    rebooted = " ".join([living.split(" ")[0], "an-older-boot", *living.split(" ")[2:]])
    expected = {living: "RUNNING", dead: "KILLED", elsewhere: "RUNNING", rebooted: "KILLED"}
    experiment = registry.client.create_experiment(f"{registry.shop}.churn")
    runs = {
        registry.client.create_run(experiment, tags={PROCESS: tag}).info.run_id: status
        for tag, status in expected.items()
    }
    untagged = registry.client.create_run(experiment).info.run_id
    registry.close_abandoned_runs()
    assert {run: status(registry, run) for run in runs} == runs
    assert status(registry, untagged) == "RUNNING"


def test_a_process_is_gone_once_it_ended(other_process: "subprocess.Popen[bytes]") -> None:
    identity = identity_of(other_process.pid)
    assert not processes.is_gone(identity)
    other_process.kill()
    other_process.wait()
    assert processes.is_gone(identity)


def test_without_proc_a_process_is_known_by_its_number(
    other_process: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PROC", Path("/nowhere"))
    identity = identity_of(other_process.pid)
    assert not processes.is_gone(identity)
    other_process.kill()
    other_process.wait()
    assert processes.is_gone(identity)


def test_a_registered_bundle_is_the_challenger(registry: Registry, tmp_path: Path) -> None:
    version = registered(registry, tmp_path)
    assert (version.name, version.version, version.aliases) == (f"{registry.shop}.churn", 1, ("challenger",))
    assert version.tags == {"grade": "B", "bundle_digest": version.digest}
    assert version.created_us > 1_500_000_000_000_000
    assert registry.challenger("churn") == version
    assert registry.champion("churn") is None


def test_the_alias_of_the_champion_moves_alone(registry: Registry, tmp_path: Path) -> None:
    old, new = registered(registry, tmp_path, "1"), registered(registry, tmp_path, "2")
    registry.set_champion("churn", old)
    assert registry.challenger("churn") == replace(new, aliases=("challenger",))
    registry.set_champion("churn", new)
    assert [version.aliases for version in registry.versions("churn")] == [("challenger", "champion"), ()]
    registry.drop_challenger("churn")
    registry.set_champion("churn", old)
    assert [version.aliases for version in registry.versions("churn")] == [(), ("champion",)]


def test_what_a_task_stands_at_is_one_question(registry: Registry, tmp_path: Path) -> None:
    assert registry.standing("churn") == Standing(None, None, "")
    registry.set_champion("churn", registered(registry, tmp_path, "1"))
    registered(registry, tmp_path, "2")
    registry.mark_head("churn", "7 abc")
    assert registry.standing("churn") == Standing(1, 2, "7 abc")


def test_a_version_that_is_not_there_cannot_be_champion(registry: Registry, tmp_path: Path) -> None:
    version = registered(registry, tmp_path)
    with pytest.raises(JourneycastError, match=r"MLflow could not set champion: .*not found"):
        registry.set_champion("churn", replace(version, version=9))


def test_in_a_hurry_a_server_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with hurried():
        assert (os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"], os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) == ("3", "0")
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "120"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


@pytest.mark.parametrize("address", ["postgres://me@db/x", "postgresql://me@db/x", "postgresql+psycopg://me@db/x"])
def test_addresses_of_postgresql_all_mean_the_driver_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(ADDRESS, address)
    assert place(configuration(tmp_path))[0] == "postgresql+psycopg://me@db/x"


def test_a_known_bundle_keeps_its_version(registry: Registry, tmp_path: Path) -> None:
    first = registered(registry, tmp_path / "1")
    assert registered(registry, tmp_path / "2") == first
    assert registry.versions("churn") == (first,)


def test_a_deleted_champion_reads_as_none(registry: Registry, tmp_path: Path) -> None:
    version = registered(registry, tmp_path)
    registry.set_champion("churn", version)
    registry.client.delete_model_version(version.name, str(version.version))
    assert registry.champion("churn") is None


def test_a_version_without_our_tag_is_not_ours(registry: Registry, tmp_path: Path) -> None:
    version = registered(registry, tmp_path)
    registry.client.create_model_version(version.name, str(tmp_path), run_id=version.run_id)
    assert registry.versions("churn") == (version,)


def test_a_task_never_trained_has_no_versions(registry: Registry) -> None:
    assert registry.versions("churn") == ()
    assert registry.champion("churn") is None
    with pytest.raises(JourneycastError, match=r"expected version 3 of shop\d+.churn; there are: none; train first"):
        registry.version("churn", 3)


def test_an_experiment_deleted_in_the_ui_is_restored(registry: Registry) -> None:
    with registry.run("churn", "a run") as run:
        pass
    registry.client.delete_experiment(registry.client.get_run(run.id).info.experiment_id)
    with registry.run("churn", "another") as run:
        pass
    assert status(registry, run.id) == "FINISHED"


def test_a_missing_bundle_is_fetched_from_the_artifacts(registry: Registry, tmp_path: Path) -> None:
    version = registered(registry, tmp_path / "made", "some text")
    folder = registry.fetch(version, tmp_path / "bundles")
    assert folder == tmp_path / "bundles" / version.digest
    assert {file.name: file.read_text() for file in folder.iterdir()}["bundle.json"] == "some text"
    assert registry.fetch(version, tmp_path / "bundles") == folder
    assert [item.name for item in (tmp_path / "bundles").iterdir()] == [version.digest]


def test_two_may_fetch_the_same_bundle_at_once(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registered(registry, tmp_path / "made")
    download = download_files

    def slow(client: MlflowClient, version: Version, folder: Path) -> None:
        monkeypatch.setattr("models.registry.versions.download", download)
        monkeypatch.setattr(os, "getpid", lambda: 1)
        registry.fetch(version, tmp_path / "bundles")
        monkeypatch.undo()
        download(client, version, folder)

    monkeypatch.setattr("models.registry.versions.download", slow)
    assert registry.fetch(version, tmp_path / "bundles").is_dir()
    assert [item.name for item in (tmp_path / "bundles").iterdir()] == [version.digest]


@pytest.mark.parametrize("name", ["bundle.json", "manifest.json"])
def test_a_changed_artifact_is_refused_and_nothing_stays(registry: Registry, tmp_path: Path, name: str) -> None:
    version = registered(registry, tmp_path / "made")
    (artifact(registry, version) / name).write_text("{ }")
    with pytest.raises(BundleError, match=f"{name} was changed: expected SHA-256"):
        registry.fetch(version, tmp_path / "bundles")
    assert list((tmp_path / "bundles").iterdir()) == []


def test_a_deleted_artifact_is_one_clear_error(registry: Registry, tmp_path: Path) -> None:
    version = registered(registry, tmp_path / "made")
    for file in artifact(registry, version).iterdir():
        file.unlink()
    artifact(registry, version).rmdir()
    with pytest.raises(BundleError, match=r"expected the bundle .* among the artifacts of run"):
        registry.fetch(version, tmp_path / "bundles")


def artifact(registry: Registry, version: Version) -> Path:
    assert registry.artifacts is not None
    return registry.artifacts / "churn" / version.run_id / "artifacts" / "bundle"


def test_the_place_does_not_depend_on_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd").mkdir()
    monkeypatch.chdir(tmp_path / "odd")
    monkeypatch.setenv(ADDRESS, "sqlite:///shared/tracking.db")
    registry = Registry.open(configuration(tmp_path))
    registered(registry, tmp_path / "made")
    assert list((tmp_path / "odd").iterdir()) == []
    assert (tmp_path / "shared/tracking.db").exists()
    assert str(tmp_path / "shared/tracking.db") in registry.ui_command
    assert capfd.readouterr() == ("", "")  # no log lines, no progress bars, no addresses


def test_a_server_that_is_gone_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "http://me:secret@127.0.0.1:9")
    with pytest.raises(JourneycastError, match=r"MLflow could not open http://…@127\.0\.0\.1:9") as caught:
        Registry.open(configuration(tmp_path))
    assert "secret" not in str(caught.value)


def test_a_damaged_database_is_one_clear_error(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    config.workspace_path.mkdir()
    (config.workspace_path / "mlflow.db").write_bytes(b"no database" * 1000)
    with pytest.raises(JourneycastError, match=r"MLflow could not open sqlite:.*: .*file is not a database"):
        Registry.open(config)


def open_at_once(config: Config, start: Any, answers: Any) -> None:
    tempfile.tempdir = str(config.folder / str(os.getpid()))  # MLflow's own lock lies in the temporary folder
    Path(tempfile.tempdir).mkdir()
    start.wait()
    try:
        with Registry.open(config).run("churn", "a run") as run:
            answers.put(run.id)
    except BaseException as error:
        answers.put(repr(error))
        raise


def test_four_processes_may_use_a_fresh_workspace_at_once(tmp_path: Path, first: Registry) -> None:
    config, fork = configuration(tmp_path), multiprocessing.get_context("fork")
    start, answers = fork.Barrier(4), fork.Queue()
    workers = [fork.Process(target=open_at_once, args=(config, start, answers)) for _ in range(4)]
    for worker in workers:
        worker.start()
    run_ids = {answers.get(timeout=120) for _ in workers}
    for worker in workers:
        worker.join()
    registry = Registry.open(config)
    assert {status(registry, run) for run in run_ids} == {"FINISHED"}
    assert len(run_ids) == 4


def die_in_a_run(config: Config) -> None:
    with Registry.open(config).run("churn", "a run"):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_run_whose_process_was_killed_is_closed_at_the_next_open(tmp_path: Path, tracking_database: Path) -> None:
    config = configuration(tmp_path)
    config.workspace_path.mkdir()
    shutil.copy(tracking_database, config.workspace_path / "mlflow.db")
    worker = multiprocessing.get_context("fork").Process(target=die_in_a_run, args=(config,))
    worker.start()
    worker.join()
    registry = Registry.open(config)
    experiment = registry.client.get_experiment_by_name("shop.churn")
    assert experiment is not None
    (run,) = registry.client.search_runs([experiment.experiment_id])
    assert (worker.exitcode, run.info.status) == (-signal.SIGKILL, "KILLED")


def die_at_a_table(config: Config) -> None:
    def execute(_: object, __: object, statement: str, *___: object) -> None:
        if "CREATE TABLE registered_models" in statement:
            os.kill(os.getpid(), signal.SIGKILL)

    listen(Engine, "before_cursor_execute", execute)
    Registry.open(config)


def test_what_was_killed_while_it_made_the_tables_is_no_database(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    assert ended(forked(lambda: die_at_a_table(config))) == -signal.SIGKILL
    (left,) = config.workspace_path.glob("*.db")
    assert left.name.startswith(TEMPORARY)
    assert Registry.open(config).versions("churn") == ()
