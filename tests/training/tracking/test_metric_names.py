"""Names of metrics are read as they were written, and the horizons of runs of every age are found."""

from collections.abc import Mapping
from itertools import product

import pytest

from training.compare.figure_kinds import KINDS
from training.tracking.metric_names import ENDS, MetricName, compose, parse, recorded_horizons

FIGURES = [kind.key for kind in KINDS]


@pytest.mark.parametrize("figure", FIGURES)
def test_a_name_is_read_as_it_was_written(figure: str) -> None:
    for whose, horizon_days, end in product(("test", "baseline"), (None, 7, 365), ENDS):
        name = MetricName(whose, figure, horizon_days, end)
        assert parse(compose(name)) == name


@pytest.mark.parametrize("text", ["seconds_audit", "loss", "test_", "baseline"])
def test_other_metrics_are_no_figures(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("tags", "params", "horizons"),
    [
        ({"horizons_days": "7,30"}, {}, {7: 7, 30: 30}),
        ({"horizons_days": "90"}, {"split.horizon_days": "30"}, {90: None}),
        ({}, {"rung_30d": "rule", "rung_7d": "rule", "task.horizons_days": "[7, 30]"}, {7: 7, 30: 30}),
        ({}, {"split.horizon_days": "90"}, {90: None}),
        ({}, {"task.horizon_days": "14"}, {14: None}),
        ({}, {}, {None: None}),
    ],
)
def test_the_horizons_of_a_run_are_its_tag_or_else_its_parameters(
    tags: Mapping[str, str], params: Mapping[str, str], horizons: Mapping[int | None, int | None]
) -> None:
    assert recorded_horizons(tags, params) == horizons
