"""The questions that are put to the real logs: one configuration for all, the TOMLs only map columns."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from experiments import truth
from experiments.truth import Question

HERE = Path(__file__).parent
DATA = Path(os.environ.get("JOURNEYCAST_DATA", HERE / "../../shared/data"))
RETAIL, CDNOW, TAOBAO = (DATA / name / "events.parquet" for name in ("online_retail_ii", "cdnow", "taobao"))
CDNOW_SAMPLE = DATA / "cdnow" / "events_sample.parquet"
PURCHASES = Question(
    RETAIL,
    ("purchase",),
    90,
    180,
    order="invoice_no",
    money=("purchase", "return"),
    others=("return",),
    categories=("stock_code",),
    numbers=("quantity", "unit_price"),
)
COHORT = Question(CDNOW, ("purchase",), 273, 365, numbers=("number_of_cds",))
TENTH = replace(COHORT, file=CDNOW_SAMPLE)
BUYS = Question(
    TAOBAO,
    ("buy",),
    2,
    365,
    valued=False,
    active=(),
    others=("pv", "cart", "fav"),
    categories=("item_id", "category_id"),
)


@dataclass(frozen=True)
class Case:
    """One question put at one instant.

    `kind` is "silence" (churn), "event" (propensity), "money" or "orders" (what a task of money says of their number).
    """

    experiment: str
    task: str
    as_of: str
    question: Question
    kind: str

    @property
    def title(self) -> str:
        """What the case is called in every table."""
        asked = f"orders of `{self.task}`" if self.kind == "orders" else f"`{self.task}`"
        return f"{self.experiment}, {asked}, {self.question.horizon_days:g} days ahead of {self.as_of}"

    @property
    def cutoff(self) -> str:
        """The as-of as SQL writes it."""
        return self.as_of.replace("T", " ")

    @property
    def table(self) -> str:
        """The kind of table it stands in: chance, money or orders."""
        return self.kind if self.is_amount else "chance"

    @property
    def is_amount(self) -> bool:
        """Asked for money or a number rather than for a probability."""
        return self.kind in ("money", "orders")

    def label(self, customers: pd.Index, cutoff: str, horizon_days: float | None = None) -> pd.Series:
        """What came after a cutoff, for each of these customers: money or orders, or 1 where the outcome happened."""
        question = self.question if horizon_days is None else replace(self.question, horizon_days=horizon_days)
        came = truth.outcome(question, cutoff).reindex(customers).fillna(0.0)
        if self.is_amount:
            return came[self.kind].astype(float)
        return ((came["orders"] > 0) == (self.kind == "event")).astype(float)


RETAIL_CUTOFFS = ("2011-03-10", "2011-06-10", "2011-09-10")
CASES = (
    *(Case("online_retail_ii", "churn", cutoff, PURCHASES, "silence") for cutoff in RETAIL_CUTOFFS),
    *(
        Case("online_retail_ii", "buys_again", cutoff, replace(PURCHASES, horizon_days=30), "event")
        for cutoff in RETAIL_CUTOFFS
    ),
    *(Case("online_retail_ii", "value", cutoff, PURCHASES, "money") for cutoff in RETAIL_CUTOFFS),
    Case("cdnow", "churn", "1998-04-01", replace(COHORT, horizon_days=90, active_days=180), "silence"),
    Case("cdnow", "buys", "1997-09-30", COHORT, "event"),
    Case("cdnow", "value", "1997-09-30", COHORT, "money"),
    Case("cdnow", "value", "1997-09-30", COHORT, "orders"),
    Case("cdnow_sample", "value", "1997-09-30", TENTH, "money"),
    Case("cdnow_sample", "value", "1997-09-30", TENTH, "orders"),
    Case("taobao", "buys", "2017-12-01T16:00:00", BUYS, "event"),
)
