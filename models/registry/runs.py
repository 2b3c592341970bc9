"""One MLflow run under way: what it is given to keep."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.tracking import MlflowClient

from models.registry.door import explained

BATCH = 100  # parameters that MLflow takes at once
LONGEST = 6000  # characters of a parameter


@dataclass(frozen=True)
class Run:
    """One training of one task, under way; `started_ms` stamps its metrics."""

    id: str
    artifacts: str
    started_ms: int
    client: MlflowClient = field(repr=False)

    @explained
    def log_params(self, values: Mapping[str, object]) -> None:
        """What the training was given and chose; long values are cut."""
        params = [Param(key, str(value)[:LONGEST]) for key, value in values.items()]
        for start in range(0, len(params), BATCH):
            self.client.log_batch(self.id, params=params[start : start + BATCH])

    @explained
    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Figures that runs are compared by; a name holds letters, digits and `_-./: `."""
        self.client.log_batch(self.id, metrics=[Metric(k, float(v), self.started_ms, step) for k, v in values.items()])

    @explained
    def log_data(self, name: str, digest: str, source: Mapping[str, object]) -> None:
        """What it was trained on: runs on the same data show the same digest (its first 36 characters)."""
        data = Dataset(name, digest[:36], "store", json.dumps(source))
        self.client.log_inputs(self.id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])

    @explained
    def log_note(self, markdown: str) -> None:
        """What MLflow shows on top of the run's page."""
        self.client.set_tag(self.id, "mlflow.note.content", markdown)

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
