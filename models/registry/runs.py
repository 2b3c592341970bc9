"""One MLflow run under way: what it is given to keep."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from features.system import processes
from models.registry.client import explained

BATCH = 100  # parameters that MLflow takes at once
LONGEST_PARAMETER = 6000  # characters of a parameter
LONGEST_NOTE = 7900
PROCESS = "journeycast.process"  # the tag that says who is at work on a run


@dataclass(frozen=True)
class Child:
    """A run below another: something that was tried in it. `status` is MLflow's; `took_ms` how long it took."""

    name: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    took_ms: int = 0


@dataclass(frozen=True)
class Run:
    """One training of one task, under way; `started_ms` stamps its metrics."""

    id: str
    experiment: str
    artifacts: str
    started_ms: int
    client: MlflowClient = field(repr=False)

    @explained
    def log_params(self, values: Mapping[str, object]) -> None:
        """What the training was given and chose; long values are cut."""
        params = [Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in values.items()]
        for start in range(0, len(params), BATCH):
            self.client.log_batch(self.id, params=params[start : start + BATCH])

    @explained
    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Figures that runs are compared by; a name holds letters, digits and `_-./: `."""
        self.client.log_batch(self.id, metrics=[Metric(k, float(v), self.started_ms, step) for k, v in values.items()])

    @explained
    def log_tags(self, tags: Mapping[str, str]) -> None:
        """What runs are found by."""
        self.client.log_batch(self.id, tags=[RunTag(key, value) for key, value in tags.items()])

    @explained
    def log_child(self, child: Child) -> None:
        """A run that MLflow shows below this one, over as soon as it is there."""
        tags = {**child.tags, MLFLOW_PARENT_RUN_ID: self.id, PROCESS: processes.identity()}
        info = self.client.create_run(self.experiment, self.started_ms, tags, child.name).info
        self.client.log_batch(
            info.run_id,
            metrics=[Metric(key, value, self.started_ms, 0) for key, value in child.metrics.items()],
            params=[Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in child.params.items()],
        )
        self.client.set_terminated(info.run_id, child.status, self.started_ms + child.took_ms)

    @explained
    def log_data(self, name: str, digest: str, source: Mapping[str, object]) -> None:
        """What it was trained on: runs on the same data show the same digest (its first 36 characters)."""
        data = Dataset(name, digest[:36], "store", json.dumps(source))
        self.client.log_inputs(self.id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])

    @explained
    def log_note(self, markdown: str) -> None:
        """What MLflow shows on top of the run's page; of a long text its beginning."""
        fits = len(markdown) <= LONGEST_NOTE
        note = markdown if fits else markdown[:LONGEST_NOTE].rpartition("\n")[0] + "\n\n… and more among the artifacts"
        self.client.set_tag(self.id, "mlflow.note.content", note)

    @explained
    def log_bytes(self, path: str, data: bytes) -> None:
        """One artifact; `path` is relative and may name folders."""
        place = PurePosixPath(path)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, place.name)
            file.write_bytes(data)
            self.client.log_artifact(self.id, str(file), str(place.parent) if place.parent.name else None)

    def log_text(self, path: str, text: str) -> None:
        """One artifact of UTF-8 text."""
        self.log_bytes(path, text.encode())

    def log_json(self, path: str, value: Any) -> None:
        """One artifact of JSON, for people: indented, in the order given."""
        self.log_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    @explained
    def log_folder(self, path: str, folder: Path) -> None:
        """All files of a folder as artifacts under `path`."""
        self.client.log_artifacts(self.id, str(folder), path)
