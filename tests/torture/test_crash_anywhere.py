"""An ingest that is killed anywhere and run again ends as if run once; nothing torn is seen, nothing taken is lost."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.shops import config, event, run, write
from tests.torture.sizes import FORM, Toll, size

ROOT = Path(__file__).parents[2]
ALL = 10_000


def first(folder: Path) -> None:
    """A shop before its first ingest, with a row for the quarantine and a file of a profile's kind."""
    rows = [event(who=f"c{i % 15} 😀", at=f"2025-01-{1 + i % 28:02}", money=float(i)) for i in range(60)]
    write(folder / "log" / "a.csv", [*rows, event(who=None)])


def second(folder: Path) -> None:
    """A shop whose store is there, before an ingest of a new file, one for every bucket, and a replaced one."""
    first(folder)
    write(folder / "log" / "b.csv", [event(who="old"), event(who=None)])
    run(config(folder))
    write(folder / "log" / "b.csv", [event(who="replaced"), event(who=None, what="view")])
    write(folder / "log" / "c.jsonl", [event(who="new"), event(who="c1 😀")])
    write(folder / "log" / "d.parquet", [event(who=f"c{i} 😀", money=0.5) for i in range(15)])


@pytest.mark.parametrize("shop", [first, second])
def test_an_ingest_killed_at_any_call_and_run_again_is_one_run_once(tmp_path: Path, shop: Any, toll: Toll) -> None:
    shop(tmp_path / "shop")
    settle(toll, killed(tmp_path / "shop", "calls", most=size(4, ALL, ALL)), at_least=size(4, 30, 30))


@pytest.mark.skipif(FORM != "full", reason="the full form kills at every write too, with strace")
@pytest.mark.parametrize("shop", [first, second])
def test_an_ingest_killed_at_any_write_and_run_again_is_one_run_once(tmp_path: Path, shop: Any, toll: Toll) -> None:
    assert shutil.which("strace"), "expected strace on the path, found none; install it, such as with apt"
    shop(tmp_path / "shop")
    settle(toll, killed(tmp_path / "shop", "writes", most=ALL), at_least=30)


def killed(folder: Path, kind: str, most: int) -> dict[str, Any]:
    """What `tests.torture.killed` found."""
    command = [sys.executable, "-m", "tests.torture.killed", str(folder), kind, str(most)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def settle(toll: Toll, found: dict[str, Any], at_least: int) -> None:
    toll.fault(found["killed"])
    toll.tell(points=found["points"])
    for what in ("torn", "lost", "other"):
        toll.hold(not found[what], f"{what} after a kill at {found[what]}")
    toll.settle(at_least=at_least)
