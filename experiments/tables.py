"""Figures of the experiments: kept as CSV under results/, told as tables in README.md."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from paired import LEVEL, holm

from features.files import write_text

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
RESULTS = {name: HERE / "results" / f"{name}.csv" for name in ("chance", "money")}
JUDGED = {"chance": ("AUROC", "log-loss"), "money": ("RMSE", "Gini")}
SHOWN = {"chance": ("AUROC", "log-loss", "Brier skill", "ECE"), "money": ("RMSE", "MAE", "Gini", "Spearman", "bias")}
RANKING = ("AUROC", "average precision", "lift at 10 %", "Gini", "Spearman")
HIGHER = ("AUROC", "Brier skill", "Gini", "Spearman")
OURS = "journeycast"
SECTION = r"(?s)### (.*?)\n\n(.*?)(?=\n\n###|\Z)"


def section(found: pd.DataFrame) -> str:
    """Title, base rates and table of one case."""
    kind = _kind(found)
    return f"### {found['case'].iloc[0]}\n\n{_base(found, kind)}\n\n{_table(found, kind)}"


def keep(found: pd.DataFrame, order: list[str]) -> None:
    """Put the case's rows into the results, in the order of the cases."""
    file = RESULTS[_kind(found)]
    others = pd.read_csv(file) if file.exists() else pd.DataFrame({"case": []})
    every = pd.concat([others[others["case"] != found["case"].iloc[0]], found]).reset_index(drop=True)
    every = every[every["case"].isin(order)].sort_values(
        "case", key=lambda titles: titles.map(order.index), kind="stable"
    )
    write_text(file, every.to_csv(index=False, float_format="%.6g"))


def write(order: list[str]) -> None:
    """Every table of the README anew from the results; a case that has none keeps the table it had."""
    every = [pd.read_csv(file) for file in RESULTS.values() if file.exists()]
    head, before, tail = re.split(r"<!-- (?:tables|end) -->", PAGE.read_text(encoding="utf-8"))
    known = {title: f"### {title}\n\n{body}" for title, body in re.findall(SECTION, before.strip())}
    known |= {str(title): section(part) for frame in every for title, part in frame.groupby("case", sort=False)}
    told = [known[title] for title in order if title in known] + [_summary(frame) for frame in every]
    write_text(PAGE, f"{head}<!-- tables -->\n\n" + "\n\n".join(told) + f"\n\n<!-- end -->{tail}")


def _base(found: pd.DataFrame, kind: str) -> str:
    """The line under a title: what was known of the level, and what it came to be."""
    row = found.iloc[0]
    then, now = row["base at training"], row["base at test"]
    learnt, asked = row["learnt days"], float(re.findall(r", ([\d.]+) days", row["case"])[0])
    what = "Mean" if kind == "money" else "Base rate"
    said = f"{then:,.0f}" if kind == "money" else f"{then:.3f}"
    came = f"{now:,.0f}" if kind == "money" else f"{now:.3f}"
    within = "" if learnt == asked else f" (within {learnt:g} days)"
    return f"{row['customers']:,} customers. {what} at the newest labelled cutoff {said}{within}, at the test {came}."


def _table(found: pd.DataFrame, kind: str) -> str:
    shown, judged = SHOWN[kind], JUDGED[kind]
    titles = ["", *shown, *(f"ahead, {title}" for title in judged)]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    best = {column: _best(found[column], column) for column in shown}
    for _, row in found.iterrows():
        cells = [_cell(row[column], best=row[column] == best[column]) for column in shown]
        cells += [_ahead(row, title) for title in judged]
        lines.append(f"| {row['contender']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ahead(row: "pd.Series[float]", title: str) -> str:
    """By how much ours is better with its interval, bold where that leaves out 0: thousandths, or money."""
    by, low, high = (row.get(f"{title} {what}", np.nan) for what in ("by", "low", "high"))
    if np.isnan(by):
        return ""
    scale, digits = (1, 1) if title == "RMSE" else (1000, 1)
    text = f"{by * scale:+,.{digits}f} ({low * scale:+,.{digits}f} to {high * scale:+,.{digits}f})"
    text = text.replace("-", "−")
    return f"**{text}**" if low > 0 or high < 0 else text


def _summary(every: pd.DataFrame) -> str:
    """By peer, over all cases: how far ours is ahead on average, and what is significant after Holm's correction."""
    kind = _kind(every)
    titles = JUDGED[kind]
    head = ["", "cases", *(part for title in titles for part in (f"mean ahead, {title}", "significant: ahead, behind"))]
    lines = [f"### All cases of {'money' if kind == 'money' else 'churn and propensity'}", ""]
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
            cells += [_mean(by, title), f"{int((sure & (by > 0)).sum())}, {int((sure & (by < 0)).sum())}"]
            lost += [f"{title} against {name}: {case}" for case in judged["case"][sure & (by < 0)]]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    verdict = "Significant losses after Holm: none." if not lost else "Significant losses after Holm:\n\n- "
    return "\n".join(lines) + f"\n\n{verdict}" + "\n- ".join(lost)


def _mean(by: "pd.Series[float]", title: str) -> str:
    if title == "RMSE":
        return "–"  # dollars and pounds
    return f"{by.mean() * 1000:+,.1f}".replace("-", "−")


def _kind(found: pd.DataFrame) -> str:
    return "money" if "RMSE" in found.columns else "chance"


def _best(column: "pd.Series[float]", name: str) -> float:
    if name == "bias":
        return float(column.iloc[column.abs().argmin()])
    return float(column.max() if name in HIGHER else column.min())


def _cell(value: float, *, best: bool) -> str:
    text = "–" if np.isnan(value) else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"**{text}**" if best else text
