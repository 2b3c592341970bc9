"""Segments by how often and how lately a customer was active, against counting by hand."""

from pathlib import Path

import numpy as np

from features.timeline import DAY_US, instant, iso
from tests.support.log_files import Row, event, opened, run, write
from tests.support.training_shop import config
from training.context import TrainingContext
from training.dataset.examples import Examples, PanelRequest, build_examples
from training.evaluation.segments import segments
from training.run import prepare

CUTOFF = instant("2024-06-01")


def shop(folder: Path) -> tuple[TrainingContext, Examples]:
    """Customer `ck` bought k times, the last time 10 · k days before the cutoff, or on it (k = 0 bought afterwards)."""
    log: list[Row] = [event("c0", "2024-07-01", "purchase") | {"kind": None}]
    for often in range(1, 10):
        last = CUTOFF - (often - 1) * 10 * DAY_US
        log += [event(f"c{often}", iso(last - DAY_US * one), "purchase") | {"kind": None} for one in range(often)]
    log.append(event("c9", iso(CUTOFF + 1), "purchase") | {"kind": None})  # too late to be known
    log.append(event("zoe", "2024-09-01", "mail", None) | {"kind": "web"})
    write(folder / "log" / "rows.jsonl", log)
    configuration = config(folder)
    run(configuration)
    context, _ = prepare(configuration, opened(configuration), as_of=None, trials=0, progress=lambda _: None)
    asked = PanelRequest(configuration.task("churn"), 30, context.features, context.end, 1000)
    return context, build_examples(context.parts, asked, [CUTOFF])


def test_segments_read_the_world_at_the_cutoff(tmp_path: Path) -> None:
    context, rows = shop(tmp_path)
    found = {name: set(rows.customer[mask]) for name, mask in segments(context, context.config.tasks["churn"], rows)}
    assert found == {
        "active once": {"c1"},
        "active 2 to 4 times": {"c2", "c3", "c4"},
        "active 5 times or more": {"c5", "c6", "c7", "c8", "c9"},
        "active most lately (0 to 20 days ago)": {"c1", "c2", "c3"},
        "active less lately (30 to 50 days ago)": {"c4", "c5", "c6"},
        "active longest ago (60 to 80 days ago)": {"c7", "c8", "c9"},
    }


def test_masks_follow_the_rows_given_and_cover_each_kind_once(tmp_path: Path) -> None:
    context, rows = shop(tmp_path)
    order = np.array([5, 2, 7, 0])
    some = segments(context, context.config.tasks["churn"], rows[order])
    assert [len(mask) for _, mask in some] == [4] * len(some)
    assert np.sum([mask for _, mask in some], axis=0).tolist() == [2] * 4
    assert segments(context, context.config.tasks["churn"], rows[order[:0]]) == []
