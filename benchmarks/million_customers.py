"""One million customers: purchase processes beside lifetimes, and the product from end to end.

    python -m experiments.peers.environments lifetimes   first, for lifetimes, in an environment of its own
    python -m benchmarks.million_customers               fits, lifetimes, the product: minutes
    python -m benchmarks.million_customers --parts peer  one part; --customers 1e5 for less
    python -m benchmarks.million_customers --quick       1,500 customers: fails where a promise is broken

Every measurement is a process of its own; the tables are in README.md.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.million.subprocesses import bundle_bytes, measured, verbs
from experiments.peers.environments import LIFETIMES
from features.system import environment

DATA = Path(__file__).parents[1] / ".cache" / "millions"
PROGRAM = (sys.executable, "-m", "benchmarks.million_customers")
MODELS = ("BG/NBD", "MBG/NBD", "Pareto/NBD", "Gamma-Gamma")
PARTS = ("fits", "peer", "product")
MIB = 2**20
MOST_MIB, MOST_BUNDLE = 4096, 10_000_000
SECONDS = 60.0  # a minute for a fit of the product, on the sample
PEER_SIZES = (10_000, 100_000)
MOST_LOST = 1e-4  # nats a customer, that the sample's parameters may be less likely on everybody


def main() -> int:
    """The exit code: 1 when a fit, the bundle or the memory breaks its promise."""
    options = _options()
    environment.apply()
    if options.fit:
        from benchmarks.million.fits import fitted  # only here: a heavy parent would be in its children's peaks

        told = fitted(options.fit, options.data / "statistics.npz", options.customers, everybody=options.all)
        print(json.dumps(told))
        return 0
    if options.simulate:
        from benchmarks.million.log import simulated

        simulated(options.data, options.customers)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) if options.quick else options.data / str(options.customers)
        if not (data / "made.json").exists():
            measured([*PROGRAM, "--simulate", "--data", data, "--customers", options.customers])
        made = json.loads((data / "made.json").read_text())
        print(f"{made['customers']:,} customers, {made['events']:,} events, {made['bytes'] / MIB:.0f} MiB of Parquet")
        runs = {"fits": _fits, "peer": _peer, "product": _product}
        kept = [runs[part](data, made["customers"], options) for part in options.parts]
    return 0 if all(kept) else 1


def _fits(data: Path, customers: int, _: argparse.Namespace) -> bool:
    """The table of the sample beside everybody; whether the product's fits keep the minute and lose nothing."""
    titles = (
        "model",
        "fitted on",
        "wall s",
        "processor s",
        "peak MiB",
        "(before)",
        "log-likelihood",
        "orders",
        "parameters",
    )
    print("\n| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
    holds = True
    for name in MODELS:
        told = {who: _fit(data, name, customers, everybody=who == "everybody") for who in _who(name)}
        for who, one in told.items():
            print(f"| {name} | {who} | {_cells(one)} |", flush=True)
        product = next(iter(told.values()))
        lost = told["everybody"].get("log_likelihood", 0.0) - product.get("log_likelihood", -1e9)
        holds &= "failed" not in product and product["seconds"] <= SECONDS and lost <= MOST_LOST
        holds &= all(one["peak_mib"] <= MOST_MIB for one in told.values())
    return holds


def _who(name: str) -> tuple[str, ...]:
    """Gamma-Gamma is always fitted on everybody, processes on a stratified sample where the customers are many."""
    return ("everybody",) if name == "Gamma-Gamma" else ("sample", "everybody")


def _cells(one: dict[str, Any]) -> str:
    times = f"{one['seconds']:.1f} | {one['processor_seconds']:.1f} | {one['peak_mib']:,.0f} | {one['before_mib']:,.0f}"
    if "failed" in one:
        return f"{times} | | | {one['failed']}"
    orders = f"{one['orders']:.5f}" if "orders" in one else ""
    return f"{times} | {one['log_likelihood']:.6f} | {orders} | {' '.join(f'{p:.4g}' for p in one['parameters'])}"


def _peer(data: Path, customers: int, options: argparse.Namespace) -> bool:
    """The table beside lifetimes, which take turns; whether every fit of ours ended."""
    if not LIFETIMES.is_made():
        print("\nlifetimes is left out: python -m experiments.peers.environments lifetimes makes its environment")
        return True
    titles = ("model", "customers", "ours, processor s", "theirs", "× less", "ours, MiB", "theirs", "ours", "theirs")
    print("\n| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
    holds = True
    for size in sorted({min(size, customers) for size in options.peer_sizes}):
        for name in MODELS:
            turns = [
                (_fit(data, name, size, everybody=False), _theirs(data, name, size, options.seconds))
                for _ in range(options.repeats)
            ]
            ours, theirs = ([turn[side] for turn in turns] for side in (0, 1))
            one, other = (statistics.median(run["processor_seconds"] for run in runs) for runs in (ours, theirs))
            peaks = (max(run["peak_mib"] for run in runs) for runs in (ours, theirs))
            cells = [name, f"{size:,}", f"{one:.2f}", f"{other:.2f}", f"{other / one:.0f}"]
            cells += [f"{peak:,.0f}" for peak in peaks] + [_parameters(ours[0]), _parameters(theirs[0])]
            print("| " + " | ".join(cells) + " |", flush=True)
            holds &= all("failed" not in run for run in ours)
    return holds


def _parameters(one: dict[str, Any]) -> str:
    return str(one["failed"]) if "failed" in one else " ".join(f"{parameter:.4g}" for parameter in one["parameters"])


def _product(data: Path, customers: int, options: argparse.Namespace) -> bool:
    """The table of verbs; whether bundle and memory keep their bounds."""
    trials = ["--trials", "0"] if options.quick else []
    with tempfile.TemporaryDirectory(dir=data) as folder:
        for name in ("past.parquet", "journeycast.toml"):
            (Path(folder) / name).symlink_to(data / name)
        took = verbs(Path(folder) / "journeycast.toml", *trials)
        size = bundle_bytes(Path(folder) / "workspace")
        scores = (Path(folder) / "workspace" / "scores.parquet").stat().st_size
    print("\n| verb | wall s | processor s | peak MiB |\n|---|---|---|---|")
    for verb, one in took.items():
        print(f"| {verb} | {one.seconds:.1f} | {one.processor_seconds:.1f} | {one.peak_mib:,.0f} |")
    print(f"\nThe bundle has {size:,} bytes, the scores of {customers:,} customers {scores / MIB:.0f} MiB.")
    return size <= MOST_BUNDLE and all(one.peak_mib <= MOST_MIB for one in took.values())


def _fit(data: Path, name: str, customers: int, *, everybody: bool) -> dict[str, Any]:
    command = [*PROGRAM, "--fit", name, "--data", data, "--customers", customers]
    return _last(measured([*command, *(["--all"] if everybody else [])]).output)


def _theirs(data: Path, name: str, customers: int, seconds: int) -> dict[str, Any]:
    script = Path(__file__).parent / "million" / "lifetimes_fit.py"
    return _last(measured([LIFETIMES.python, "-I", script, name, data / "statistics.npz", customers, seconds]).output)


def _last(output: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(output.splitlines()[-1])
    return told


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,500 customers, no trials")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--customers", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--peer-sizes", type=lambda text: int(float(text)), nargs="+", default=list(PEER_SIZES))
    parser.add_argument("--repeats", type=int, default=3, help="turns with lifetimes")
    parser.add_argument("--seconds", type=int, default=600, help="for a fit of lifetimes")
    parser.add_argument("--data", type=Path, default=DATA, help="where the log is kept")
    parser.add_argument("--fit", choices=MODELS, help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--simulate", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.customers, options.repeats, options.peer_sizes, options.seconds = 1500, 1, [1500], 5
    return options


if __name__ == "__main__":
    sys.exit(main())
