"""What the store holds, in one file that is replaced whole: readers go by it; what it does not name is not there."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from features.config.sections import Config
from features.errors import StoreError
from features.log.validate import RowCounts, SourceKind
from features.store.bucket import BucketFiles
from features.store.statistics import BucketStatistics, StoreStatistics
from features.system.files import canonical_json, text_digest, write_text

VERSION = 4
RULES = 1  # by which cells are read: another number has every file read again
STORE = "store"
TAKEN = "taken"
QUARANTINE = "quarantine"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class TakenFile:
    """One content of a source file, its rows checked; `arrival` is the number of the ingest that brought it."""

    kind: SourceKind
    digest: str
    arrival: int
    counts: RowCounts


@dataclass(frozen=True)
class SourcePath:
    """A path that was ingested and the digest of what lay there."""

    kind: SourceKind
    path: str
    digest: str


@dataclass(frozen=True)
class Manifest:
    """The store: files by name and digest, what each bucket holds, and what was found in all of them.

    `arrival` is the number of the last ingest that brought rows; `repeated` is the digest of the marks of rows whose id
    another row keeps (`features.ingest.deduplicate`), None when there are none; `previous` names files of the former
    generation.
    """

    version: int
    mapping: str
    generation: int
    arrival: int
    paths: tuple[SourcePath, ...]
    taken: tuple[TakenFile, ...]
    repeated: str | None
    buckets: tuple[BucketFiles, ...]
    tallies: tuple[BucketStatistics, ...]
    statistics: StoreStatistics
    previous: tuple[str, ...] = ()
    rules: int = 0  # `RULES` when it was made

    @property
    def files(self) -> set[str]:
        """Names of all bucket files."""
        return {name for bucket in self.buckets for name in bucket.names}

    @property
    def outdated(self) -> str:
        """What has changed where its mapping is another: the beginning of a sentence."""
        if self.rules != RULES:
            return "the rules by which cells are read (docs/formats.md) have changed"
        return "[log], [profile] or the columns that tasks or features read have changed"


_FORM = TypeAdapter(Manifest)


def mapping_fingerprint(config: Config) -> str:
    """A digest of everything in the TOML that decides what a source row becomes in the store."""
    parts = {
        "version": VERSION,
        "rules": RULES,
        "log": config.log.model_dump(mode="json", exclude={"source", "complete_until"}),
        "profile": config.profile.model_dump(mode="json", exclude={"source"}),
        "categories": config.stored_categories,
        "numbers": config.stored_numbers,
    }
    return text_digest(canonical_json(parts))


def write_manifest(workspace: Path, manifest: Manifest) -> None:
    """Make `manifest` the store, in one step."""
    write_text(workspace / STORE / MANIFEST, canonical_json(_FORM.dump_python(manifest, mode="json")) + "\n")


def read_manifest(workspace: Path) -> Manifest | None:
    """The manifest of a workspace, None when there is none; raises StoreError when it is torn or of another version."""
    path = workspace / STORE / MANIFEST
    remedy = f"remove {workspace / STORE} and `ingest` all files of the log again"
    try:
        content = path.read_bytes()
        return _FORM.validate_json(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error}; {remedy}") from None
    except ValidationError:
        version = _version(content)
        if version not in (None, VERSION):
            raise StoreError(f"expected a store of version {VERSION}, found {version}; {remedy}") from None
        raise StoreError(f"{path} is no manifest of this version; {remedy}") from None


def _version(content: bytes) -> object:
    """What a manifest of any version says its version is, None for what is no manifest."""
    try:
        manifest = json.loads(content)
    except ValueError:
        return None
    return manifest.get("version") if isinstance(manifest, dict) else None


def taken_name(file: TakenFile, mapping: str) -> str:
    """The name of a taken file: by content and by what reads it."""
    return f"{file.kind}-{file.digest[:24]}-{mapping[:8]}.arrow"


def quarantine_name(file: TakenFile) -> str:
    """The name of the quarantine file of a taken file."""
    return f"{file.kind}-{file.digest[:24]}.parquet"
