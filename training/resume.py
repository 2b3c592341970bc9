"""The same request again: the training of it that is over already."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.errors import BundleError
from models.bundle import Bundle, load
from models.promotion import Promotion
from models.registry.past_runs import finished_training, read_files
from models.registry.version import Version
from training.gate.conditions import Condition, rolled_back
from training.gate.gate import RECORD, Verdict


@dataclass(frozen=True, eq=False)
class FinishedTraining:
    """A training that is over: what it registered, and what the gate said of it."""

    run_id: str
    bundle: Bundle
    folder: Path
    version: Version
    verdict: Verdict


def find_finished_training(promotion: Promotion, task_name: str, request: str) -> FinishedTraining | None:
    """The finished training of this very request; None where there is none whose verdict still holds.

    It holds for the champion itself, and where the champion is the one that it was judged against. What people have
    decided about the version since is asked anew.
    """
    registry = promotion.registry
    run = finished_training(registry, task_name, request=request)
    if run is None:
        return None
    digest = run.tags.get("bundle_digest", "")
    version = next((version for version in registry.versions(task_name) if version.digest == digest), None)
    text = read_files(registry, run.id, RECORD).get(RECORD)
    if version is None or text is None:
        return None
    try:
        record = json.loads(text)
    except ValueError:  # somebody spoiled it
        return None
    champion = registry.champion(task_name)
    if champion is not None and champion.digest == digest:
        verdict = Verdict("it is the champion, bit by bit", serves_already=True)
    elif (None if champion is None else champion.digest) == record.get("champion", {}).get("digest"):
        verdict = _as_recorded(record, rolled_back(digest, promotion.history(task_name)))
    else:
        return None
    try:
        folder = registry.fetch(version, promotion.bundles)
        return FinishedTraining(run.id, load(folder, digest), folder, version, verdict)
    except BundleError:
        return None


def _as_recorded(record: dict[str, Any], out_of_service: Condition) -> Verdict:
    """The recorded verdict, with what people have decided about the bundle since."""
    recorded = Verdict.from_record(record)
    conditions = [condition for condition in recorded.conditions if condition.name != out_of_service.name]
    reason = recorded.reason if out_of_service.passed else out_of_service.message
    return Verdict(reason, (*conditions, out_of_service), against=recorded.against)
