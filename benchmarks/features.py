"""Speed, memory and values of the feature engine against its peers; the tables are in README.md.

    python -m benchmarks.features                  the job: 10M events, 200k customers, 12 cutoffs, 31 features
    python -m benchmarks.features --table events   growth with events: 1M, 10M, 100M
    python -m benchmarks.features --table cutoffs  growth with cutoffs: 1, 4, 12, 24
    python -m benchmarks.features --table day      one more day, against everything anew: 3M, 10M
    python -m benchmarks.features --quick          seconds: fails on wrong values

Every measurement is a process of its own; contenders take turns, so that a busy machine troubles all of them alike.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.feature_job import job as jobs
from benchmarks.feature_job.contenders import CONTENDERS, Measurement, differences
from benchmarks.feature_job.job import Job

DATA = Path(__file__).parents[1] / ".cache" / "benchmarks"
REFERENCE = "duckdb"
USUAL = ("store", "parquet", "duckdb", "duckdb_tuned", "polars")
CHECKED = ("store", "parquet", "polars", "pandas", "duckdb_tuned")


def main() -> int:
    """The exit code: 1 when values differ."""
    options = _options()
    data = Path(options.data).resolve()
    if options.measure:
        return _measure_here(options.measure, Job(data, options.events, options.cutoffs), options.save)
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            return _quick(Job(Path(folder), 100_000))
    if options.table == "events":
        return _growth([Job(data, events) for events in (1_000_000, 10_000_000, 100_000_000)], options.repeats)
    if options.table == "cutoffs":
        return _growth([Job(data, options.events, months) for months in (1, 4, 12, 24)], options.repeats, ["store"])
    if options.table == "day":
        return _growth([Job(data, events) for events in (3_000_000, 10_000_000)], options.repeats, ["ingest", "day"])
    return _compare(Job(data, options.events, options.cutoffs), options.contenders, options.repeats)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100k events in one process: are the values right?")
    parser.add_argument("--table", choices=["job", "events", "cutoffs", "day"], default="job")
    parser.add_argument("--events", type=lambda text: int(float(text)), default=10_000_000)
    parser.add_argument("--cutoffs", type=int, default=12, choices=range(1, len(jobs.MONTHS) + 1), metavar="1-24")
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, default=USUAL, help=f"compared with {REFERENCE}, else the first"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", default=DATA, help="where logs and stores are kept")
    parser.add_argument("--measure", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--save", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _quick(job: Job) -> int:
    """All contenders at a small job in this process."""
    job.write()
    expected = None
    wrong = 0
    for name in (REFERENCE, *CHECKED):
        contender = CONTENDERS[name]
        if not contender.is_here:
            print(f"{name:13} left out: {contender.needs} is not installed")
            continue
        ready = contender.ready(job, job.folder)
        started = time.perf_counter()
        result = contender.run(job, ready)
        seconds = time.perf_counter() - started
        values = contender.values(job, result)
        expected = values if expected is None else expected
        told = differences(values, expected)
        wrong += len(told)
        print(f"{name:13} {seconds:6.2f} s  {'equal' if not told else '; '.join(told)}", flush=True)
    return 1 if wrong else 0


def _compare(job: Job, names: Sequence[str], repeats: int) -> int:
    """The table of the job, each contender `repeats` times in turn, its values against the reference's."""
    names = _here(names)
    if not names:
        return 1
    print(
        f"{job.events:,} events, {job.customers:,} customers, {len(job.cutoffs)} cutoffs, {len(jobs.COLUMNS)} features"
    )
    _measure("store", job)  # log and store are made in a process of their own
    runs: dict[str, list[Measurement]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(dir=job.folder) as folder:
        for turn in range(repeats):
            for name in names:
                runs[name].append(_measure(name, job, Path(folder) / f"{name}.npy" if turn == 0 else None))
                print(f"  run {turn + 1} {name:13} {runs[name][-1]}", flush=True)
        wrong = _told_differences(Path(folder), names)
    _print_table(runs)
    return 1 if wrong else 0


def _told_differences(folder: Path, names: Sequence[str]) -> int:
    """Compare what was saved; tells and counts the features that differ."""
    expected = np.load(folder / f"{_reference(names)}.npy", mmap_mode="r")
    wrong = 0
    for name in names:
        told = differences(np.load(folder / f"{name}.npy", mmap_mode="r"), expected)
        print(f"{name:13} {'equal values' if not told else '; '.join(told)}")
        wrong += len(told)
    return wrong


def _print_table(runs: dict[str, list[Measurement]]) -> None:
    print("\n| who | wall s, median (all) | × faster | processor s | × less | peak MiB |\n|---|---|---|---|---|---|")
    middle = {name: statistics.median(run.seconds for run in of) for name, of in runs.items()}
    work = {name: statistics.median(run.processor_seconds for run in of) for name, of in runs.items()}
    base = _reference(list(runs))
    for name, of in runs.items():
        every = " ".join(f"{run.seconds:.2f}" for run in of)
        ratios = middle[base] / middle[name], work[base] / work[name]
        peak = max(run.peak_mib for run in of)
        print(
            f"| {CONTENDERS[name].text} | {middle[name]:.2f} ({every}) | {ratios[0]:.1f} "
            f"| {work[name]:.2f} | {ratios[1]:.1f} | {peak:,.0f} |"
        )


def _growth(sizes: Sequence[Job], repeats: int, names: Sequence[str] = ("ingest", "stream")) -> int:
    """Time and peak memory as the job grows."""
    print("| events | customers | cutoffs | what | wall s | processor s | peak MiB |\n|---|---|---|---|---|---|---|")
    for job in sizes:
        for name in names:
            runs = [_measure(name, job) for _ in range(repeats if job.events <= 10_000_000 else 1)]
            seconds = statistics.median(run.seconds for run in runs)
            work = statistics.median(run.processor_seconds for run in runs)
            print(
                f"| {job.events:,} | {job.customers:,} | {len(job.cutoffs)} | {CONTENDERS[name].text} "
                f"| {seconds:.2f} | {work:.2f} | {max(run.peak_mib for run in runs):,.0f} |",
                flush=True,
            )
    return 0


def _reference(names: Sequence[str]) -> str:
    """Whom values and times are compared with."""
    return REFERENCE if REFERENCE in names else names[0]


def _here(names: Sequence[str]) -> list[str]:
    for name in names:
        if not CONTENDERS[name].is_here:
            print(f"{name} is left out: {CONTENDERS[name].needs} is not installed")
    return [name for name in names if CONTENDERS[name].is_here]


def _measure(name: str, job: Job, save: Path | None = None) -> Measurement:
    """One run of a contender in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.features", "--measure", name, "--data", str(job.folder)]
    command += ["--events", str(job.events), "--cutoffs", str(job.months), *(["--save", str(save)] if save else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def _measure_here(name: str, job: Job, save: Path | None) -> int:
    contender = CONTENDERS[name]
    ready = contender.ready(job, job.folder)
    started, worked = time.perf_counter(), time.process_time()
    result = contender.run(job, ready)
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if save is not None:
        np.save(save, contender.values(job, result))
    measured = contender.measured(result) if contender.measured else Measurement(seconds, processor, peak)
    print(json.dumps(asdict(measured)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
