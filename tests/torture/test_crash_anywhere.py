"""An ingest that is killed anywhere and run again ends as if run once; nothing torn is seen, nothing taken is lost."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from features.ingest import build
from tests.support.log_files import event, run, write
from tests.torture.support import killed
from tests.torture.support.sizes import FORM, Toll, size

ROOT = Path(__file__).parents[2]
ALL = 10_000


def first(folder: Path) -> None:
    """A shop before its first ingest, with a row for the quarantine."""
    rows = [event(who=f"c{i % 20} 😀", at=f"2025-01-{1 + i % 28:02}", money=float(i), key=f"{i}") for i in range(40)]
    write(folder / "log" / "a.csv", [*rows, event(who=None, key="none")])
    write(folder / "log" / "b.csv", [event(who="c1 😀", key="first")])


def second(folder: Path) -> None:
    """A shop whose store is there, before an ingest of a replaced file, a new one, and a row that another one's id
    takes from its customer."""
    first(folder)
    assert run(killed.shop(folder)).buckets == 16
    write(folder / "log" / "b.csv", [event(who="c1 😀", money=7.0, key="first"), event(who=None, key="none")])
    write(folder / "log" / "c.jsonl", [event(who="c1 😀", at="2024-12-01", key="0")])


@pytest.mark.parametrize("shop", [first, second])
def test_an_ingest_killed_at_any_call_and_run_again_is_one_run_once(
    tmp_path: Path, shop: Any, monkeypatch: pytest.MonkeyPatch, toll: Toll
) -> None:
    monkeypatch.setattr(build, "ROWS_PER_BUCKET", killed.ROWS_PER_BUCKET)
    shop(tmp_path / "shop")
    settle(toll, found(tmp_path / "shop", "calls", most=size(3, ALL, ALL)), at_least=size(3, 30, 30))


@pytest.mark.skipif(FORM != "full", reason="the full form kills at every write too, with strace")
@pytest.mark.parametrize("shop", [first, second])
def test_an_ingest_killed_at_any_write_and_run_again_is_one_run_once(
    tmp_path: Path, shop: Any, monkeypatch: pytest.MonkeyPatch, toll: Toll
) -> None:
    monkeypatch.setattr(build, "ROWS_PER_BUCKET", killed.ROWS_PER_BUCKET)
    assert shutil.which("strace"), "expected strace on the path, found none; install it, such as with apt"
    shop(tmp_path / "shop")
    settle(toll, found(tmp_path / "shop", "writes", most=ALL), at_least=30)


def found(folder: Path, kind: str, most: int) -> dict[str, Any]:
    """What `tests.torture.support.killed` found."""
    command = [sys.executable, "-m", "tests.torture.support.killed", str(folder), kind, str(most)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def settle(toll: Toll, told: dict[str, Any], at_least: int) -> None:
    toll.fault(told["killed"])
    toll.tell(points=told["points"])
    for what in ("torn", "lost", "other"):
        toll.hold(not told[what], f"{what} after a kill at {told[what]}")
    toll.settle(at_least=at_least)
