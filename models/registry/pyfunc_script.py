"""The text of `model.py` in an MLflow model of ours. It runs where MLflow loads the model, and is data here."""

SCRIPT = '''"""Scores of customers by Journeycast, from the bundle in `artifacts/`, by the sources in `code/`."""

import importlib.util
import os
import sys
from pathlib import Path

import pandas as pd
import yaml
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

HERE = Path(__file__).parent
CODE = HERE / "code"


class Scores(PythonModel):
    """What MLflow calls: a frame of raw events or a panel in, score records out."""

    def load_context(self, context):
        choose_sources()
        compiles, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing is written into the model's folder
        try:
            from features.system import environment

            environment.apply()
            from serving.frames.frames import Frames
        except ImportError as error:
            found = getattr(sys.modules.get("features"), "__file__", None)
            raise ImportError(
                f"expected Journeycast's packages features, models and serving, found others ({found}: {error}); load "
                "the model in a process that has imported no other packages of these names"
            ) from error
        finally:
            sys.dont_write_bytecode = compiles
        self.frames = Frames.open({name: Path(path) for name, path in context.artifacts.items()},
                                  context.model_config, version())

    def predict(self, context, model_input: pd.DataFrame, params=None) -> pd.DataFrame:
        return self.frames.predict(model_input, **(params or {}))


def choose_sources():
    """Journeycast as it is installed where it is the same, because its kernel is compiled already; else `code/`."""
    if "features" in sys.modules:
        return
    with_own = list(sys.path)
    sys.path[:] = [place for place in with_own if Path(place or ".").resolve() != CODE.resolve()]
    if not is_installed():
        sys.path[:] = with_own
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "journeycast")
        os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))  # compiled code is for this user alone


def is_installed():
    """Whether the very same sources can be imported without this model."""
    found = importlib.util.find_spec("serving")
    if found is None or not found.submodule_search_locations:
        return False
    root = Path(list(found.submodule_search_locations)[0]).parent
    pairs = [(file, root / file.relative_to(CODE)) for file in CODE.rglob("*.py")]
    return all(other.is_file() and other.read_bytes() == file.read_bytes() for file, other in pairs)


def version():
    """The version that the registry gave it, which MLflow notes beside the model it loads."""
    note = HERE / "registered_model_meta"
    return str(yaml.safe_load(note.read_text())["model_version"]) if note.exists() else ""


set_model(Scores())
'''
