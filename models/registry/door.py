"""Where MLflow keeps what it keeps: the tracking address, a client for it, and MLflow's errors as ours.

All goes through a client with explicit addresses and run ids: MLflow's "active run" and its default store in the
current folder are never used.
"""

import os
import re
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from features.config import Config
from features.errors import JourneycastError

ADDRESS = "JOURNEYCAST_TRACKING_URI"  # of another store than the workspace's own

P = ParamSpec("P")
T = TypeVar("T")


def place(config: Config) -> tuple[str, Path | None]:
    """The tracking address, absolute, and the folder of artifacts."""
    workspace = config.workspace_path
    address = os.environ.get(ADDRESS) or f"sqlite:///{workspace / 'mlflow.db'}"
    if relative := re.fullmatch(r"sqlite:///([^/].*)", address):
        address = f"sqlite:///{config.folder / relative[1]}"
    return address, None if address.startswith("http") else workspace / "mlartifacts"


def connect(address: str) -> MlflowClient:
    """A client whose stores are there: asking for anything makes and checks the tables."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # MLflow's own quarrel with SQLAlchemy
            client = MlflowClient(tracking_uri=address, registry_uri=address)
            client.search_registered_models(max_results=1)
    except Exception as error:  # the database's own errors come through bare
        what = without_password(str(error).partition("\n")[0])
        raise JourneycastError(f"MLflow could not open {without_password(address)}: {what}") from error
    return client


def explained(function: Callable[P, T]) -> Callable[P, T]:
    """MLflow's errors become ours, without the password that an address may hold."""

    @wraps(function)
    def instead(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except MlflowException as error:
            what, text = function.__name__.strip("_").replace("_", " "), without_password(str(error.message))
            raise JourneycastError(f"MLflow could not {what}: {text}") from error

    return instead


def without_password(text: str) -> str:
    """The text with what stands between `://` and `@` left out.

    >>> without_password("postgresql://me:secret@db/mlflow")
    'postgresql://…@db/mlflow'
    """
    return re.sub(r"://[^/@\s]*@", "://…@", text)
