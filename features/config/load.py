"""A TOML read, checked and frozen; what is wrong with it is told in one sentence, without secrets.

Paths are relative to the TOML. A string may read the environment: `${NAME}` or `${NAME:-default}`. An unknown key is
refused with the nearest known one.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import (
    ValidationError,
)

from features.config.sections import AddedFeature, Config, FeaturesConfig
from features.config.tasks import Section, TaskConfig
from features.errors import ConfigError, did_you_mean

SHORTEST_SECRET = 4  # characters


def load(path: Path) -> Config:
    """Read and check a TOML; raises ConfigError with the key, what was expected and what was found."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return parse(document, folder=path.parent.resolve(), source=str(path))
    except FileNotFoundError:
        raise ConfigError(f"expected a configuration at {path}, found none; name one with `-c FILE`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path} cannot be read as TOML: its tables or lists lie too deep in each other") from None


def parse(document: dict[str, Any], *, folder: Path, source: str = "configuration") -> Config:
    """Check a table as `load` reads it from a TOML."""
    try:
        return _parsed(_with_environment(document, source), folder, source)
    except ConfigError as error:
        raise ConfigError(_without_secrets(str(error), document)) from None


def _parsed(document: dict[str, Any], folder: Path, source: str) -> Config:
    tasks = document.get("tasks", {})
    if not isinstance(tasks, dict) or not all(isinstance(task, dict) for task in tasks.values()):
        raise ConfigError(f"{source}: expected tables [tasks.NAME], found {tasks!r}")
    for name in tasks:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ConfigError(f"{source}: a task's name may hold letters, digits, '_' and '-', got '{name}'")
        if "name" in tasks[name]:
            raise ConfigError(f"{source}: a task is named by its table, [tasks.{name}]; remove its key `name`")
    if "folder" in document:
        raise ConfigError(f"{source}: unknown key 'folder'; paths are relative to the TOML")
    named = {name: {**task, "name": name} for name, task in tasks.items()}
    try:
        return Config.model_validate({**document, "tasks": named, "folder": folder})
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_mistake(error)}") from None


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors()[0]
    location = _place(mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        section = _section_at(mistake["loc"][:-1])
        known = [name for name in section.model_fields if name != "folder"]
        return f"unknown key '{location}'; {did_you_mean(str(mistake['loc'][-1]), known)}"
    message = mistake["msg"].removeprefix("Value error, ")
    received = "" if isinstance(mistake["input"], dict) else f", got {mistake['input']!r}"
    return f"{location}: {message}{received}" if location else f"{message}{received}"


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
        return {key: _with_environment(element, source) for key, element in value.items()}
    if isinstance(value, list):
        return [_with_environment(element, source) for element in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lambda match: _variable(match, source), value)
    return value


def _without_secrets(message: str, document: dict[str, Any]) -> str:
    """The message in one line, with the names of variables in the place of what they hold, which may be secret."""
    for name in re.findall(r"\$\{(\w+)", str(document)):
        value = os.environ.get(name, "")
        if len(value) >= SHORTEST_SECRET:
            for secret in (value, repr(value)[1:-1]):
                message = message.replace(secret, f"${{{name}}}")
    return message.replace("\n", "\\n")


def _variable(match: re.Match[str], source: str) -> str:
    name, default = match.group(1), match.group(2)
    value = os.environ.get(name, default)
    if value is None:
        raise ConfigError(f"{source}: ${{{name}}} is not set; export {name} or write ${{{name}:-default}}")
    return value
