"""Churn in simulated shops of every size, held against the baseline and the known truth; the table is in README.md.

    python -m benchmarks.simulated_shops          100 worlds: 50 to 30,000 customers, churn of 1, 10 and 40 %
    python -m benchmarks.simulated_shops --worlds 36 --sizes 50 300 3000 --processes 2
    python -m benchmarks.simulated_shops --quick  seconds: fails where an answer is missing or far off

Each world is trained with 5 trials of Optuna on its log, and asked about everybody at the log's end. Answers are kept
in .cache by world and by a digest of the code, so that a run that was stopped goes on where it was.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.known_truth.cache import counted, folder_of, in_turn
from benchmarks.known_truth.simulated_shops import SIZES, TRIALS, World, kept, worlds
from benchmarks.known_truth.verdict import Verdict, judged
from features.system import environment

HEAD = (
    "customers",
    "silent",
    "worlds",
    "true chance",
    "rungs",
    "grades",
    "skill",
    "above truth",
    "behind baseline",
    "ahead of truth",
    "ECE holds",
    "slope holds",
)
QUICK = (World(50, 0.10, 1), World(50, 0.40, 2), World(300, 0.01, 3), World(300, 0.40, 4), World(1000, 0.10, 5))
Found = tuple[World, Verdict]


def main() -> int:
    """The exit code: 1 when a promise is broken that every run has to keep."""
    options = _options()
    environment.apply()
    asked = list(QUICK) if options.quick else worlds(options.worlds, tuple(options.sizes))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        keep = Path(folder) if options.quick else options.keep
        for world, verdict in in_turn(asked, partial(verdict_of, trials=options.trials, keep=keep), options.processes):
            found.append((world, verdict))
            print(_line(world, verdict), flush=True)
    print(f"\n{table(found)}\n\n{summary(found)}")
    return 0 if holds(found) else 1


def holds(found: list[Found]) -> bool:
    """Everybody answered; at most one world in twenty behind its baseline, or above the truth: that much is luck."""
    behind = sum(verdict.behind_baseline for _, verdict in found)
    ahead = sum(verdict.ahead_of_truth for _, verdict in found)
    allowed = max(1, len(found) // 20)
    return all(verdict.answered for _, verdict in found) and behind <= allowed and ahead <= allowed


def verdict_of(world: World, *, trials: int = TRIALS, keep: Path) -> Verdict:
    """Simulate, train, ask and judge one world; what was said of it before is read."""
    return judged(kept(world, keep / f"{world.customers}-{world.silent}-{world.seed}-{trials}.npz", trials=trials))


def table(found: list[Found]) -> str:
    """A line for each cell."""
    cells: dict[tuple[int, float], list[Verdict]] = {}
    for world, verdict in found:
        cells.setdefault((world.customers, world.silent), []).append(verdict)
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join(_cells(*cell, of)) + " |" for cell, of in sorted(cells.items())]
    return "\n".join(lines)


def summary(found: list[Found]) -> str:
    """All worlds in a sentence."""
    every = [verdict for _, verdict in found]
    slopes = [one.slope_holds for one in every if one.slope_holds is not None]
    return (
        f"{len(every)} worlds: behind the baseline in {sum(one.behind_baseline for one in every)}, ahead of the truth "
        f"in {sum(one.ahead_of_truth for one in every)}, answered in {sum(one.answered for one in every)}, ECE holds "
        f"in {sum(one.ece_holds for one in every)}, slope in {sum(slopes)} of {len(slopes)}."
    )


def _cells(customers: int, silent: float, of: list[Verdict]) -> list[str]:
    slopes = [one.slope_holds for one in of if one.slope_holds is not None]
    return [
        f"{customers:,}",
        f"{silent:.0%}",
        str(len(of)),
        f"{sum(one.chance for one in of) / len(of):.3f}",
        counted([one.rung for one in of]),
        counted([one.grade for one in of]),
        f"{sum(one.skill for one in of) / len(of):+.3f}",
        f"{sum(one.excess for one in of) / len(of):.4f}",
        str(sum(one.behind_baseline for one in of)),
        str(sum(one.ahead_of_truth for one in of)),
        f"{sum(one.ece_holds for one in of)} of {len(of)}",
        f"{sum(slopes)} of {len(slopes)}",
    ]


def _line(world: World, one: Verdict) -> str:
    marks = [name for name in ("behind_baseline", "ahead_of_truth") if getattr(one, name)]
    marks += [f"not {name}" for name in ("answered", "ece_holds", "slope_holds") if getattr(one, name) is False]
    return (
        f"{world.customers:>6,} {world.silent:4.0%} seed {world.seed}: {one.rung:8} {one.grade} skill {one.skill:+.3f} "
        f"above truth {one.excess:.4f} (n {one.customers:,}, came {one.came:.3f}, true {one.chance:.3f}) "
        f"{', '.join(marks)}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five small worlds in this process")
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=folder_of("worlds", "benchmarks/known_truth/simulated_shops.py"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
