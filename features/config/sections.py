"""The sections of the TOML, frozen. Every default lives here and in `tasks`, and is listed in docs/configuration.md."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    PositiveInt,
    field_validator,
    model_validator,
)

from features.config.tasks import Days, Name, Names, Section, TaskConfig
from features.errors import ConfigError, did_you_mean
from features.language.feature import MONEY, Feature, Stream, mistakes
from features.language.kinds import KINDS
from features.timeline import EVER_DAYS, instant, zone

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


class AddedFeature(Section):
    """A feature declared in the TOML, beside the default ones."""

    what: Name
    event: Names = ()
    where: dict[Name, Name] = Field(default_factory=dict)
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
        names = [added.feature.name for added in self.add]
        for number, name in enumerate(names):
            if name in names[:number]:
                numbers = f"{names.index(name) + 1} and {number + 1}"
                raise ValueError(f"[[features.add]] numbers {numbers} are both '{name}'; remove one")
        return self

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The columns of the log or profile that added features read, each with its kind."""
        filters = [(column, "category") for added in self.add for column in added.where]
        return (*filters, *((added.column, KINDS[added.what].column) for added in self.add if added.column))


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
    tasks: dict[str, TaskConfig] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_money(self) -> Self:
        for name, task in self.tasks.items():
            kind = task.definition
            if self.log.value is None and kind.sums_money(task):
                raise ValueError(
                    f"task '{name}' sums money, and [log] names no `value` column; add it{kind.without_money}"
                )
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
        columns = [name for task in self.tasks.values() for name in (*task.where, task.action)]
        columns += [name for name, kind in self.features.columns if kind == "category"]
        return tuple(dict.fromkeys([*self.log.categories, *(name for name in columns if name)]))

    @property
    def stored_numbers(self) -> tuple[str, ...]:
        """Number columns of the store: the log's own, probabilities, margins, and what features and bounds read."""
        columns = [name for task in self.tasks.values() for name in (task.probability, task.amount) if name]
        columns += [name for name, kind in self.features.columns if kind == "amount"]
        columns += [column for task in self.tasks.values() for column, _, _ in task.bounds if column]
        return tuple(dict.fromkeys([*self.log.numbers, *(name for name in columns if name != self.log.text_length)]))

    def task(self, name: str) -> TaskConfig:
        """The task of that name; ConfigError names the nearest one."""
        if name not in self.tasks:
            raise ConfigError(f"no task '{name}' in the configuration; {did_you_mean(name, self.tasks)}")
        return self.tasks[name]
