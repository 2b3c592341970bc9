"""What an ingest did and what the store holds now, for a person to read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.ingest.plan import Plan
from features.store.manifest import Manifest
from features.store.statistics import StoreStatistics
from features.timeline import iso

EVENTS_SHOWN = 12


@dataclass(frozen=True)
class IngestReport:
    """Files of this ingest by what became of them; rows, reasons and statistics of the whole store.

    Of its `buckets`, `built` were written in this ingest.
    """

    taken: tuple[str, ...]
    skipped: tuple[str, ...]
    replaced: tuple[str, ...]
    rows: int
    quarantined: Mapping[str, int]
    profile_rows: int
    profile_quarantined: Mapping[str, int]
    quarantine_folder: str
    statistics: StoreStatistics
    buckets: int
    built: int
    outdated: str | None = None


def report(manifest: Manifest, folder: str, plan: Plan, built: int) -> IngestReport:
    """The report of an ingest by `plan` that led to `manifest` and `built` buckets; `folder` holds the quarantine."""
    logs = [file.counts for file in manifest.taken if file.kind == "log"]
    profiles = [file.counts for file in manifest.taken if file.kind == "profile"]
    return IngestReport(
        taken=tuple(file.name for file in plan.new if file.name not in plan.replaced),
        skipped=plan.skipped,
        replaced=plan.replaced,
        rows=sum(counts.rows for counts in logs),
        quarantined=_by_reason([counts.quarantined for counts in logs]),
        profile_rows=sum(counts.rows for counts in profiles),
        profile_quarantined=_by_reason([counts.quarantined for counts in profiles]),
        quarantine_folder=folder,
        statistics=manifest.statistics,
        buckets=len(manifest.buckets),
        built=built,
        outdated=plan.outdated,
    )


def render(report: IngestReport) -> str:
    """The report as lines of text."""
    statistics = report.statistics
    lines = [
        *([f"read again every file: {report.outdated}"] if report.outdated else []),
        f"files      {len(report.taken)} taken, {len(report.skipped)} already known, {len(report.replaced)} replaced",
        f"buckets    {report.built:,} of {report.buckets:,} built anew",
        f"rows       {statistics.rows:,} stored of {report.rows:,}",
        f"customers  {statistics.customers:,}",
    ]
    first, newest, newest_known = statistics.first, statistics.newest, statistics.newest_known
    if first is not None and newest is not None and newest_known is not None:
        lines.append(f"span       {iso(first)} to {iso(newest)}, known to {iso(newest_known)}")
    commonest = list(statistics.events.items())[:EVENTS_SHOWN]
    more = [f"and {len(statistics.events) - EVENTS_SHOWN} more"] if len(statistics.events) > EVENTS_SHOWN else []
    lines.append("events     " + ", ".join([*(f"{name} {count:,}" for name, count in commonest), *more]))
    lines.append(f"gaps       {_gaps(statistics)}")
    lines.append(f"duplicates {_duplicates(statistics)}")
    lines += _quarantine("quarantine", report.quarantined, report.rows)
    if report.profile_rows:
        lines.append(f"profile    {report.profile_rows:,} rows")
        lines += _quarantine("  of those", report.profile_quarantined, report.profile_rows)
    if report.quarantined or report.profile_quarantined:
        lines.append(f"           the rows with their reasons are in {report.quarantine_folder}")
    return "\n".join(lines)


def _gaps(statistics: StoreStatistics) -> str:
    if not statistics.days_without or statistics.longest_gap_from is None:
        return "none: every day (UTC) has an event"
    days = "1 day" if statistics.longest_gap_days == 1 else f"{statistics.longest_gap_days:,} days"
    start = iso(statistics.longest_gap_from)[:10]
    return f"{statistics.days_without:,} days (UTC) without an event, the longest gap {days} from {start}"


def _duplicates(statistics: StoreStatistics) -> str:
    equal = f"{statistics.equal_rows:,} rows equal another, {'dropped' if statistics.equal_dropped else 'kept'}"
    return f"{statistics.repeated_ids:,} rows of a repeated id dropped; {equal}" if statistics.repeated_ids else equal


def _quarantine(label: str, reasons: Mapping[str, int], rows: int) -> list[str]:
    quarantined = sum(reasons.values())
    share = f"{quarantined / rows:.2%} of rows ({quarantined:,})" if quarantined else "no row"
    return [f"{label} {share}", *(f"           {count:>9,}  {reason}" for reason, count in reasons.items())]


def _by_reason(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for quarantined in counts:
        total.update(quarantined)
    return dict(sorted(total.items(), key=lambda entry: (-entry[1], entry[0])))
