"""The sorted columnar store of a workspace, read by its manifest: all journeys bucket by bucket, or one customer's.

Readers never list folders. The files of the former generation stay until the next ingest, so a reader with the old
manifest in hand is not disturbed in the middle.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from features.config.sections import Config
from features.errors import StoreError
from features.global_counts import CountKey, GlobalCounts
from features.journeys import Journeys
from features.log.schema import bucket_of
from features.store import bucket
from features.store.global_counts import load_or_build
from features.store.manifest import STORE, VERSION, Manifest, mapping_fingerprint, read_manifest
from features.timeline import visible

CACHED_BUCKETS = 64


@dataclass(frozen=True)
class Store:
    """One generation of the store; `folder` holds its bucket files. Its journeys come with `global_counts`, if any."""

    folder: Path
    manifest: Manifest
    global_counts: GlobalCounts | None = None

    @staticmethod
    def open(workspace: Path, config: Config | None = None) -> "Store":
        """The store of a workspace; raises StoreError when it is missing, torn, or `config` maps the log otherwise."""
        manifest = read_manifest(workspace)
        if manifest is None:
            raise StoreError(f"expected a store in {workspace / STORE}, found none; run `ingest` first")
        if manifest.version != VERSION:
            raise StoreError(f"expected a store of version {VERSION}, found {manifest.version}; run `ingest` again")
        if config is not None and manifest.mapping != mapping_fingerprint(config):
            raise StoreError(f"{manifest.outdated} since the store was made; run `ingest` again")
        return Store(workspace / STORE, manifest)

    def __len__(self) -> int:
        return len(self.manifest.buckets)

    def buckets(self, progress: Callable[[int, int], None] | None = None) -> Iterator[Journeys]:
        """All journeys, one bucket at a time; each is checked by its digest when it is opened."""
        for index in range(len(self)):
            yield self.bucket(index)
            if progress is not None:
                progress(index + 1, len(self))

    def bucket(self, index: int) -> Journeys:
        """The journeys of one bucket, as views of the mapped file."""
        return replace(bucket.read(self.folder, self.manifest.buckets[index]), global_counts=self.global_counts)

    def find(self, customer: str) -> Journeys:
        """The journey of one customer; of nobody when the customer is unknown."""
        files = self.manifest.buckets[bucket_of(customer, len(self))]
        journeys = replace(_cached(self.folder, files), global_counts=self.global_counts)
        index = journeys.index_of(customer)
        return journeys.select(np.zeros(0, np.int64)) if index is None else journeys.customer_at(index)

    def with_global_counts(
        self, count_keys: tuple[CountKey, ...], progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> "Store":
        """The same store, whose journeys come with these global counts (`features.panel.comparisons.count_keys`)."""
        if not count_keys:
            return self
        return replace(self, global_counts=load_or_build(self.folder, self.manifest.buckets, count_keys, progress))

    @property
    def log_position(self) -> int:
        """The number of the last ingest that brought rows."""
        return self.manifest.arrival

    @property
    def newest_known(self) -> int:
        """When the latest event became known, µs UTC."""
        known = self.manifest.statistics.newest_known
        if known is None:
            raise StoreError("the store holds no event; run `ingest` with a log")
        return known

    def end(self, config: Config) -> int:
        """The default as-of: up to where the log is complete, else its newest `known`. µs UTC."""
        complete = config.log.complete_until_us
        return self.newest_known if complete is None else complete

    def label_end(self, as_of: int, config: Config) -> int:
        """Where labels end: at the earlier of `as_of` and `complete_until`, else the newest event seen as of then."""
        complete = config.log.complete_until_us
        return min(as_of, self._newest_seen(as_of) if complete is None else complete)

    def _newest_seen(self, as_of: int) -> int:
        statistics = self.manifest.statistics
        if statistics.newest is not None and visible(statistics.newest, self.newest_known, as_of):
            return statistics.newest
        seen = (journeys.time[visible(journeys.time, journeys.known, as_of)] for journeys in self.buckets())
        return max((int(times.max()) for times in seen if len(times)), default=as_of)


@lru_cache(maxsize=CACHED_BUCKETS)
def _cached(folder: Path, files: bucket.BucketFiles) -> Journeys:
    return bucket.read(folder, files)
