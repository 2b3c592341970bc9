"""What a kind of task has to say about itself, so that no other file asks for it by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Outcome = Literal["silence", "event", "money", "reward"]


class TaskKeys(Protocol):
    """The keys of a task that its kind reads."""

    @property
    def event(self) -> tuple[str, ...]:
        """What is counted in the window after a cutoff."""

    @property
    def churn_event(self) -> tuple[str, ...]:
        """What ends a contract."""

    @property
    def reward(self) -> tuple[str, ...]:
        """What is counted after a decision."""

    @property
    def reward_unit(self) -> Literal["value", "count"]:
        """Whether rewards are summed or counted."""

    @property
    def amount(self) -> str | None:
        """The number column that is summed; None: money."""


@dataclass(frozen=True)
class TaskKind:
    """One kind of task: its keys in the TOML, what a label of 1 (or an amount) means, and its words.

    `outcome(task)` is what a label tells of the window after the cutoff: `silence` (1 if nothing happened), `event`
    (1 if it happened), `money` (its sum), `reward` (what came after a decision). `needs` are alternatives of keys of
    which exactly one has to be complete. `figures` are (title, metric) of the table of `train`.
    """

    name: str
    keys: frozenset[str]
    needs: tuple[tuple[str, ...], ...]
    outcome: Callable[[TaskKeys], Outcome]
    baseline: str
    purpose: str
    misuse: str
    label: Callable[[TaskKeys], str]
    figures: tuple[tuple[str, str], ...]
    active_by_event: bool = False  # `active_event` is `event` where it is left out
    predicts_money: bool = False  # an amount instead of a probability
    about_loss: bool = False  # a label of 1 is a customer lost
    has_purchase_process: bool = True  # the event may repeat as purchases do
    ranks_actions: bool = False  # learns from logged decisions what each action gains, over one horizon
    sums_money: Callable[[TaskKeys], bool] = lambda _: False  # reads the log's `value`
    without_money: str = ""  # what else one may do where the log has no `value`
    gained: str = ""  # what a picture of gains counts
    outcomes: tuple[str, str] = ("", "")  # label 1 and label 0 in a picture


COMMON_KEYS = frozenset({"name", "kind", "event", "horizon_days", "horizons_days"})
NARROWING_KEYS = frozenset({"where", "at_least", "at_most"})
POPULATION_KEYS = frozenset({"active_event", "active_days", "ended_by", "never"})

AUROC, LOG_LOSS, GINI = ("AUROC", "auroc"), ("log-loss", "log_loss"), ("Gini", "gini")
RECENCY_BASELINE = (
    "the rate among customers whose last `event` is as long ago, in ten groups, each shrunk towards the overall rate"
)


def listed(names: tuple[str, ...]) -> str:
    """Names of events for a sentence.

    >>> listed(("purchase", "refund"))
    '`purchase` or `refund`'
    """
    return " or ".join(f"`{name}`" for name in names)
