"""Goal F-8: whoever moves the champion, and whoever is killed while doing so, one version serves and the story is one.

At every read the alias names a version that exists and loads; each entry of the ledger goes on from the one before; the
chain holds. A promotion or rollback killed before any of its calls is undone or done, and the same verb ends it well.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from models.ledger import ADDRESS as LEDGER
from models.registry.client import ADDRESS as TRACKING
from tests.conftest import ROOT
from tests.support.registered_shop import prepared
from tests.torture.support.sizes import Toll, size

SEED = 20_261_128
MOVES, KILLS = size(8, 80, 500), size(2, 16, 100)
SHARED_MOVES, SHARED_KILLS = size(8, 40, 200), size(2, 8, 40)
EVERY = size(16, 2, 1)  # calls of a promotion or rollback


def run(folder: Path, *numbers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.torture.support.promoters", str(folder), *map(str, numbers)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def pay(toll: Toll, found: dict[str, Any], *, at_least: int) -> None:
    toll.fault(found.pop("killed"))
    toll.violations += found.pop("violations")
    toll.tell(**found)
    toll.settle(at_least=at_least)


@pytest.mark.slow
def test_the_story_is_one_whoever_is_killed(tmp_path: Path, tracking_database: Path, toll: Toll) -> None:
    prepared(tmp_path / "shop", tracking_database)
    found = run(tmp_path / "shop", MOVES, KILLS, SEED)
    assert found["reads"] > MOVES
    pay(toll, found, at_least=KILLS)


@pytest.mark.slow
def test_a_move_killed_before_any_of_its_calls_ends_well(tmp_path: Path, tracking_database: Path, toll: Toll) -> None:
    prepared(tmp_path / "shop", tracking_database)
    pay(toll, run(tmp_path / "shop", EVERY), at_least=2)


@pytest.fixture
def shared(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database of its own for MLflow and ledger."""
    url, name = make_url(postgres_url), "journeycast_promotion_test"
    server = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    address = url.set(database=name).render_as_string(hide_password=False)
    for variable in (TRACKING, LEDGER):
        monkeypatch.setenv(variable, address)
    yield
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@pytest.mark.slow
@pytest.mark.postgres
def test_the_story_is_one_on_postgresql(tmp_path: Path, shared: None, toll: Toll) -> None:
    (tmp_path / "shop").mkdir()
    found = run(tmp_path / "shop", SHARED_MOVES, SHARED_KILLS, SEED)
    assert not (tmp_path / "shop/workspace/ledger.db").exists()
    assert not (tmp_path / "shop/workspace/mlflow.db").exists()
    shutil.rmtree(tmp_path / "shop")
    pay(toll, found, at_least=SHARED_KILLS)
