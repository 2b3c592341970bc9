"""Commands run as processes of their own, with what they took.

A child's peak memory is at least that of the process that starts it, so nothing heavy is imported here.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
VERBS = (("ingest",), ("train", "value"), ("score", "value"))


@dataclass(frozen=True)
class Took:
    """Wall and processor time (s) and peak resident memory (MiB) of a process and its children, and its output."""

    seconds: float
    processor_seconds: float
    peak_mib: float
    output: str


def measured(command: list[Any]) -> Took:
    """Run a command to its end; raises RuntimeError with its output when it fails."""
    words = [str(word) for word in command]
    started = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"expected {words} to end well, it ended with {process.returncode}:\n{output}")
    work = used.ru_utime + used.ru_stime
    return Took(time.perf_counter() - started, work, used.ru_maxrss / 1024, output)


def verbs(toml: Path, *options: str) -> dict[str, Took]:
    """Ingest, train and score, in this order; `options` are of train."""
    took = {}
    for verb in VERBS:
        more = options if verb[0] == "train" else ()
        took[verb[0]] = measured([sys.executable, ROOT / "journeycast.py", "-c", toml, *verb, *more])
    return took


def bundle_bytes(workspace: Path) -> int:
    """All files of the largest bundle that was trained there."""
    bundles = (workspace / "bundles").iterdir()
    return max(sum(file.stat().st_size for file in one.rglob("*") if file.is_file()) for one in bundles)
