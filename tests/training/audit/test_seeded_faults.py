"""The audit finds every seeded fault by name, and an accepted one becomes a note."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis

from features.config.load import parse
from features.config.sections import CHECKS
from features.config.tasks import TaskConfig
from features.errors import AuditError, ConfigError, InputError
from features.panel.build import Rows
from models.tasks import population
from tests.support.seeded_faults import FAULTS, TASK, Fault, case, town
from tests.support.strategies import CUTOFFS, World, worlds
from training.audit import recompute
from training.audit.audit import audit, settle
from training.audit.case import AuditInput, Finding
from training.audit.checks import task_definition
from training.audit.sample import sample_log
from training.dataset.examples import Examples
from training.dataset.labels import compute_labels


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> AuditInput:
    return case(town().config(tmp_path_factory.mktemp("clean")))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_by_name(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = fault.town(town()).config(tmp_path)
    fault.code(monkeypatch)
    found = {one.check: one for one in audit(case(config)) if one.refuses == fault.refuses}
    assert fault.check in found
    assert fault.words in found[fault.check].sentence


def test_every_check_has_its_fault() -> None:
    assert {fault.check for fault in FAULTS} == set(CHECKS)


def test_without_its_fault_the_shop_raises_nothing_and_twice_the_same(clean: AuditInput) -> None:
    assert audit(clean) == audit(clean) == ()


def test_a_horizon_within_which_nobody_comes_is_refused(clean: AuditInput) -> None:
    rows = clean.rows
    lost = replace(rows, labels=replace(rows.labels, outcome=np.ones(len(rows)), count=np.zeros(len(rows))))
    (found,) = task_definition.constant(replace(clean, rows=lost), sample_log(clean))
    assert found.refuses
    assert "nobody in" in found.sentence
    assert "choose `horizon_days` near that" in found.sentence


def test_a_label_that_nobody_lacks_is_worth_a_note(clean: AuditInput) -> None:
    rows = clean.rows
    kept = replace(rows, labels=replace(rows.labels, outcome=np.zeros(len(rows)), count=np.ones(len(rows))))
    (found,) = task_definition.constant(replace(clean, rows=kept), sample_log(clean))
    assert not found.refuses
    assert "nothing to learn yet" in found.sentence


FOUND = (Finding("too_good", "One."), Finding("survivors", "Two."), Finding("unlike_base", "Three.", refuses=False))


def test_what_was_not_accepted_is_refused_by_name(clean: AuditInput) -> None:
    with pytest.raises(AuditError, match=r'(?s)task \'asked\'.*survivors: Two\..*accept = \["survivors"\]') as caught:
        settle(clean, FOUND, accept=["too_good"])
    assert "One." not in str(caught.value)
    assert isinstance(caught.value, InputError)
    assert caught.value.exit_code == 2


def test_what_was_accepted_or_only_warns_becomes_a_note(clean: AuditInput) -> None:
    notes = settle(clean, FOUND, accept=["too_good", "survivors"])
    assert notes == (
        "audit, too_good (accepted): One.",
        "audit, survivors (accepted): Two.",
        "audit, unlike_base (look at this): Three.",
    )


def test_an_unknown_check_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"train.accept: the audit has no check 'to_good'; did you mean 'too_good'\?"):
        parse({"train": {"accept": ["survivors", "to_good"]}}, folder=Path())


def test_accepted_checks_are_read_from_the_configuration() -> None:
    assert parse({"train": {"accept": "too_good"}}, folder=Path()).train.accept == ("too_good",)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_panel_of_next_to_nothing_is_silent(clean: AuditInput, count: int) -> None:
    few = Examples(*(getattr(clean.rows[:count], name) for name in ("customer", "cutoff", "values", "labels")))
    journeys = next(iter(clean.parts()))
    own = [journeys.index_of(str(customer)) for customer in few.customer]
    only = journeys.select(np.array(sorted({one for one in own if one is not None}), np.int64))
    split = replace(clean.split, choosing=(), reporting=(), serving=tuple(np.unique(few.cutoff).tolist()))
    split = replace(split, validation=clean.split.test)
    small = replace(clean, parts=lambda: [only], rows=few, base=clean.base[:0], split=split)
    assert [one.check for one in audit(small) if one.check not in ("wrong_population", "unlike_base")] == []


TASKS = (
    TASK,
    {"kind": "propensity", "event": "purchase", "where": {"channel": "web"}},
    {"kind": "propensity", "event": "purchase", "never": "cancel"},
    {"kind": "churn", "churn_event": "cancel", "active_event": ["purchase", "view"]},
    {"kind": "cltv", "event": ["purchase", "cancel"], "active_event": "purchase"},
)


@pytest.mark.parametrize("keys", TASKS, ids=lambda keys: "-".join(map(str, keys.values())))
@hypothesis(max_examples=40)
@given(of=worlds())
def test_labels_and_population_by_hand_are_those_of_the_panel(keys: dict[str, object], of: World) -> None:
    asked = TaskConfig.model_validate({"name": "asked", **keys, "horizon_days": 30, "active_days": 30})
    journeys, cutoffs = of.journeys(), np.array(CUTOFFS, np.int64)
    grid = Rows.grid(len(journeys), cutoffs)
    by_hand = recompute.labels(asked, journeys, cutoffs, 30).ravel()
    assert by_hand == pytest.approx(compute_labels(asked, journeys, grid, 30).outcome, abs=1e-9)
    assert recompute.members(asked, journeys, cutoffs).ravel().tolist() == population(asked, journeys, grid).tolist()
