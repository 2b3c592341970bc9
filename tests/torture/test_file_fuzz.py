"""A mutated file of the log is stored and quarantined to the last row, or refused with the store as it was; nothing it
holds kills the process or takes more than a GiB."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from features.errors import LogError
from tests.support.log_files import config, event, run, write
from tests.torture.support.sizes import Toll, size

ROOT = Path(__file__).parents[2]
MUTANTS, BATCH = size((16, 16), (240, 120), (5_000, 250))
MOST_MIB = 1024
PIECE = 1024 * 1024
HEAD, ROW = b"who,at,what,money\n", b"anna,2025-01-01,buy,1\n"


def test_a_mutant_is_taken_whole_or_refused(tmp_path: Path, toll: Toll) -> None:
    became = {"stored": 0, "refused": 0}
    for told in outcomes(tmp_path):
        toll.fault()
        found = told["found"]
        toll.hold(found in became, f"mutant {told['number']} ({told['name']}): {found}")
        toll.hold(told["peak_mib"] <= MOST_MIB, f"mutant {told['number']}: {told['peak_mib']:,} MiB")
        became[found] = became.get(found, 0) + 1
    toll.tell(stored=became["stored"], refused=became["refused"])
    toll.settle(at_least=MUTANTS)


ENDLESS = {
    "a.csv": [HEAD, ROW, b"anna,2025-01-01,", *[b"x" * PIECE] * 130, b",1\n", ROW],
    "header.csv": [b"x" * PIECE] * 130,
    "a.csv.gz": [HEAD, ROW, *[bytes(PIECE)] * 130],
    "a.jsonl": [b'{"who": "', *[b"x" * PIECE] * 130, b'"}\n'],
}


@pytest.mark.parametrize("name", size(("a.csv.gz",), tuple(ENDLESS), tuple(ENDLESS)))
def test_a_line_without_an_end_is_refused(tmp_path: Path, name: str, toll: Toll) -> None:
    write(tmp_path / "log" / "good.csv", [event()])
    path = tmp_path / "log" / name
    with gzip.open(path, "wb", 1) if name.endswith(".gz") else path.open("wb") as file:
        for piece in ENDLESS[name]:
            file.write(piece)
    toll.fault()
    with pytest.raises(LogError, match=rf"{name} cannot be read: it holds a line of more than 67,108,864 bytes"):
        run(config(tmp_path))
    toll.settle()


def outcomes(folder: Path) -> Iterator[dict[str, Any]]:
    """What became of every mutant, in children that may die; one that killed its child is told as that."""
    first = 0
    while first < MUTANTS:
        batch = folder / f"from-{first}"
        batch.mkdir()
        last = min(first + BATCH, MUTANTS)
        command = [sys.executable, "-m", "tests.torture.support.mutants", str(batch), str(first), str(last)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60 + 10 * BATCH, check=False)
        told = batch / "outcomes.jsonl"
        lines = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        yield from lines
        first += len(lines)
        if first < last:
            assert lines or done.returncode < 0, done.stderr
            died = f"the process ended with {done.returncode}: {done.stderr[-500:]}"
            yield {"number": first, "name": "?", "found": died, "peak_mib": 0}
            first += 1
