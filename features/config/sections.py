"""The TOML, checked and frozen.

Paths are relative to the TOML. A string may read the environment: `${NAME}` or `${NAME:-default}`. An unknown key is
refused with the nearest known one. Every default lives here and is listed in docs/configuration.md.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from features.errors import ConfigError, did_you_mean
from features.language.feature import MONEY, Bound, Feature, Stream, mistakes
from features.language.kinds import WHATS
from features.timeline import EVER_DAYS, instant, zone

SHORTEST_SECRET = 4  # characters
Kind = Literal["churn", "propensity", "cltv", "next_action"]
CHECKS = (  # what the audit of a training looks for (docs/audit.md)
    "wrong_label",
    "inverted_label",
    "constant_label",
    "label_reads_past",
    "wrong_population",
    "survivors",
    "censored_as_lost",
    "split_without_gap",
    "known_after_cutoff",
    "caused_by_firm",
    "too_good",
    "shuffled_label",
    "future_canary",
    "unlike_base",
)


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, (str, int)) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_one_or_many)]
Days = Annotated[tuple[PositiveInt, ...], BeforeValidator(_one_or_many)]


class Section(BaseModel):
    """A frozen table of the TOML that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LogConfig(Section):
    """Where the event log is and which source column is what."""

    source: Names = ()
    customer: Name = "customer_id"
    time: Name = "timestamp"
    event: Name = "event_type"
    value: Name | None = None
    order: Name | None = None
    known: Name | None = None
    id: Name | None = None
    text: Name | None = None
    categories: Names = ()
    numbers: Names = ()
    drop_duplicates: bool = False
    timezone: str = "UTC"
    complete_until: str | None = None

    @field_validator("complete_until", mode="before")
    @classmethod
    def _date_as_text(cls, value: Any) -> Any:
        return value.isoformat() if hasattr(value, "isoformat") else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({self.customer, self.time, self.event}) < 3:
            raise ValueError(
                "customer, time and event must be three columns, "
                f"found '{self.customer}', '{self.time}', '{self.event}'"
            )
        key = "timezone"
        try:
            zone(self.timezone)
            key = "complete_until"
            self.complete_until_us  # noqa: B018  a wrong date is told here, not hours later
        except ConfigError as error:
            raise ValueError(f"{key}: {error}") from None
        return self

    @property
    def text_length(self) -> str | None:
        """The name of the number that stands for the text: its length in characters."""
        return None if self.text is None else f"{self.text}_length"

    @property
    def complete_until_us(self) -> int | None:
        """The instant up to which the log misses nothing, µs UTC."""
        return None if self.complete_until is None else instant(self.complete_until, self.timezone)


class ProfileConfig(Section):
    """Optional attributes of customers; every other column of the source is an attribute."""

    source: Names = ()
    customer: Name = "customer_id"
    known: Name | None = None


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


_OR = {"cltv": "", "next_action": ', or count rewards with reward_unit = "count"'}
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


class AddedFeature(Section):
    """A feature declared in the TOML, beside the default ones."""

    what: Name
    event: Names = ()
    where: dict[Name, Name] = {}
    column: Name | None = None
    window_days: Annotated[int, Field(ge=0)] = EVER_DAYS
    level: Name | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, mistake in mistakes(self.feature):
            raise ValueError(f"{key}: {mistake}")
        return self

    @property
    def feature(self) -> Feature:
        """The same in the feature language."""
        stream = Stream(tuple(sorted(set(self.event))), tuple(sorted(self.where.items())))
        return Feature(self.what, stream, self.column, self.window_days, self.level)


def _tables(value: Any) -> Any:
    if isinstance(value, dict):
        raise ValueError("expected tables [[features.add]], found one in single brackets")  # noqa: TRY004  pydantic's
    return value


class FeaturesConfig(Section):
    """What the default feature set is derived with, and what is taken out of it and added."""

    windows_days: Days = (7, 30, 90, 365)
    max_columns: PositiveInt = 300
    families: Names = ()
    remove: Names = ()
    add: Annotated[tuple[AddedFeature, ...], BeforeValidator(_tables)] = ()
    module: Name | None = None

    @model_validator(mode="after")
    def _add_once(self) -> Self:
        names = [one.feature.name for one in self.add]
        for number, name in enumerate(names):
            if name in names[:number]:
                numbers = f"{names.index(name) + 1} and {number + 1}"
                raise ValueError(f"[[features.add]] numbers {numbers} are both '{name}'; remove one")
        return self

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The columns of the log or profile that added features read, each with its kind."""
        filters = [(column, "category") for one in self.add for column in one.where]
        return (*filters, *((one.column, WHATS[one.what].column) for one in self.add if one.column))


class TrainConfig(Section):
    """How much work training may do; none of it changes what is predicted, only how well."""

    trials: Annotated[int, Field(ge=0)] = 15
    max_rows: PositiveInt = 400_000
    threads: PositiveInt = 2
    accept: Names = ()

    @field_validator("accept")
    @classmethod
    def _known_checks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in CHECKS:
                raise ValueError(f"the audit has no check '{name}'; {did_you_mean(name, CHECKS)}")
        return names


class ServeConfig(Section):
    """Where the HTTP service listens."""

    host: Name = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 3000


class Config(Section):
    """The whole TOML; `folder` is where it lies and what its paths are relative to."""

    folder: Path
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] = "shop"
    workspace: Name = "workspace"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 7
    log: LogConfig = LogConfig()
    profile: ProfileConfig = ProfileConfig()
    features: FeaturesConfig = FeaturesConfig()
    train: TrainConfig = TrainConfig()
    serve: ServeConfig = ServeConfig()
    tasks: dict[str, TaskConfig] = {}

    @model_validator(mode="after")
    def _has_money(self) -> Self:
        for name, task in self.tasks.items():
            sums = task.amount is None if task.kind == "cltv" else task.reward and task.reward_unit == "value"
            if self.log.value is None and sums:
                raise ValueError(f"task '{name}' sums money, and [log] names no `value` column; add it{_OR[task.kind]}")
            if self.log.value is None and any(column is None for column, _, _ in task.bounds):
                raise ValueError(f"task '{name}' bounds `{MONEY}`, and [log] names no `value` column; add it")
        return self

    @property
    def workspace_path(self) -> Path:
        """The folder that holds everything that is written."""
        return (self.folder / self.workspace).resolve()

    @property
    def stored_categories(self) -> tuple[str, ...]:
        """Category columns of the store: the log's own, then what tasks and added features read."""
        asked = [name for task in self.tasks.values() for name in (*task.where, task.action)]
        asked += [name for name, kind in self.features.columns if kind == "category"]
        return tuple(dict.fromkeys([*self.log.categories, *(name for name in asked if name)]))

    @property
    def stored_numbers(self) -> tuple[str, ...]:
        """Number columns of the store: the log's own, probabilities, margins, and what features and bounds read."""
        asked = [name for task in self.tasks.values() for name in (task.probability, task.amount) if name]
        asked += [name for name, kind in self.features.columns if kind == "amount"]
        asked += [column for task in self.tasks.values() for column, _, _ in task.bounds if column]
        return tuple(dict.fromkeys([*self.log.numbers, *(name for name in asked if name != self.log.text_length)]))

    def task(self, name: str) -> TaskConfig:
        """The task of that name; ConfigError names the nearest one."""
        if name not in self.tasks:
            raise ConfigError(f"no task '{name}' in the configuration; {did_you_mean(name, self.tasks)}")
        return self.tasks[name]


def load(path: Path) -> Config:
    """Read and check a TOML; raises ConfigError with the key, what was expected and what was found."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        return parse(given, folder=path.parent.resolve(), source=str(path))
    except FileNotFoundError:
        raise ConfigError(f"expected a configuration at {path}, found none; name one with `-c FILE`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path} cannot be read as TOML: its tables or lists lie too deep in each other") from None


def parse(given: dict[str, Any], *, folder: Path, source: str = "configuration") -> Config:
    """Check a table as `load` reads it from a TOML."""
    try:
        return _parsed(_with_environment(given, source), folder, source)
    except ConfigError as error:
        raise ConfigError(_without_secrets(str(error), given)) from None


def _parsed(given: dict[str, Any], folder: Path, source: str) -> Config:
    tasks = given.get("tasks", {})
    if not isinstance(tasks, dict) or not all(isinstance(task, dict) for task in tasks.values()):
        raise ConfigError(f"{source}: expected tables [tasks.NAME], found {tasks!r}")
    for name in tasks:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ConfigError(f"{source}: a task's name may hold letters, digits, '_' and '-', got '{name}'")
        if "name" in tasks[name]:
            raise ConfigError(f"{source}: a task is named by its table, [tasks.{name}]; remove its key `name`")
    if "folder" in given:
        raise ConfigError(f"{source}: unknown key 'folder'; paths are relative to the TOML")
    named = {name: {**task, "name": name} for name, task in tasks.items()}
    try:
        return Config.model_validate({**given, "tasks": named, "folder": folder})
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_mistake(error)}") from None


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors()[0]
    where = _place(mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        section = _section_at(mistake["loc"][:-1])
        known = [name for name in section.model_fields if name != "folder"]
        return f"unknown key '{where}'; {did_you_mean(str(mistake['loc'][-1]), known)}"
    message = mistake["msg"].removeprefix("Value error, ")
    found = "" if isinstance(mistake["input"], dict) else f", got {mistake['input']!r}"
    return f"{where}: {message}{found}" if where else f"{message}{found}"


def _place(location: tuple[int | str, ...]) -> str:
    """Where in the TOML, in its own words."""
    if location[:2] == ("features", "add") and len(location) > 2:
        return ": ".join([f"[[features.add]] number {int(location[2]) + 1}", *map(str, location[3:4])])
    return ".".join(map(str, location))


def _section_at(location: tuple[int | str, ...]) -> type[Section]:
    section: type[Section] = Config
    for part in location:
        section = TaskConfig if section is Config and part == "tasks" else section
        section = AddedFeature if section is FeaturesConfig and part == "add" else section
        field = section.model_fields.get(str(part))
        if field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            section = field.annotation
    return section


def _with_environment(value: Any, source: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_environment(item, source) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_environment(item, source) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lambda match: _variable(match, source), value)
    return value


def _without_secrets(message: str, given: dict[str, Any]) -> str:
    """The message in one line, with the names of variables in the place of what they hold, which may be secret."""
    for name in re.findall(r"\$\{(\w+)", str(given)):
        value = os.environ.get(name, "")
        if len(value) >= SHORTEST_SECRET:
            for told in (value, repr(value)[1:-1]):
                message = message.replace(told, f"${{{name}}}")
    return message.replace("\n", "\\n")


def _variable(match: re.Match[str], source: str) -> str:
    name, default = match.group(1), match.group(2)
    found = os.environ.get(name, default)
    if found is None:
        raise ConfigError(f"{source}: ${{{name}}} is not set; export {name} or write ${{{name}:-default}}")
    return found
