"""Bundles of the past are read and say what they said, or are refused with what to do.

`tests/golden/<kind>/` holds a bundle and the scores it gave when it was made. When the form of a bundle, the kernel or
what a score says was changed on purpose, `.venv/bin/python -m tests.support.golden_bundles` makes them anew; look at
the difference.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.errors import BundleError
from features.system.files import text_digest
from models.bundle import FORMAT, MANIFEST, load
from tests.support.golden_bundles import EXPECTED, FOLDER, machine, made, scored

KINDS = ("churn", "propensity", "cltv", "next_action")


def golden(kind: str) -> tuple[Path, dict[str, Any]]:
    expected = json.loads((FOLDER / kind / EXPECTED).read_text())
    return FOLDER / kind / expected["digest"], expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_golden_bundle_gives_the_very_scores_it_gave(kind: str) -> None:
    folder, expected = golden(kind)
    records = scored(load(folder, folder.name))
    assert len(records) == 6
    if machine() == expected["machine"]:
        assert records == expected["records"]
    else:  # to the bit is a promise for one kind of CPU
        same_but_for_the_last_bit(records, expected["records"])


def same_but_for_the_last_bit(actual: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key in expected:
            same_but_for_the_last_bit(actual[key], expected[key])
    elif isinstance(expected, list):
        for actual_item, expected_item in zip(actual, expected, strict=True):
            same_but_for_the_last_bit(actual_item, expected_item)
    elif isinstance(expected, float):
        np.testing.assert_allclose(actual, expected, rtol=1e-12)
    else:
        assert actual == expected


@pytest.mark.parametrize("kind", KINDS)
def test_this_version_would_score_the_same_had_it_made_the_bundle(kind: str) -> None:
    folder, _ = golden(kind)
    bundle = load(folder, folder.name)
    assert bundle.task == made()[kind].task
    assert bundle.features.fingerprint == made()[kind].features.fingerprint


def test_a_bundle_of_an_older_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder, _ = golden("churn")
    older = shutil.copytree(folder, tmp_path / "older")
    manifest = json.loads((older / MANIFEST).read_text())
    text = json.dumps({**manifest, "format": FORMAT - 1})
    (older / MANIFEST).write_text(text)
    with pytest.raises(BundleError, match=rf"has bundle format {FORMAT - 1}, this version reads {FORMAT}; train again"):
        load(older, text_digest(text))


def test_the_goldens_are_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) < 150_000
