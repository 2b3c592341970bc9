"""Every entry point of MLproject by `mlflow run`, on a clone of the files that git tracks and a shop made in it."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mlflow.projects.utils import load_project

from tests.torture.support.sizes import FORM, Toll

ROOT = Path(__file__).parents[2]
SHOP = "a shop's folder"  # with what a shell would trip over
TOML = f"{SHOP}/journeycast.toml"
DEMO = {"main", "demo"}
SERVE_S = 120  # until the service answers
EARLIER = "2025-06-01"  # than the last event of the shop, so that another model comes out

pytestmark = pytest.mark.skipif(FORM == "seconds", reason="a dozen `mlflow run` take minutes; the form ci runs them")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `git clone` would bring, with what is new and not ignored."""
    told = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folder = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # not one that is removed and not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def command(entry: str, parameters: dict[str, object]) -> list[str]:
    given = [word for name, value in parameters.items() for word in ("-P", f"{name}={value}")]
    return [str(Path(sys.executable).with_name("mlflow")), "run", ".", "-e", entry, "--env-manager", "local", *given]


def environment(**more: str) -> dict[str, str]:
    """As in an activated environment, with nothing of ours set."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "JOURNEYCAST_"))}
    return clean | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200", **more}


def ran(clone: Path, entry: str, **parameters: object) -> str:
    """What the verb printed, once it ended well and said nothing that is none of ours."""
    named = {name.replace("_", "-"): value for name, value in parameters.items()}
    done = subprocess.run(
        command(entry, named), cwd=clone, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{entry}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    for noise in ("Warning", "Traceback", "🏃", "View run"):
        assert noise not in done.stdout + done.stderr, f"{entry}: {done.stdout}{done.stderr}"
    return done.stdout


def test_every_entry_point_does_what_its_verb_does(clone: Path, toll: Toll) -> None:
    shop, workspace = clone / SHOP, clone / SHOP / "workspace"
    ran(clone, "simulate", customers=400, out=SHOP)
    assert (clone / TOML).is_file()
    logs = [path.relative_to(clone).as_posix() for path in sorted(shop.rglob("*.parquet")) if "truth" not in path.name]
    ran(clone, "init", config="found.toml", log="\n".join(logs))
    assert "[log]" in (clone / "found.toml").read_text()
    assert "400" in ran(clone, "ingest", config=TOML)
    assert "purchase" in ran(clone, "features", config=TOML)
    assert "churn" in ran(clone, "readiness", config=TOML, task="churn")
    ran(clone, "tune-worker", config=TOML, task="churn", trials=1)
    assert "churn" in ran(clone, "train", config=TOML, task="churn", trials=1)
    ran(clone, "train", config=TOML, task="churn", trials=0, as_of=EARLIER, flags="--no-promote")
    ran(clone, "compare", config=TOML, task="churn", out=f"{SHOP}/page.html")
    assert (shop / "page.html").read_text().startswith("<!")
    ran(clone, "promote", config=TOML, task="churn", version=2, why="it's $(better)")
    ran(clone, "rollback", config=TOML, task="churn")
    assert "it's $(better)" in ran(clone, "history", config=TOML, task="churn")
    assert "nothing" in ran(clone, "prune", config=TOML, days=30, flags="--dry-run").lower()
    ran(clone, "score", config=TOML, task="churn", out=f"{SHOP}/who churns.parquet")
    assert pq.read_metadata(shop / "who churns.parquet").num_rows > 0
    assert experiments(workspace / "mlflow.db") == ["Default", "shop.churn"]
    assert experiments(clone / "mlflow.db") == ["Default"]  # of `mlflow run` itself, which names it to its children
    with serving(clone) as address, urllib.request.urlopen(f"{address}/v1/models") as answer:
        assert b"churn" in answer.read()
    done = {"simulate", "init", "ingest", "features", "readiness", "tune-worker", "train", "compare", "promote"}
    done |= {"rollback", "history", "prune", "score", "serve"}
    assert set(load_project(str(clone))._entry_points) == done | DEMO  # type: ignore[no-untyped-call]
    toll.fault(len(done))
    toll.settle(at_least=len(done))


@pytest.mark.skipif(FORM != "full", reason="the demo alone takes minutes")
@pytest.mark.parametrize("entry", sorted(DEMO))
def test_the_demo_is_an_entry_point_as_well(clone: Path, entry: str) -> None:
    ran(clone, entry, out=f"{entry} shop")
    assert (clone / f"{entry} shop" / "workspace" / "scores.parquet").is_file()


def experiments(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM experiments ORDER BY name")]


@contextmanager
def serving(clone: Path) -> Iterator[str]:
    """The address of the service, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = command("serve", {"config": TOML, "port": port})
    with subprocess.Popen(
        arguments,
        cwd=clone,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as service:
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(address, service)
            yield address
        finally:
            os.killpg(service.pid, 15)
            service.communicate(timeout=60)


def wait_until_ready(address: str, service: "subprocess.Popen[bytes]") -> None:
    for _ in range(SERVE_S * 2):
        assert service.poll() is None, service.stdout.read().decode() if service.stdout else ""
        try:
            with urllib.request.urlopen(f"{address}/readyz"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError(f"{address} did not answer within {SERVE_S} s")
