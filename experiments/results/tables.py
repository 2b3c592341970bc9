"""Figures of the experiments: kept as CSV under results/, told as tables in README.md."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.results.paired import LEVEL, holm
from features.system.files import write_text

HERE = Path(__file__).parent
PAGE = HERE.parent / "README.md"
JUDGED = {"chance": ("AUROC", "log-loss"), "money": ("RMSE", "Gini"), "orders": ("RMSE", "Gini")}
RESULTS = {kind: HERE / f"{kind}.csv" for kind in JUDGED}
SHOWN = {
    "chance": ("AUROC", "log-loss", "Brier skill", "ECE"),
    "money": ("RMSE", "MAE", "MAE of median", "Gini", "Spearman", "bias"),
    "orders": ("RMSE", "MAE", "Gini", "Spearman", "bias"),
}
WHAT = {"chance": "churn and propensity", "money": "money", "orders": "orders"}
RANKING = ("AUROC", "average precision", "lift at 10 %", "Gini", "Spearman")
HIGHER = ("AUROC", "Brier skill", "Gini", "Spearman")
OURS = "journeycast"
SECTION = r"(?s)### (.*?)\n\n(.*?)(?=\n\n###|\Z)"


def section(found: pd.DataFrame, kind: str) -> str:
    """Title, base rates and table of one case; for money also how our intervals hold."""
    found = found.dropna(axis="columns", how="all")
    parts = [f"### {found['case'].iloc[0]}", _base(found, kind), _table(found, kind)]
    return "\n\n".join(parts + _intervals(found))


def keep(found: pd.DataFrame, kind: str, order: list[str]) -> None:
    """Put the case's rows into the results, in the order of the cases."""
    file = RESULTS[kind]
    others = pd.read_csv(file) if file.exists() else pd.DataFrame({"case": []})
    every = pd.concat([others[others["case"] != found["case"].iloc[0]], found]).reset_index(drop=True)
    every = every[every["case"].isin(order)].sort_values(
        "case", key=lambda titles: titles.map(order.index), kind="stable"
    )
    write_text(file, every.to_csv(index=False, float_format="%.6g"))


def write(order: list[str]) -> None:
    """Every table of the README anew from the results; a case that has none keeps the table it had."""
    every = {kind: pd.read_csv(file) for kind, file in RESULTS.items() if file.exists()}
    head, before, tail = re.split(r"<!-- (?:tables|end) -->", PAGE.read_text(encoding="utf-8"))
    known = {title: f"### {title}\n\n{body}" for title, body in re.findall(SECTION, before.strip())}
    for kind, frame in every.items():
        known |= {str(title): section(part, kind) for title, part in frame.groupby("case", sort=False)}
    told = [known[title] for title in order if title in known]
    told += [_summary(frame, kind) for kind, frame in every.items()]
    write_text(PAGE, f"{head}<!-- tables -->\n\n" + "\n\n".join(told) + f"\n\n<!-- end -->{tail}")


def _base(found: pd.DataFrame, kind: str) -> str:
    """The line under a title: what was known of the level, and what it came to be."""
    row = found.iloc[0]
    then, now = row["base at training"], row["base at test"]
    learnt, asked = row["learnt days"], float(re.findall(r", ([\d.]+) days", row["case"])[0])
    what = "Base rate" if kind == "chance" else "Mean"
    said = f"{then:,.0f}" if kind == "money" else f"{then:.3f}"
    came = f"{now:,.0f}" if kind == "money" else f"{now:.3f}"
    within = "" if learnt == asked else f" (within {learnt:g} days)"
    return f"{row['customers']:,} customers. {what} at the newest labelled cutoff {said}{within}, at the test {came}."


def _table(found: pd.DataFrame, kind: str) -> str:
    shown, judged = [title for title in SHOWN[kind] if title in found], JUDGED[kind]
    titles = ["", *shown, *(f"ahead, {title}" for title in judged)]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    best = {column: _best(found[column], column) for column in shown}
    for _, row in found.iterrows():
        cells = [_cell(row[column], best=row[column] == best[column]) for column in shown]
        cells += [_ahead(row, title, kind) for title in judged]
        lines.append(f"| {row['contender']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _intervals(found: pd.DataFrame) -> list[str]:
    """How much of what came our intervals hold, where they were measured."""
    if "coverage 90" not in found:
        return []
    row = found[found["contender"] == OURS].iloc[0]
    whole, lowest, middle = (f"{row[f'coverage {name}']:.1%}" for name in ("90", "90, lowest tenth", "80"))
    told = (
        f"Our 90% interval holds {whole} of outcomes, {lowest} in the tenth of predicted value where it holds fewest; "
        f"its Winkler score is {row['Winkler 90']:,.1f}. The middle 80% holds {middle}."
    )
    return [told.replace("%", " %")]


def _ahead(row: "pd.Series[float]", title: str, kind: str) -> str:
    """By how much ours is better with its interval, bold where that leaves out 0: thousandths, or money."""
    by, low, high = (row.get(f"{title} {what}", np.nan) for what in ("by", "low", "high"))
    if np.isnan(by):
        return ""
    scale = 1 if title == "RMSE" and kind == "money" else 1000
    text = f"{by * scale:+,.1f} ({low * scale:+,.1f} to {high * scale:+,.1f})"
    text = text.replace("-", "−")
    return f"**{text}**" if low > 0 or high < 0 else text


def _summary(every: pd.DataFrame, kind: str) -> str:
    """By peer, over all cases: how far ours is ahead on average, and what is significant after Holm's correction."""
    titles = JUDGED[kind]
    head = ["", "cases", *(part for title in titles for part in (f"mean ahead, {title}", "significant: ahead, behind"))]
    lines = [f"### All cases of {WHAT[kind]}", ""]
    lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lost = []
    for name, part in every[every["contender"] != OURS].groupby("contender", sort=False):
        cells = [str(len(part))]
        for title in titles:
            judged = part[part[f"{title} p"].notna()]
            if not len(judged):
                cells += ["–", "–"]
                continue
            sure = np.array(holm(judged[f"{title} p"].tolist())) < LEVEL
            by = judged[f"{title} by"]
            cells += [_mean(by, title, kind), f"{int((sure & (by > 0)).sum())}, {int((sure & (by < 0)).sum())}"]
            lost += [f"{title} against {name}: {case}" for case in judged["case"][sure & (by < 0)]]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    verdict = "Significant losses after Holm: none." if not lost else "Significant losses after Holm:\n\n- "
    return "\n".join(lines) + f"\n\n{verdict}" + "\n- ".join(lost)


def _mean(by: "pd.Series[float]", title: str, kind: str) -> str:
    if title == "RMSE" and kind == "money":
        return "–"  # dollars and pounds
    return f"{by.mean() * 1000:+,.1f}".replace("-", "−")


def _best(column: "pd.Series[float]", name: str) -> float:
    if name == "bias":
        return float(column.iloc[column.abs().argmin()])
    return float(column.max() if name in HIGHER else column.min())


def _cell(value: float, *, best: bool) -> str:
    text = "–" if np.isnan(value) else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"**{text}**" if best else text
