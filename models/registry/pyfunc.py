"""A bundle as an MLflow model: a folder that `mlflow.pyfunc.load_model` makes scores of, without a pickle.

`model.py` is MLflow's "model from code". `artifacts/` holds the bundle, the names of the log's columns, and the module
of one's own features if there is one; their digests stand in the model's configuration and are checked before anything
is parsed. `code/` holds our sources, for a machine that has none.
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pandas as pd
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType
from pydantic import AwareDatetime

from features.config.sections import Config
from features.language.kinds import PROFILE
from features.log.validate import log_columns
from features.system.files import canonical_json, digest
from features.timeline import DAY_US, iso
from models.bundle import Bundle
from models.grades import activity
from models.registry.pyfunc_script import SCRIPT
from models.score_record import ScoreRecord
from models.tasks import membership

FOLDER = "model"  # among the artifacts of a run
BUNDLE = "bundle"  # below `artifacts/`, like the others
LOG, MODULE = "log.json", "module.py"
CODE_FILE, CODE = "model.py", "code"
PLACE = f"{FOLDER}/artifacts/{BUNDLE}"  # of the bundle among the artifacts of a run
SOURCES = ("features", "models", "serving")
HOME = Path(__file__).parents[2]
REQUIRED = ("duckdb", "lightgbm", "mlflow", "numba", "numpy", "pandas", "pyarrow", "pydantic", "scipy")
ANY: Any = AnyType()  # type: ignore[no-untyped-call]  # MLflow would refuse whole numbers for money and text for times; what a cell may hold we say ourselves
PARAMS = (("as_of", "string", None), ("reasons", "boolean", False), ("model_from_the_future", "boolean", False))
COLUMN_TYPES: Mapping[Any, str] = {str: "string", int: "integer", float: "double", AwareDatetime: "datetime"}
EXAMPLE_DAYS = (60, 21, 0)  # before the training


@contextmanager
def packed(bundle: Bundle, folder: Path, config: Config, run_id: str) -> Iterator[Path]:
    """The folder of an MLflow model of the bundle that lies in `folder`, for as long as the block runs."""
    with tempfile.TemporaryDirectory() as name:
        staging, model = Path(name, "made"), Path(name, FOLDER)
        artifacts = _artifacts(bundle, folder, config, staging)
        (staging / CODE_FILE).write_text(SCRIPT, encoding="utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about type hints of MLflow's own, when it is first asked to save
            pyfunc.save_model(
                model,
                mlflow_model=Model(artifact_path=FOLDER, run_id=run_id),
                python_model=staging / CODE_FILE,
                artifacts={name: str(path) for name, path in artifacts.items()},
                model_config={"bundle": folder.name, "log": digest(artifacts["log"])},
                signature=_signature(bundle, config),
                input_example=example(bundle, config),
                pip_requirements=[f"{name}=={version(name)}" for name in REQUIRED],
                streamable=False,
            )
        for package in SOURCES:
            shutil.copytree(HOME / package, model / CODE / package, ignore=_no_source)
        _settle(model)
        yield model


def log_names(config: Config) -> dict[str, Any]:
    """What scoring has to know of the log beside the bundle: what its columns are called and how they are read.

    Nothing of where it lies, nor up to when it is complete: a frame is all there is.
    """
    log = config.log.model_dump(mode="json", exclude={"source", "complete_until"})
    return {**log, "categories": config.stored_categories, "numbers": config.stored_numbers}


def example(bundle: Bundle, config: Config) -> pd.DataFrame:
    """Three events of a customer who never was, by the names of the log's columns; the last at the training's as-of."""
    task = bundle.task
    event = next(iter((*task.active_event, *task.event)), "event")
    rows = []
    for number, days in enumerate(EXAMPLE_DAYS, start=1):
        at = iso(bundle.trained_as_of_us - days * DAY_US)
        values = {"customer": "customer 1", "time": at, "known": at, "event": event, "value": 19.9, "text": "Thank you"}
        values |= {"order": f"order {number}", "id": f"event {number}", "category": "example", "number": 1.0}
        columns = log_columns(config).items()
        rows.append({column: values[key.partition(" ")[0]] for key, column in reversed(columns)})
    return pd.DataFrame(rows)[list(dict.fromkeys(log_columns(config).values()))]


def _artifacts(bundle: Bundle, folder: Path, config: Config, staging: Path) -> dict[str, Path]:
    """What the model reads, by name, copied to where it can be named for what it is."""
    shutil.copytree(folder, staging / BUNDLE)
    (staging / LOG).write_text(canonical_json(log_names(config)), encoding="utf-8")
    artifacts = {"bundle": staging / BUNDLE, "log": staging / LOG}
    if bundle.features.module is not None:
        (staging / MODULE).write_bytes(bundle.features.module.source)
        artifacts["module"] = staging / MODULE
    return artifacts


def _signature(bundle: Bundle, config: Config) -> ModelSignature:
    """Columns of raw events or of a panel. None is required by MLflow, because either may be given."""
    log = dict.fromkeys(log_columns(config).values())
    asking = (activity(bundle.task), *membership(bundle.task).features)
    columns = dict.fromkeys([*bundle.features.names, *(feature.name for feature in asking)])
    attributes = [feature.column for feature in bundle.features.declared if feature.kind in PROFILE and feature.column]
    any_type = dict.fromkeys([*log, *attributes, "customer_id", "cutoff"])
    inputs: list[ColSpec | TensorSpec] = [ColSpec(ANY, name, required=False) for name in any_type]
    inputs += [ColSpec("double", name, required=False) for name in columns if name not in any_type]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(_column_type(field.annotation), name, required=False)
        for name, field in ScoreRecord.model_fields.items()
    ]
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema([ParamSpec(*parameter) for parameter in PARAMS]))


def _column_type(annotation: Any) -> Any:
    """MLflow's type of a field of the score record; it has none for lists and objects that may be missing."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not NoneType)
    return "string" if get_origin(annotation) is Literal else COLUMN_TYPES.get(annotation, ANY)


def _settle(model: Path) -> None:
    """Tell MLflow of the sources, and of nothing that is of this machine or of pickles."""
    described = Model.load(str(model))
    flavour = described.flavors[pyfunc.FLAVOR_NAME]
    flavour.pop("cloudpickle_version", None)
    flavour |= {"model_code_path": CODE_FILE, pyfunc.CODE: CODE}
    for artifact in flavour["artifacts"].values():
        del artifact["uri"]
    described.model_size_bytes = sum(file.stat().st_size for file in model.rglob("*") if file.is_file())
    described.save(str(model / "MLmodel"))


def _no_source(folder: str, names: list[str]) -> set[str]:
    """What is no source of ours."""
    return {name for name in names if not name.endswith(".py") and not Path(folder, name).is_dir()} | {"__pycache__"}
