"""One MLflow run per training of a task: what is needed to judge it, to compare it and to make it again.

The run is there from the first moment of the training, RUNNING, and ends FINISHED, FAILED with what went wrong as its
note, or KILLED. Below it stands a run for every rung that was judged and for every trial that tells something. A task
with one horizon has `plots/ranking.png`, one with several `plots/30d/ranking.png`. The TOML and the task's keys are
logged as they were written, never with values read from the environment.
"""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from features.config.tasks import TaskConfig
from features.errors import JourneycastError
from features.timeline import iso
from models.databases.urls import without_password
from models.registry.runs import Run
from models.registry.version import Version
from models.registry.versions import Registry
from training.context import Phase
from training.gate.gate import RECORD, Verdict
from training.tracking import record
from training.tracking.child_runs import children
from training.tracking.evidence import Evidence, rung_name
from training.tracking.figures import pictures
from training.tracking.git_version import source_tags
from training.tracking.metric_names import HORIZONS
from training.tracking.model_card import card
from training.tracking.timings import Phases


@contextmanager
def tracked(
    registry: Registry, task: TaskConfig, as_of: int, *, toml: str, tags: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """The run of a training that begins now, as of an instant (µs UTC)."""
    moment = iso(as_of)
    all_tags = {"kind": task.kind, "as_of": moment, "part": "training", **source_tags(task.name), **(tags or {})}
    with registry.run(task.name, f"{task.name} as of {moment[:10]}", all_tags) as run:
        run.log_text("journeycast.toml", without_password(toml))
        try:
            yield run
        except Exception as error:
            with contextlib.suppress(JourneycastError):  # what went wrong in the training is what is told
                run.log_note(f"**Failed**: {without_password(str(error)).partition(chr(10))[0]}")
            raise


def track(registry: Registry, run: Run, evidence: Evidence, verdict: Verdict, *, toml: str, phases: Phases) -> Version:
    """Log what came of a training and register its bundle as the task's challenger; `toml` is the configuration's text,
    `phases` hear of what is done here and are logged last.
    """
    bundle, task = evidence.bundle, evidence.bundle.task
    run.log_params(record.params(evidence, toml))
    run.log_metrics(record.metrics(evidence))
    _describe(run, evidence, verdict, card(registry.shop, evidence, verdict, toml=toml))
    phases.on_progress(Phase.CHILD_RUNS, f"{task.name}: logging trials and candidates")
    children(run, evidence)
    phases.on_progress(Phase.PICTURES, f"{task.name}: drawing pictures")
    for name, picture in pictures(registry.shop, evidence):
        run.log_bytes(f"plots/{name}.png", picture)
    phases.on_progress(Phase.REGISTRATION, f"{task.name}: registering the model")
    digest = bundle.digest or evidence.folder.name
    tags = {
        "kind": task.kind,
        "as_of": iso(bundle.trained_as_of_us),
        "grade": ", ".join(predictor.grade for predictor in evidence.predictors),
        "rung": ", ".join(map(rung_name, evidence.predictors)),
    }
    version = registry.register(task.name, run, digest, lambda: registry.log_model(run, bundle, evidence.folder), tags)
    outcome = {"verdict": "passed" if verdict.passed else "refused", "bundle_digest": digest}
    horizons = {HORIZONS: record.horizons(evidence)}
    run.log_tags({**tags, **outcome, **horizons, "version": str(version.version)})
    run.log_metrics({f"seconds_{name}": seconds for name, seconds in phases.seconds().items()})
    return version


def _describe(run: Run, evidence: Evidence, verdict: Verdict, model_card: str) -> None:
    """Texts and tables: for people, and for whoever reads the run by program."""
    run.log_note(model_card)
    run.log_text("model_card.md", model_card)
    run.log_json(RECORD, verdict.record())
    run.log_data("store", evidence.store_digest, record.data(evidence))
    run.log_json("data.json", record.data(evidence))
    run.log_json("features.json", record.features(evidence))
    run.log_json("study.json", record.diagnostics(evidence))
    module = evidence.bundle.features.module
    if module is not None:
        run.log_bytes(f"module/{module.name}", module.source)
    for horizon in evidence.horizons:
        run.log_text(f"trials{evidence.suffix(horizon.horizon_days)}.csv", record.table(horizon.trials))
