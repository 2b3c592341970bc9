"""What the buckets are cut from, and which buckets have other rows than they had before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from features.log import staging
from features.log.schema import HASHES
from features.log.staging import Mask


@dataclass(frozen=True)
class StagedFiles:
    """Staged files of log and profile; `repeated` marks rows of the log that another one of their id supersedes."""

    logs: tuple[Path, ...] = ()
    profiles: tuple[Path, ...] = ()
    repeated: Mapping[Path, Mask] = field(default_factory=dict)

    @cached_property
    def rows(self) -> int:
        """Of log and profile, the repeated ones too."""
        return sum(map(staging.count, (*self.logs, *self.profiles)))

    @cached_property
    def attributes(self) -> frozenset[str]:
        """The columns of the profile, which every bucket has."""
        return frozenset(name for path in self.profiles for name in staging.columns(path))

    def stays(self, path: Path) -> Mask | bool:
        """Whether the rows of a file of the log are stored: all, none, or those of a mask."""
        return ~self.repeated[path] if path in self.repeated else path in self.logs


def changed(before: StagedFiles, after: StagedFiles, buckets: int) -> Mask:
    """For each of `buckets`, whether a row in it has come or gone."""
    if before.attributes != after.attributes:
        return np.ones(buckets, bool)
    moved_hashes = np.zeros(HASHES, bool)
    for path in {*before.logs, *after.logs}:
        _mark(moved_hashes, path, np.asarray(before.stays(path) != after.stays(path)))
    for path in {*before.profiles} ^ {*after.profiles}:
        _mark(moved_hashes, path, np.asarray(True))
    in_bucket: Mask = np.any(moved_hashes.reshape(buckets, -1), axis=1)
    return in_bucket


def _mark(moved_hashes: Mask, path: Path, moved: Mask) -> None:
    """Mark the hashes of the rows of a file that have come or gone; one value may stand for all rows."""
    if not moved.any():
        return
    for run in staging.read(path):
        moved_hashes[run.hashes[moved[run.places]] if moved.ndim else run.hashes] = True
