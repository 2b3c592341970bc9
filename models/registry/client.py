"""Where MLflow keeps what it keeps: the tracking address, a client for it, and MLflow's errors as ours.

All goes through a client with explicit addresses and run ids: MLflow's "active run" and its default store in the
current folder are never used.
"""

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from mlflow.tracking import MlflowClient

from features.config.sections import Config
from features.errors import JourneycastError
from features.system.files import atomic_write
from models.databases.urls import address, without_password

ADDRESS = "JOURNEYCAST_TRACKING_URI"  # of another store than the workspace's own
SQLITE = "sqlite:///"
REMEDY = f"start it, or see where {ADDRESS} leads"
HURRY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "3"}  # seconds
LONGEST_ERROR = 400  # characters of what MLflow says: it may quote whole pages
SIGNS = {
    r"[Tt]imed? ?out": "the server does not answer in time",
    r"Connection refused": "nothing listens there",
    r"readonly database": "its database is read-only",
    r"too many 5\d\d error responses|error code 5\d\d": "the server answers with errors of its own",
}

P = ParamSpec("P")
T = TypeVar("T")


def place(config: Config) -> tuple[str, Path | None]:
    """The tracking address, absolute, and the folder of artifacts."""
    tracking_uri = address(config, ADDRESS, "mlflow.db")
    return tracking_uri, None if tracking_uri.startswith("http") else config.workspace_path / "mlartifacts"


@contextmanager
def hurried() -> Iterator[None]:
    """In the block a server that does not answer is given up after one try: for who waits at a terminal."""
    before = {name: os.environ.get(name) for name in HURRY}
    os.environ.update(HURRY)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def connect(tracking_uri: str) -> MlflowClient:
    """A client whose stores are there: asking for anything makes and checks the tables.

    A SQLite file is made whole or not at all: MLflow makes its tables one by one, and never again opens a file in which
    a kill left some of them.
    """
    file = Path(tracking_uri.removeprefix(SQLITE))
    if tracking_uri.startswith(SQLITE) and "?" not in tracking_uri and not file.exists():
        with atomic_write(file) as temporary:
            _client(f"{SQLITE}{temporary}")
    return _client(tracking_uri)


def _client(tracking_uri: str) -> MlflowClient:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # MLflow's own quarrel with SQLAlchemy
            client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
            client.search_registered_models(max_results=1)
    except Exception as error:  # the database's own errors come through bare
        raise JourneycastError(
            f"MLflow could not open {without_password(tracking_uri)}: {_told(error)}; {REMEDY}"
        ) from error
    return client


def explained(function: Callable[P, T]) -> Callable[P, T]:
    """MLflow's errors become ours, without the password that an address may hold."""

    @wraps(function)
    def instead(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (JourneycastError, OSError):
            raise
        except Exception as error:  # a server that answers nonsense makes MLflow raise whatever comes
            action = function.__name__.strip("_").replace("_", " ")
            raise JourneycastError(f"MLflow could not {action}: {_told(error)}") from error

    return instead


def _told(error: Exception) -> str:
    """What is wrong, in a line without passwords; of HTTP only what a person can act on."""
    text = " ".join(str(getattr(error, "message", error)).split())
    for sign, meaning in SIGNS.items():
        if re.search(sign, text):
            return meaning
    return without_password(text)[:LONGEST_ERROR]
