"""A registered version: a bundle, by its digest and the run that made it."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion

DIGEST = "bundle_digest"


@dataclass(frozen=True)
class Version:
    """A registered bundle; `created_us` is µs UTC by MLflow's clock."""

    name: str
    version: int
    digest: str
    run_id: str
    created_us: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


def read_version(found: ModelVersion, aliases: Mapping[str, str] | None = None) -> Version:
    """A version as MLflow keeps it; `aliases` of its model say which number each names."""
    number = str(found.version)
    return Version(
        name=found.name,
        version=int(number),
        digest=found.tags[DIGEST],
        run_id=str(found.run_id),
        created_us=found.creation_timestamp * 1000,
        aliases=tuple(sorted(alias for alias, holder in (aliases or {}).items() if holder == number)),
        tags=dict(found.tags),
    )
