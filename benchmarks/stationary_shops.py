"""Churn and money in shops without a calendar: calibrated like a perfect model, never behind Pareto/NBD × Gamma-Gamma.

    python -m benchmarks.stationary_shops          24 shops of 3,000 and 10,000 customers
    python -m benchmarks.stationary_shops --shops 8 --sizes 10000 --processes 2
    python -m benchmarks.stationary_shops --quick  seconds: fails where an answer is missing

The tables are in README.md. Each shop is trained on its log, and asked about everybody at the log's end. Answers are
kept in .cache by shop and by a digest of the code, so that a run that was stopped goes on where it was.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.known_truth.cache import counted, folder_of, in_turn
from benchmarks.known_truth.money import LEAST_COVERED, MoneyVerdict, judged_money
from benchmarks.known_truth.simulated_shops import TRIALS
from benchmarks.known_truth.stationary_shops import KINDS, SIZES, Steady, kept, knowing, shops
from benchmarks.known_truth.verdict import Verdict, judged
from experiments.results.paired import LEVEL, holm
from features.system import environment

CHURN = (
    "rungs",
    "grades",
    "skill",
    "above the process",
    "ECE",
    "a perfect one's",
    "ECE holds",
    "slope",
    "slope holds",
    "behind baseline",
)
MONEY = ("rungs", "grades", "RMSE below theirs", "worse", "Gini ahead", "worse", "bias", "covered", "covers", "worst")
QUICK = (Steady(300, "uniform", 0.1, 1), Steady(500, "old", 0.1, 2))
OWN = tuple(f"benchmarks/known_truth/{name}.py" for name in ("stationary_shops", "money", "simulated_shops"))
Verdicts = tuple[Verdict, MoneyVerdict, Verdict]  # of churn, of money, and of churn by who knows the process
Found = tuple[Steady, Verdicts]
Cells = Callable[[list[Verdicts]], list[str]]


def main() -> int:
    """The exit code: 1 when a promise is broken that every run has to keep."""
    options = _options()
    environment.apply()
    asked = list(QUICK) if options.quick else shops(options.shops, tuple(options.sizes))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        keep = Path(folder) if options.quick else options.keep
        find = partial(verdicts_of, trials=0 if options.quick else options.trials, keep=keep)
        for shop, verdicts in in_turn(asked, find, options.processes):
            found.append((shop, verdicts))
            print(_line(shop, *verdicts), flush=True)
    print(f"\n{table(found, CHURN, _churn)}\n\n{table(found, MONEY, _money)}\n\n{summary(found)}")
    answered = all(churn.answered and money.answered for _, (churn, money, _) in found)
    return 0 if answered and (options.quick or not any(_lost([verdicts[1] for _, verdicts in found]).values())) else 1


def verdicts_of(shop: Steady, *, trials: int, keep: Path) -> Verdicts:
    """Simulate, train, ask and judge one shop; what was said of it before is read."""
    file = keep / f"{shop.customers}-{shop.joined}-{shop.lapse}-{shop.seed}-{trials}.npz"
    churn, value = kept(shop, file, trials=trials)
    return judged(churn), judged_money(value), judged(knowing(shop))


def table(found: list[Found], titles: tuple[str, ...], cells: Cells) -> str:
    """A line for each kind of shop."""
    heads = ("customers", "joined", "lapse", "shops", *titles)
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    kinds = sorted(
        {(shop.customers, shop.joined, shop.lapse) for shop, _ in found},
        key=lambda kind: (kind[0], KINDS.index(kind[1:])),
    )
    for kind in kinds:
        of = [verdicts for shop, verdicts in found if (shop.customers, shop.joined, shop.lapse) == kind]
        start = [f"{kind[0]:,}", kind[1], f"{kind[2]:g}", str(len(of))]
        lines.append("| " + " | ".join(start + cells(of)) + " |")
    return "\n".join(lines)


def summary(found: list[Found]) -> str:
    """What is promised, over all shops: how often it holds."""
    churn, money, knows = _sides([verdicts for _, verdicts in found])
    lost = ", ".join(f"{count} by {name}" for name, count in _lost(money).items())
    return (
        f"{len(found)} shops. Churn: ECE holds in {_ece(churn)} ({_ece(knows)} for the process itself), slope in "
        f"{_slopes(churn)} ({_slopes(knows)}), behind the baseline in {sum(one.behind_baseline for one in churn)}. "
        f"Money: significantly worse than Pareto/NBD × Gamma-Gamma in {sum(one.rmse.high < 0 for one in money)} by "
        f"RMSE and {sum(one.gini.high < 0 for one in money)} by Gini (after Holm: {lost}), better in "
        f"{sum(one.rmse.low > 0 for one in money)} and {sum(one.gini.low > 0 for one in money)}; the 90 % interval "
        f"covers {np.mean([one.covered for one in money]):.1%}, as it should in {sum(one.covers for one in money)}, "
        f"every tenth at least {LEAST_COVERED:.0%} in {sum(one.worst_tenth >= LEAST_COVERED for one in money)}."
    )


def _sides(of: list[Verdicts]) -> tuple[list[Verdict], list[MoneyVerdict], list[Verdict]]:
    return [one[0] for one in of], [one[1] for one in of], [one[2] for one in of]


def _lost(money: list[MoneyVerdict]) -> dict[str, int]:
    """In how many shops ours is worse than the process, corrected for the number of shops."""
    lost = {}
    for name, ahead in (("RMSE", [one.rmse for one in money]), ("Gini", [one.gini for one in money])):
        corrected = holm([one.p for one in ahead])
        lost[name] = sum(one.by < 0 and p < LEVEL for one, p in zip(ahead, corrected, strict=True))
    return lost


def _churn(of: list[Verdicts]) -> list[str]:
    churn, _, knows = _sides(of)
    slopes = [one.slope for one in churn if one.slope is not None]
    return [
        counted([one.rung for one in churn]),
        counted([one.grade for one in churn]),
        f"{np.mean([one.skill for one in churn]):+.3f}",
        f"{np.mean([one.excess - other.excess for one, other in zip(churn, knows, strict=True)]):+.4f}",
        f"{np.mean([one.ece for one in churn]):.4f}",
        f"{np.mean([one.ece_limit for one in churn]):.4f}",
        f"{_ece(churn)} ({_ece(knows)})",
        f"{np.mean(slopes):.3f}" if slopes else "",
        f"{_slopes(churn)} ({_slopes(knows)})",
        str(sum(one.behind_baseline for one in churn)),
    ]


def _ece(verdicts: list[Verdict]) -> int:
    return sum(one.ece_holds for one in verdicts)


def _slopes(verdicts: list[Verdict]) -> int:
    """How many hold; one that says nothing does."""
    return sum(one.slope_holds is not False for one in verdicts)


def _money(of: list[Verdicts]) -> list[str]:
    _, money, _ = _sides(of)
    return [
        counted([one.rung for one in money]),
        counted([one.grade for one in money]),
        f"{np.mean([one.rmse_share for one in money]):+.2%}",
        str(sum(one.rmse.high < 0 for one in money)),
        f"{np.mean([one.gini.by for one in money]):+.4f}",
        str(sum(one.gini.high < 0 for one in money)),
        f"{np.mean([one.bias for one in money]):+.1%}",
        f"{np.mean([one.covered for one in money]):.1%}",
        f"{sum(one.covers for one in money)} of {len(of)}",
        f"{min(one.worst_tenth for one in money):.1%}",
    ]


def _line(shop: Steady, churn: Verdict, money: MoneyVerdict, knows: Verdict) -> str:
    marks = ["behind the baseline"] if churn.behind_baseline else []
    marks += [f"not {name}" for name in ("answered", "ece_holds", "slope_holds") if getattr(churn, name) is False]
    marks += [f"process not {name}" for name in ("ece_holds", "slope_holds") if getattr(knows, name) is False]
    marks += [f"money not {name}" for name in ("answered", "covers") if getattr(money, name) is False]
    marks += [f"{name} worse" for name in ("rmse", "gini") if getattr(money, name).high < 0]
    slopes = " against ".join("none" if one.slope is None else f"{one.slope:.3f}" for one in (churn, knows))
    return (
        f"{shop.customers:>6,} {shop.joined:7} {shop.lapse:g} seed {shop.seed}: churn {churn.rung} {churn.grade} "
        f"skill {churn.skill:+.3f} ECE {churn.ece:.4f} of {churn.ece_limit:.4f} slope {slopes} (n {churn.customers:,}, "
        f"came {churn.came:.3f}); money {money.rung} {money.grade} RMSE {money.rmse_share:+.2%} Gini "
        f"{money.gini.by:+.4f} bias {money.bias:+.1%} covered {money.covered:.1%} (busy {money.covered_busy:.1%}, "
        f"worst {money.worst_tenth:.1%}, n {money.customers:,}) {', '.join(marks)}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small shops in this process, no trials")
    parser.add_argument("--shops", type=int, default=24)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--trials", type=int, default=TRIALS, help="of Optuna for each model")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=folder_of("stationary", *OWN))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
