"""Where databases and servers are: named by the environment, else files of the workspace; shown without passwords."""

import os
import re

from features.config.sections import Config


def address(config: Config, variable: str, file: str) -> str:
    """What the environment's `variable` names, else that SQLite file of the workspace; absolute.

    A relative file is taken from the TOML's folder; `postgresql://` is read as `postgresql+psycopg://`.
    """
    url = os.environ.get(variable) or f"sqlite:///{config.workspace_path / file}"
    if relative := re.fullmatch(r"sqlite:///([^/].*)", url):
        url = f"sqlite:///{config.folder / relative[1]}"
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def without_password(text: str) -> str:
    """The text with what stands between `://` and `@` left out, and what follows `password=`.

    >>> without_password("postgresql://me:secret@db/mlflow")
    'postgresql://…@db/mlflow'
    >>> without_password("postgresql://me:sec/ret@db/mlflow, https://docs/a b@c")
    'postgresql://…@db/mlflow, https://docs/a b@c'
    >>> without_password("postgresql://db/mlflow?user=me&password=secret")
    'postgresql://db/mlflow?user=me&password=…'
    """
    return re.sub(r"(?i)(password=)[^&\s]+", r"\1…", re.sub(r"://([^/@\s]*|[^/:@\s]*:[^@\s]*)@", "://…@", text))
