"""A kind of task says all about itself in one file, and a new one needs no other."""

from typing import get_args

import pytest

from features.config.task_kinds.kind import COMMON_KEYS, TaskKind
from features.config.task_kinds.registry import TASK_KINDS, Kind
from features.config.tasks import TaskConfig


def test_every_kind_that_the_toml_takes_is_registered() -> None:
    assert set(get_args(Kind)) == set(TASK_KINDS)
    assert all(kind.name == name for name, kind in TASK_KINDS.items())


@pytest.mark.parametrize("kind", TASK_KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_knows_its_keys_and_words(kind: TaskKind) -> None:
    assert kind.keys >= COMMON_KEYS
    assert all(kind.keys >= set(keys) for keys in kind.needs)
    assert all((kind.baseline, kind.purpose, kind.misuse, kind.figures))
    assert kind.ranks_actions or kind.gained


def test_what_a_label_says_follows_from_the_task() -> None:
    by_silence = TaskConfig(name="a", kind="churn", event=("buy",), horizons_days=(30,))
    by_event = TaskConfig(name="b", kind="churn", churn_event=("end",), active_event=("pay",), horizons_days=(30,))
    assert (by_silence.outcome, by_event.outcome) == ("silence", "event")
    assert by_silence.definition.label(by_silence) == "1 if no `buy` comes"
    assert by_event.definition.label(by_event) == "1 if `end` comes"


def test_a_kind_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="a churn task needs either `event` or `churn_event`"):
        TaskConfig(name="a", kind="churn", horizons_days=(30,))
    with pytest.raises(ValueError, match="a next_action task needs `event`, `action`, `nothing` and `reward`"):
        TaskConfig(name="a", kind="next_action", event=("offer",), horizons_days=(30,))


def test_a_fifth_kind_is_one_definition_and_its_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    winback = TaskKind(
        name="winback",
        keys=COMMON_KEYS,
        needs=(("event",),),
        outcome=lambda _: "event",
        baseline="the rate of all",
        purpose="whether a lost customer comes back.",
        misuse="customers who never left",
        label=lambda task: f"1 if {task.event[0]} comes",
        figures=(("AUROC", "auroc"),),
    )
    monkeypatch.setitem(TASK_KINDS, "winback", winback)
    task = TaskConfig.model_construct(name="a", kind="winback", event=("buy",), horizons_days=(30,))
    assert (task.outcome, task.is_money, task.ranks_actions, task.asks_for_activity) == ("event", False, False, True)
