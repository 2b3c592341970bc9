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

from features.errors import did_you_mean
from features.language.feature import MONEY, Bound

Kind = Literal["churn", "propensity", "cltv", "next_action"]


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, (str, int)) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_one_or_many)]
Days = Annotated[tuple[PositiveInt, ...], BeforeValidator(_one_or_many)]


class Section(BaseModel):
    """A frozen table of the TOML that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskConfig(Section):
    """A named question. Which keys a kind reads is in `KEYS`; an empty `active_event` means every event."""

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
    def _resolve_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        given = dict(given)
        _refuse_foreign_keys(given)
        if "horizon_days" in given:
            if "horizons_days" in given:
                raise ValueError("expected horizon_days or horizons_days, found both")
            given["horizons_days"] = (given.pop("horizon_days"),)
        if given.get("kind") in ("churn", "cltv"):
            given.setdefault("active_event", given.get("event", ()))
        if "churn_event" in given:
            given.setdefault("ended_by", given["churn_event"])
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needs = {
            "churn": bool(self.event) != bool(self.churn_event),
            "propensity": bool(self.event),
            "cltv": bool(self.event),
            "next_action": bool(self.event and self.action and self.nothing and self.reward),
        }
        wanted = {
            "churn": "either `event` or `churn_event`",
            "next_action": "`event`, `action`, `nothing` and `reward`",
        }
        if not needs[self.kind]:
            raise ValueError(f"a {self.kind} task needs {wanted.get(self.kind, '`event`')}")
        if self.churn_event and not self.active_event:
            raise ValueError("a churn task with `churn_event` needs `active_event`: what makes a contract live")
        for key in ("where", "at_least", "at_most"):
            if self.churn_event and getattr(self, key):
                raise ValueError(f"`{key}` narrows `event`, and this task has `churn_event` instead; remove one")
        if not self.horizons_days:
            raise ValueError("a task needs `horizon_days` (or `horizons_days`), in days")
        if len(set(self.horizons_days)) < len(self.horizons_days):
            raise ValueError(f"horizons_days holds a horizon twice: {list(self.horizons_days)}")
        if self.kind == "next_action" and len(self.horizons_days) > 1:
            raise ValueError("a next_action task takes one horizon: the window its reward is counted in")
        return self

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
        asked = [(">=", self.at_least), ("<=", self.at_most)]
        found = [(column, how, bound) for how, bounds in asked for column, bound in bounds.items()]
        return tuple((None if column == MONEY else column, how, bound) for column, how, bound in sorted(found))


BESIDE_MONEY = {"cltv": "", "next_action": ', or count rewards with reward_unit = "count"'}
_COMMON = {"name", "kind", "event", "horizon_days", "horizons_days"}
_NARROWED = {"where", "at_least", "at_most"}
_POPULATION = {"active_event", "active_days", "ended_by", "never"}
KEYS: dict[str, set[str]] = {
    "churn": _COMMON | _POPULATION | _NARROWED | {"churn_event"},
    "propensity": _COMMON | _POPULATION | _NARROWED,
    "cltv": _COMMON | _POPULATION | _NARROWED | {"margin"},
    "next_action": _COMMON | _POPULATION | {"action", "nothing", "probability", "reward", "reward_unit", "costs"},
}


def _refuse_foreign_keys(given: dict[str, Any]) -> None:
    kind = given.get("kind")
    if kind is None:
        raise ValueError(f"a task needs `kind`; {did_you_mean('', KEYS)}")
    if not isinstance(kind, str) or kind not in KEYS:
        raise ValueError(f"unknown kind {kind!r}; {did_you_mean(str(kind), KEYS)}")
    for key in given:
        if key not in KEYS[kind]:
            raise ValueError(f"unknown key '{key}' for kind {kind}; {did_you_mean(key, KEYS[kind] - {'name'})}")
