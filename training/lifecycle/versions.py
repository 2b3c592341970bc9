"""What became of the versions of a task, by hand and as a table for a person: promote, rollback, history."""

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape
from rich.table import Table

from features.config.sections import Config
from features.errors import JourneycastError
from features.timeline import instant, iso, moment, zone
from models.actor import Actor
from models.ledger import ROLLED_BACK, Entry
from models.promotion import Promotion
from models.registry.client import hurried

MISSING = "–"
COLUMNS = ("number", "when", "what", "version", "before", "who", "why", "bundle", "run")


def promote(config: Config, task: str, number: int | None, actor: Actor, why: str | None) -> str:
    """Let a version of a task serve (default: the challenger), and say so in a sentence."""
    name = config.task(task).name
    with hurried():
        promotion = Promotion.open(config, [name])
        registry, serves = promotion.registry, promotion.served(name)
        version = registry.challenger(name) if number is None else registry.version(name, number)
        if version is None and serves:
            return f"{name} v{serves[0].version} serves already, and there is no challenger."
        if version is None:
            raise JourneycastError(
                f"expected a challenger of {registry.shop}.{name} to promote, found none; "
                f"run `journeycast train {name}` first, or name one with --version"
            )
        entry = promotion.promote(name, version, actor, why=why or "promoted by hand", evidence={})
    if serves and entry == serves[0]:
        return f"{name} v{entry.version} serves already, since {iso(entry.when_us)}."
    return _moved(entry)


def rollback(config: Config, task: str, number: int | None, actor: Actor, why: str | None) -> str:
    """Let the champion before this one serve again, and say so in a sentence; with a number, before that version."""
    name = config.task(task).name
    with hurried():
        promotion = Promotion.open(config, [name])
        entry = promotion.rollback(name, actor, why=why or "rolled back by hand", of=number)
    if number is not None and (entry.what, entry.before) != (ROLLED_BACK, number):
        return f"{name} v{number} does not serve: v{entry.version} does, since {iso(entry.when_us)}."
    return _moved(entry)


def history(config: Config, task: str, on: str | None = None) -> Table:
    """All entries of a task, or the one of the version that was live `on` a date or time of the log's time zone."""
    name, timezone = config.task(task).name, config.log.timezone
    with hurried():
        promotion = Promotion.open(config, [name])
        if on is None:
            return table(f"History of {name}", promotion.history(name), timezone)
        when = instant(on, timezone)
        live = promotion.live_on(name, when)
    if live is None:
        raise JourneycastError(f"expected a version of {name} that was live at {_local(when, timezone)}, found none")
    return table(f"Live at {_local(when, timezone)}: {name} v{live.version}", [live], timezone)


def table(title: str, entries: Sequence[Entry], timezone: str) -> Table:
    """One row per entry, oldest first; times are local to `timezone`."""
    page = Table(box=None, pad_edge=False, title=title, title_justify="left", caption_justify="left")
    page.caption = None if entries else "nothing yet: the first training makes the first entry"
    for name in COLUMNS:
        page.add_column(
            name,
            justify="right" if name in {"number", "version", "before"} else "left",
            overflow="fold",
            no_wrap=name not in {"who", "why"},
        )
    for entry in entries:
        page.add_row(*(escape(cell) for cell in _cells(entry, timezone)))
    return page


def _cells(entry: Entry, timezone: str) -> tuple[str, ...]:
    return (
        str(entry.number),
        _local(entry.when_us, timezone),
        entry.what,
        str(entry.version),
        MISSING if entry.before is None else str(entry.before),
        entry.who,
        entry.why,
        entry.digest[:12],
        str(entry.evidence.get("run_id", MISSING)),
    )


def _moved(entry: Entry) -> str:
    before = "nothing" if entry.before is None else f"v{entry.before}"
    return (
        f"{entry.task} v{entry.version} serves now; before it {before} did. Entry {entry.number} of the ledger says so."
    )


def _local(time_us: int, timezone: str) -> str:
    local: datetime = moment(time_us).astimezone(zone(timezone))
    return local.strftime("%Y-%m-%d %H:%M:%S")
