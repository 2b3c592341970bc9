"""Runs of training, registered versions of bundles, and the champion of one shop.

A task has one experiment and one registered model, both called `<shop>.<task>`. A version is a bundle: plain files,
logged within the run's artifact `model/` (once `bundle/`), with its digest in the tag `bundle_digest`; a version
without that tag is not ours. The alias `champion` names the version that serves, `challenger` the newest one that
wants to.
"""

import logging
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from features.config.sections import Config
from features.errors import JourneycastError
from features.system import processes
from features.system.files import atomic_folder
from models.bundle import Bundle
from models.databases.urls import without_password
from models.registry import pyfunc
from models.registry.client import connect, explained, place
from models.registry.download import download
from models.registry.runs import PROCESS, Run
from models.registry.version import DIGEST, Version, read_version

CHAMPION, CHALLENGER = "champion", "challenger"
HEAD = "ledger_head"
READ_ONLY = (  # what a person reads beside the aliases in MLflow
    "`journeycast history TASK` says who serves and why. Moving an alias here promotes nobody: "
    "`journeycast promote TASK --version N` does."
)
MOST = 10_000  # versions of one task


@dataclass(frozen=True)
class Standing:
    """The numbers of champion and challenger, and the ledger's head as it was marked last (empty: never)."""

    champion: int | None
    challenger: int | None
    head: str


@dataclass(frozen=True)
class Registry:
    """The tracked runs and registered versions of one shop; `artifacts` is None where a tracking server decides."""

    shop: str
    address: str = field(repr=False)
    artifacts: Path | None
    client: MlflowClient = field(repr=False)
    config: Config = field(repr=False)

    @staticmethod
    def open(config: Config) -> "Registry":
        """The workspace's registry, made if there is none; runs left by dead processes of this host are closed."""
        address, artifacts = place(config)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what it logs it raises, too
        lock = nullcontext() if artifacts is None else processes.file_lock(config.workspace_path / "mlflow.lock")
        with lock:  # two first uses at once break the tables; a server's are there
            registry = Registry(config.name, address, artifacts, connect(address), config)
        registry.close_abandoned_runs()
        return registry

    @property
    def ui_command(self) -> str:
        """What to type to look at it."""
        return f"mlflow ui --backend-store-uri {shlex.quote(without_password(self.address))}"

    @contextmanager
    def run(self, task_name: str, run_name: str, tags: Mapping[str, str] | None = None) -> Iterator[Run]:
        """A run that ends FINISHED, FAILED when the block raises, or KILLED when it is interrupted."""
        run = self._start_run(task_name, run_name, tags or {})
        try:
            yield run
        except BaseException as error:
            self._end_run(run, "FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        self._end_run(run, "FINISHED")

    @explained
    def _start_run(self, task_name: str, run_name: str, tags: Mapping[str, str]) -> Run:
        run_tags = {"task": task_name, **tags, PROCESS: processes.identity()}
        info = self.client.create_run(self._experiment(task_name), run_name=run_name, tags=run_tags).info
        return Run(info.run_id, info.experiment_id, info.artifact_uri, info.start_time, self.client)

    @explained
    def _end_run(self, run: Run, status: str) -> None:
        self.client.set_terminated(run.id, status)

    def _experiment(self, task_name: str) -> str:
        """The id of the task's experiment, made at its first run."""
        name = self._name(task_name)
        if experiment := self.client.get_experiment_by_name(name):
            if experiment.lifecycle_stage == "deleted":
                self.client.restore_experiment(experiment.experiment_id)
            return str(experiment.experiment_id)
        location = None if self.artifacts is None else (self.artifacts / task_name).as_uri()
        try:
            return self.client.create_experiment(name, location, {"mlflow.experimentKind": "custom_model_development"})
        except MlflowException as error:
            if error.error_code == "RESOURCE_ALREADY_EXISTS":
                return self._experiment(task_name)  # another process was faster
            raise

    @explained
    def close_abandoned_runs(self) -> list[str]:
        """Mark as KILLED every RUNNING run of this shop whose process is gone; returns their ids."""
        experiments = self.client.search_experiments(filter_string=f"name LIKE '{self.shop}.%'")
        running = self.client.search_runs(
            [experiment.experiment_id for experiment in experiments], "attributes.status = 'RUNNING'"
        )
        abandoned = [
            run.info.run_id for run in running if PROCESS in run.data.tags and processes.is_gone(run.data.tags[PROCESS])
        ]
        for run_id in abandoned:
            self.client.set_terminated(run_id, "KILLED")
        return abandoned

    @explained
    def register(
        self,
        task_name: str,
        run: Run,
        digest: str,
        log_artifact: Callable[[], str],
        tags: Mapping[str, str] | None = None,
    ) -> Version:
        """A bundle registered as the challenger; a known digest keeps its version.

        `log_artifact` logs the bundle into the run, where it is new, and gives the name of the artifact.
        """
        name = self._name(task_name)
        self._ensure_model(name)
        version = next((version for version in self.versions(task_name) if version.digest == digest), None)
        if version is None:
            source = log_artifact()
            model_version = self.client.create_model_version(
                name, f"{run.artifacts}/{source}", run.id, tags={**(tags or {}), DIGEST: digest}
            )
            version = read_version(model_version)
        self.client.set_registered_model_alias(name, CHALLENGER, str(version.version))
        return self.version(task_name, version.version)

    def log_model(self, run: Run, bundle: Bundle, bundle_folder: Path) -> str:
        """The bundle that lies in the folder, logged into the run as an MLflow model; gives the artifact's name."""
        with pyfunc.packed(bundle, bundle_folder, self.config, run.id) as model:
            run.log_folder(pyfunc.FOLDER, model)
        return pyfunc.FOLDER

    def _ensure_model(self, name: str) -> None:
        try:
            self.client.create_registered_model(name, description=READ_ONLY)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    @explained
    def versions(self, task_name: str) -> tuple[Version, ...]:
        """Every version of a task that is a bundle of ours, newest first."""
        aliases = self._aliases(task_name)
        model_versions = self.client.search_model_versions(f"name = '{self._name(task_name)}'", MOST)
        versions = [
            read_version(model_version, aliases) for model_version in model_versions if DIGEST in model_version.tags
        ]
        return tuple(sorted(versions, key=lambda version: version.version, reverse=True))

    def version(self, task_name: str, number: int) -> Version:
        """One version by its number; JourneycastError names the ones there are."""
        versions = self.versions(task_name)
        for version in versions:
            if version.version == number:
                return version
        numbers = ", ".join(str(version.version) for version in versions) or "none; train first"
        raise JourneycastError(f"expected version {number} of {self._name(task_name)}; there are: {numbers}")

    def champion(self, task_name: str) -> Version | None:
        """The version that serves; None before the first promotion."""
        return self._holder(task_name, CHAMPION)

    def challenger(self, task_name: str) -> Version | None:
        """The version that wants to serve; None once it was promoted."""
        return self._holder(task_name, CHALLENGER)

    @explained
    def standing(self, task_name: str) -> Standing:
        """Who is champion and challenger, and how far the ledger goes, in one question."""
        model = self._model(task_name)
        aliases = {} if model is None else {str(name): int(number) for name, number in model.aliases.items()}
        head = "" if model is None else str(model.tags.get(HEAD, ""))
        return Standing(aliases.get(CHAMPION), aliases.get(CHALLENGER), head)

    @explained
    def set_champion(self, task_name: str, version: Version) -> None:
        """Move the alias, in one request, and nothing else; `models.promotion` is who may."""
        self.client.set_registered_model_alias(self._name(task_name), CHAMPION, str(version.version))

    @explained
    def drop_champion(self, task_name: str) -> None:
        """Nobody serves: the alias was moved by what never came about."""
        self.client.delete_registered_model_alias(self._name(task_name), CHAMPION)

    @explained
    def drop_challenger(self, task_name: str) -> None:
        """Nobody wants to serve any more."""
        self.client.delete_registered_model_alias(self._name(task_name), CHALLENGER)

    @explained
    def mark_head(self, task_name: str, head: str) -> None:
        """Remember how far the ledger goes, where who cuts off its end does not look."""
        self._ensure_model(self._name(task_name))  # MLflow may have been lost and the ledger not
        self.client.set_registered_model_tag(self._name(task_name), HEAD, head)

    @explained
    def _holder(self, task_name: str, alias: str) -> Version | None:
        """The version behind an alias. MLflow drops the alias of a deleted version silently: that reads as None."""
        aliases = self._aliases(task_name)
        return self.version(task_name, int(aliases[alias])) if alias in aliases else None

    def _aliases(self, task_name: str) -> dict[str, str]:
        model = self._model(task_name)
        return {} if model is None else {key: str(value) for key, value in model.aliases.items()}

    def _model(self, task_name: str) -> RegisteredModel | None:
        try:
            return self.client.get_registered_model(self._name(task_name))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    @explained
    def fetch(self, version: Version, bundles: Path) -> Path:
        """The folder `bundles/<digest>`, brought from the artifacts and checked if it is missing."""
        folder = bundles / version.digest
        if folder.is_dir():
            return folder
        try:
            with atomic_folder(folder) as temporary:
                download(self.client, version, temporary)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
        return folder

    def _name(self, task_name: str) -> str:
        return f"{self.shop}.{task_name}"
