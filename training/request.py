"""What decides a training of a task, in one digest: equal digests give equal bundles, on one kind of machine."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path

from features.config.tasks import TaskConfig
from features.store.reader import Store
from features.system.files import canonical_json, text_digest
from training.context import TrainingContext
from training.dataset.split import Split

ROOT = Path(__file__).parents[1]
SOURCES = ("features", "models", "training")  # what makes a bundle
LIBRARIES = ("lightgbm", "numba", "numpy", "optuna", "scikit-learn", "scipy")  # whose releases may make another


def request_digest(context: TrainingContext, task: TaskConfig) -> str:
    """The digest of data, instant, question, features, seed, what may be tried, what served before, and code.

    How many threads do it, and where what it makes is kept, changes nothing.
    """
    config, budget = context.config, context.budget
    champions = {str(days): asdict(grown) for (name, days), grown in context.champions.items() if name == task.name}
    decides = {
        "data": context.data,
        "as_of": context.as_of,
        "first": context.first,
        "end": context.end,
        "task": task.model_dump(mode="json"),
        "timezone": config.log.timezone,
        "features": context.features.fingerprint,
        "seed": config.seed,
        "max_rows": config.train.max_rows,
        "accept": sorted(config.train.accept),
        "budget": [None if budget.minutes is not None else budget.trials, budget.minutes],
        "champions": champions,
        "code": code_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }
    return text_digest(canonical_json(decides))


def study_name(context: TrainingContext, task: TaskConfig, split: Split) -> str:
    """The study of one horizon: to be read, and exact. Who asks for the same anywhere finds the same study."""
    digest = text_digest(canonical_json([request_digest(context, task), split.describe()]))
    return f"{context.config.name}.{task.name}.{split.fitted_days}d.{digest[:16]}"


def data_digest(store: Store) -> str:
    """The digest of all that the store holds: each bucket's files are named with theirs."""
    return text_digest(canonical_json([asdict(bucket) for bucket in store.manifest.buckets]))


@cache
def code_version() -> str:
    """The package's version and twelve digits of its sources: equal where equal code makes the bundles."""
    try:
        version = metadata.version("journeycast")
    except metadata.PackageNotFoundError:  # run from a checkout without an installation
        version = "unknown"
    return f"{version}+{source_digest(ROOT / name for name in SOURCES)[:12]}"


def source_digest(folders: Iterable[Path]) -> str:
    """SHA-256 over names and texts of the Python files below these folders, whatever ends their lines."""
    digest = sha256()
    for folder in folders:
        for file in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).parts):
            name = "/".join((folder.name, *file.relative_to(folder).parts))
            digest.update(f"{name}\n{file.read_text(encoding='utf-8')}\0".encode())
    return digest.hexdigest()
