"""The tasks of the TOML: which keys each kind takes, and what they mean when they are left out."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)

from features.config.task_kinds.kind import Outcome, TaskKind
from features.config.task_kinds.registry import TASK_KINDS, Kind
from features.errors import did_you_mean
from features.language.feature import MONEY, Bound


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, (str, int)) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_one_or_many)]
Days = Annotated[tuple[PositiveInt, ...], BeforeValidator(_one_or_many)]


class Section(BaseModel):
    """A frozen table of the TOML that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskConfig(Section):
    """A named question. Which keys a kind reads is in its `TaskKind`; an empty `active_event` means every event."""

    name: Name
    kind: Kind
    event: Names = ()
    churn_event: Names = ()
    where: dict[Name, Name] = {}
    at_least: dict[Name, float] = {}
    at_most: dict[Name, float] = {}
    horizons_days: Days = ()
    active_event: Names = ()
    active_days: PositiveInt = 365
    ended_by: Names = ()
    never: Names = ()
    action: Name | None = None
    nothing: Name | None = None
    probability: Name | None = None
    reward: Names = ()
    reward_unit: Literal["value", "count"] = "value"
    costs: dict[Name, float] = {}
    margin: Annotated[float, Field(gt=0, le=1, strict=True)] | Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _resolve_defaults(cls, table: dict[str, Any]) -> dict[str, Any]:
        table = dict(table)
        _refuse_foreign_keys(table)
        if "horizon_days" in table:
            if "horizons_days" in table:
                raise ValueError("expected horizon_days or horizons_days, found both")
            table["horizons_days"] = (table.pop("horizon_days"),)
        if TASK_KINDS[table["kind"]].active_by_event:
            table.setdefault("active_event", table.get("event", ()))
        if "churn_event" in table:
            table.setdefault("ended_by", table["churn_event"])
        return table

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needs = self.definition.needs
        if sum(all(getattr(self, key) for key in keys) for keys in needs) != 1:
            raise ValueError(f"a {self.kind} task needs {_alternatives(needs)}")
        if self.churn_event and not self.active_event:
            raise ValueError("a churn task with `churn_event` needs `active_event`: what makes a contract live")
        for key in ("where", "at_least", "at_most"):
            if self.churn_event and getattr(self, key):
                raise ValueError(f"`{key}` narrows `event`, and this task has `churn_event` instead; remove one")
        if not self.horizons_days:
            raise ValueError("a task needs `horizon_days` (or `horizons_days`), in days")
        if len(set(self.horizons_days)) < len(self.horizons_days):
            raise ValueError(f"horizons_days holds a horizon twice: {list(self.horizons_days)}")
        if self.ranks_actions and len(self.horizons_days) > 1:
            raise ValueError(f"a {self.kind} task takes one horizon: the window its reward is counted in")
        return self

    @property
    def definition(self) -> TaskKind:
        """What all tasks of this kind have in common."""
        return TASK_KINDS[self.kind]

    @property
    def outcome(self) -> Outcome:
        """What the label tells of the window after a cutoff."""
        return self.definition.outcome(self)

    @property
    def is_money(self) -> bool:
        """Whether an amount is predicted instead of a probability."""
        return self.definition.predicts_money

    @property
    def ranks_actions(self) -> bool:
        """Whether actions are ranked by what they gain."""
        return self.definition.ranks_actions

    @property
    def asks_for_activity(self) -> bool:
        """Whether only active customers are asked about; actions are ranked for everybody unless the TOML says who."""
        return not self.ranks_actions or bool(self.model_fields_set & {"active_event", "active_days"})

    @property
    def amount(self) -> str | None:
        """The number column that is summed; None: money."""
        return self.margin if isinstance(self.margin, str) else None

    @property
    def rate(self) -> float:
        """What of the amount counts."""
        return self.margin if isinstance(self.margin, float) else 1.0

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """What `at_least` and `at_most` ask of the numbers of a row."""
        signs = [(">=", self.at_least), ("<=", self.at_most)]
        unordered = [(column, how, bound) for how, bounds in signs for column, bound in bounds.items()]
        return tuple((None if column == MONEY else column, how, bound) for column, how, bound in sorted(unordered))


def _alternatives(needs: tuple[tuple[str, ...], ...]) -> str:
    """Keys for a sentence: `event`, or either `event` or `churn_event`, or all of several."""
    texts = []
    for keys in needs:
        *first, last = (f"`{key}`" for key in keys)
        texts.append(f"{', '.join(first)} and {last}" if first else last)
    return f"either {' or '.join(texts)}" if len(texts) > 1 else texts[0]


def _refuse_foreign_keys(table: dict[str, Any]) -> None:
    kind = table.get("kind")
    if kind is None:
        raise ValueError(f"a task needs `kind`; {did_you_mean('', TASK_KINDS)}")
    if not isinstance(kind, str) or kind not in TASK_KINDS:
        raise ValueError(f"unknown kind {kind!r}; {did_you_mean(str(kind), TASK_KINDS)}")
    keys = TASK_KINDS[kind].keys
    for key in table:
        if key not in keys:
            raise ValueError(f"unknown key '{key}' for kind {kind}; {did_you_mean(key, keys - {'name'})}")
