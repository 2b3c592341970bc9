"""Who serves: the only place that moves a champion, and keeps ledger and registry one.

The ledger is the truth, the alias `champion` in MLflow its reflection. Both move inside one transaction of the ledger,
the alias last: where MLflow fails, nothing is written. A process that dies between the two leaves the alias ahead of
the ledger; whoever opens a `Promotion` next puts it back (`settle`), under the lock that every promotion holds.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.config.sections import Config
from features.errors import BundleError, DatabaseError, DiskError, JourneycastError
from models import ledger as book
from models.actor import Actor
from models.bundle import load
from models.databases.urls import without_password
from models.ledger import MOVES, PROMOTED, PRUNED, REFUSED, REGISTERED, ROLLED_BACK, Entry, Ledger, Page
from models.registry.version import Version
from models.registry.versions import Registry, Standing

BEFORE_LEDGER = "it served before there was a ledger"
WHOEVER = -1  # a champion that there never is: any may be replaced
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Promotion:
    """Registry and ledger of a shop, kept as one; `bundles` is where bundles are fetched to."""

    registry: Registry
    ledger: Ledger
    bundles: Path

    @staticmethod
    def open(config: Config, tasks: Iterable[str] | None = None) -> "Promotion":
        """Both, made if there are none, and settled for these tasks (default: all of the TOML)."""
        promotion = Promotion(Registry.open(config), Ledger.open(config), config.workspace_path / "bundles")
        for task_name in config.tasks if tasks is None else tasks:
            promotion.settle(task_name)
        return promotion

    def register(
        self, task_name: str, version: Version, actor: Actor, *, why: str, evidence: Mapping[str, Any]
    ) -> Entry:
        """Note that a version was registered as the challenger; once, however often it is made again."""
        newest = _newest(self.history(task_name), version, REGISTERED, PRUNED)
        if newest is not None and newest.what == REGISTERED:
            return newest
        return self._note(REGISTERED, task_name, version, _said(version, actor, why, evidence))

    def refuse(self, task_name: str, version: Version, actor: Actor, *, why: str, evidence: Mapping[str, Any]) -> Entry:
        """Note that the gate refused a version."""
        return self._note(REFUSED, task_name, version, _said(version, actor, why, evidence))

    def prune(self, task_name: str, version: Version, actor: Actor, *, why: str) -> Entry:
        """Note that a version goes for ever, which nobody can promote from then on; it must never have served."""
        with self._writing(task_name) as page:
            if any(entry.what in MOVES and _is(entry, version) for entry in page.entries):
                raise JourneycastError(
                    f"expected version {version.version} of {version.name} to have never served; it stays"
                )
            if (pruned := _pruned(page.entries, version)) is not None:
                return pruned
            return page.add(what=PRUNED, before=_number(book.serving(page.entries)), **_said(version, actor, why, {}))

    def promote(
        self,
        task_name: str,
        version: Version,
        actor: Actor,
        *,
        why: str,
        evidence: Mapping[str, Any],
        over: int | None = WHOEVER,
    ) -> Entry:
        """Let a version serve; the entry that did it long ago when it is the champion already.

        `over` is the champion that it may replace (None: none), for who judged it against that one.

        Raises:
            JourneycastError: another serves by now than the one it may replace; nothing moves.
            BundleError: its bundle is missing or was changed; nothing moves.
            LedgerError: the ledger is not as it was written; nothing moves.
        """
        load(self.registry.fetch(version, self.bundles), version.digest)
        with self._writing(task_name) as page:
            serving_entry = book.serving(page.entries)
            if (
                serving_entry is not None and serving_entry.digest == version.digest
            ):  # two trainings at once register it twice
                return serving_entry
            _demand_kept(page.entries, version)
            self._demand_champion(task_name, version, over)
            entry = page.add(what=PROMOTED, before=_number(serving_entry), **_said(version, actor, why, evidence))
            self._move(task_name, version)
        return entry

    def rollback(self, task_name: str, actor: Actor, *, why: str, of: int | None = None) -> Entry:
        """Let the champion serve again that the newest promotion replaced.

        `of` is the version that is to go: where it does not serve, nothing moves, so that a script may ask twice.

        Raises:
            BundleError: that one's bundle is missing or was changed; nothing moves.
            LedgerError: the ledger is not as it was written; nothing moves.
        """
        with self._writing(task_name) as page:
            serving_entry = book.serving(page.entries)
            if of is not None and serving_entry is not None and serving_entry.version != of:
                return serving_entry
            promotions = book.served(page.entries)
            if len(promotions) < 2:
                raise JourneycastError(
                    f"expected an earlier champion of {self.registry.shop}.{task_name} to go back to, found none; "
                    f"let another version serve with `journeycast promote {task_name} --version N`"
                )
            version = self.version_of(task_name, promotions[1])
            load(self.registry.fetch(version, self.bundles), version.digest)
            entry = page.add(what=ROLLED_BACK, before=promotions[0].version, **_said(version, actor, why, {}))
            self._move(task_name, version)
        return entry

    def _demand_champion(self, task_name: str, version: Version, over: int | None) -> None:
        champion = None if over == WHOEVER else self.registry.standing(task_name).champion
        if over not in (WHOEVER, champion):
            raise JourneycastError(
                f"expected {_called(over)} to serve, as when version {version.version} of {version.name} was judged, "
                f"found {_called(champion)}: somebody promoted or rolled back meanwhile; train again to have it judged"
            )

    def _move(self, task_name: str, version: Version) -> None:
        """Move the alias and read it again: a server that only says that it has moved is found out."""
        self.registry.set_champion(task_name, version)
        champion = self.registry.standing(task_name).champion
        if champion != version.version:
            raise JourneycastError(
                f"expected MLflow to name version {version.version} the champion of {version.name}, found "
                f"{champion or 'none'}; look after the tracking server and run it again, nothing was promoted"
            )

    def history(self, task_name: str) -> tuple[Entry, ...]:
        """All entries of a task, oldest first; LedgerError when one was changed or the last ones are gone."""
        head = self.registry.standing(task_name).head  # first: whoever adds an entry now writes its head later
        entries = self.ledger.entries(task_name)
        self.ledger.complete(task_name, entries, head)
        return entries

    def live_on(self, task_name: str, when_us: int) -> Entry | None:
        """The entry that made the version serve that was live at an instant (µs UTC)."""
        return book.live_on(self.history(task_name), when_us)

    def served(self, task_name: str) -> tuple[Entry, ...]:
        """The promotions that `rollback` can go back through: the champion's first."""
        return book.served(self.history(task_name))

    def settle(self, task_name: str) -> None:
        """Make the registry say what the ledger says; waits for others only when something is off.

        A champion from before there was a ledger is entered.
        """
        standing = self.registry.standing(task_name)
        entries = self.history(task_name)
        if _is_off(standing, book.serving(entries)):
            with self.ledger.writing(task_name) as page:
                entries = self._reflected(page, self.registry.standing(task_name))
        if entries and standing.head != entries[-1].head:  # only what is committed may be remembered
            self.registry.mark_head(task_name, entries[-1].head)

    def _reflected(self, page: Page, standing: Standing) -> tuple[Entry, ...]:
        self.ledger.complete(page.task, page.entries, standing.head)
        serving_entry = book.serving(page.entries)
        if serving_entry is None and page.entries:  # a first promotion that was killed, or an alias that somebody set
            self.registry.drop_champion(page.task)
            return page.entries
        if serving_entry is None:
            return self._adopted(page, standing)
        if standing.champion != serving_entry.version:
            try:
                self.registry.set_champion(page.task, self.version_of(page.task, serving_entry))
            except BundleError as error:  # a version deleted in MLflow must not keep others from being promoted
                logger.warning("%s", error)
        if standing.challenger == serving_entry.version:
            self.registry.drop_challenger(page.task)
        return page.entries

    def _adopted(self, page: Page, standing: Standing) -> tuple[Entry, ...]:
        for version in self.registry.versions(page.task):
            if version.version == standing.champion:
                actor = Actor("journeycast", version.created_us)
                entry = page.add(what=PROMOTED, before=None, **_said(version, actor, BEFORE_LEDGER, {}))
                return (*page.entries, entry)
        return page.entries

    def version_of(self, task_name: str, entry: Entry) -> Version:
        """The version that an entry speaks of; BundleError when MLflow has it no more."""
        for version in self.registry.versions(task_name):
            if _is(entry, version):
                return version
        raise BundleError(
            f"expected version {entry.version} of {self.registry.shop}.{task_name} with the bundle "
            f"{entry.digest[:12]}… in MLflow, as the ledger's entry {entry.number} says, found none; "
            f"let another version serve with `journeycast promote {task_name} --version N`"
        )

    def _note(self, kind: str, task_name: str, version: Version, fields: dict[str, Any]) -> Entry:
        """An entry that moves nothing; the newest one when it says the same, because a killed training ran again."""
        with self._writing(task_name) as page:
            last = page.entries[-1] if page.entries else None
            if last is not None and last.what == kind and _is(last, version):
                return last
            entry = page.add(what=kind, before=_number(book.serving(page.entries)), **fields)
        return entry

    @contextmanager
    def _writing(self, task_name: str) -> Iterator[Page]:
        """The page of a task for one more entry, none of its entries lost; afterwards the registry is settled."""
        try:
            with self.ledger.writing(task_name) as page:
                self.ledger.complete(task_name, page.entries, self.registry.standing(task_name).head)
                yield page
        except (DatabaseError, DiskError):  # the alias may have moved, and the entry is not there
            self._settle_if_possible(task_name)
            raise
        self._settle_if_possible(task_name)

    def _settle_if_possible(self, task_name: str) -> None:
        try:
            self.settle(task_name)
        except JourneycastError as error:  # what had to be done is done, or undone
            logger.warning("the ledger stands, but MLflow may not show it yet; the next command sees to it: %s", error)


def _said(version: Version, actor: Actor, why: str, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says of a version; text that came in from outside is made such that it can be written down."""
    return {
        "version": version.version,
        "digest": version.digest,
        "who": _writable(actor.who),
        "when_us": actor.when_us,
        "why": _writable(why),
        "evidence": {"run_id": version.run_id, **evidence},
    }


def _demand_kept(entries: Sequence[Entry], version: Version) -> None:
    if _pruned(entries, version) is not None:
        raise JourneycastError(
            f"version {version.version} of {version.name} was pruned; promote another, or train again"
        )


def _pruned(entries: Sequence[Entry], version: Version) -> Entry | None:
    """The entry by which a version goes, unless it was registered again before it was gone."""
    last = _newest(entries, version, PRUNED, REGISTERED)
    return last if last is not None and last.what == PRUNED else None


def _newest(entries: Sequence[Entry], version: Version, *kinds: str) -> Entry | None:
    """The newest entry of a version that is of one of these kinds."""
    return next((entry for entry in reversed(entries) if entry.what in kinds and _is(entry, version)), None)


def _writable(text: str) -> str:
    return without_password(text.encode(errors="replace").decode())


def _is(entry: Entry, version: Version) -> bool:
    return (entry.version, entry.digest) == (version.version, version.digest)


def _called(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"


def _number(entry: Entry | None) -> int | None:
    return None if entry is None else entry.version


def _is_off(standing: Standing, serving_entry: Entry | None) -> bool:
    """Whether the registry says something else than the ledger."""
    if serving_entry is None:
        return standing.champion is not None
    return standing.champion != serving_entry.version or standing.challenger == serving_entry.version
