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


def read_version(model_version: ModelVersion, aliases: Mapping[str, str] | None = None) -> Version:
    """A version as MLflow keeps it; `aliases` of its model say which number each names."""
    number = str(model_version.version)
    return Version(
        name=model_version.name,
        version=int(number),
        digest=model_version.tags[DIGEST],
        run_id=str(model_version.run_id),
        created_us=model_version.creation_timestamp * 1000,
        aliases=tuple(sorted(alias for alias, holder in (aliases or {}).items() if holder == number)),
        tags=dict(model_version.tags),
    )
