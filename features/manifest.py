"""What the store holds, in one file that is replaced whole: readers go by it; what it does not name is not there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from features.bucket import BucketFiles
from features.config import Config
from features.errors import StoreError
from features.files import canonical_json, text_digest, write_text
from features.taken import Kind

VERSION = 3
STORE = "store"
TAKEN = "taken"
QUARANTINE = "quarantine"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class TakenFile:
    """One content of a source file, its rows checked: `quarantined` counts bad rows by reason."""

    kind: Kind
    digest: str
    arrival: int
    rows: int
    quarantined: Mapping[str, int]

    @property
    def good(self) -> int:
        """Rows that passed every check."""
        return self.rows - sum(self.quarantined.values())


@dataclass(frozen=True)
class SourcePath:
    """A path that was ingested and the digest of what lay there."""

    kind: Kind
    path: str
    digest: str


@dataclass(frozen=True)
class Statistics:
    """What was found: times in µs UTC, `events` counts rows by event, gaps are whole UTC days without any event."""

    rows: int
    customers: int
    first: int | None
    newest: int | None
    newest_known: int | None
    events: Mapping[str, int]
    repeated_ids: int
    equal_rows: int
    equal_dropped: bool
    days_without: int
    longest_gap_days: int
    longest_gap_from: int | None


@dataclass(frozen=True)
class Manifest:
    """The store: files by name and digest, columns by name, and what was found.

    `arrival` is the number of the last ingest that brought rows; `previous` names files of the former generation.
    """

    version: int
    mapping: str
    generation: int
    arrival: int
    paths: tuple[SourcePath, ...]
    taken: tuple[TakenFile, ...]
    buckets: tuple[BucketFiles, ...]
    categories: tuple[str, ...]
    numbers: tuple[str, ...]
    statistics: Statistics
    previous: tuple[str, ...] = ()

    @property
    def files(self) -> set[str]:
        """Names of all bucket files."""
        return {name for bucket in self.buckets for name in (bucket.events, bucket.profile)}


_FORM = TypeAdapter(Manifest)


def mapping_fingerprint(config: Config) -> str:
    """A digest of everything in the TOML that decides what a source row becomes in the store."""
    parts = {
        "version": VERSION,
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
    try:
        return _FORM.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError):
        raise StoreError(
            f"{path} is no manifest of this version; remove {workspace / STORE} and `ingest` all files of the log again"
        ) from None


def taken_name(file: TakenFile, mapping: str) -> str:
    """The name of a taken file: by content and by what reads it."""
    return f"{file.kind}-{file.digest[:24]}-{mapping[:8]}.arrow"


def quarantine_name(file: TakenFile) -> str:
    """The name of the quarantine file of a taken file."""
    return f"{file.kind}-{file.digest[:24]}.parquet"
