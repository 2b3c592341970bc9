"""What was saved is what is loaded, and nothing else is."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BundleError
from features.language import feature_set
from features.system.files import text_digest
from models import bundle as bundles
from models.bundle import Bundle, load, save
from models.ladder.lightgbm import Trees
from tests.support import bundles as fitted
from tests.support.bundles import FEATURES

MADE = {"churn": fitted.churn((30, 90)), "buys": fitted.buys(), "value": fitted.value(), "offer": fitted.offer()}
VALUES = np.where(np.random.default_rng(1).random((40, len(FEATURES))) < 0.2, np.nan, 7.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(MADE["value"], tmp_path / "bundles")


@pytest.mark.parametrize("bundle", MADE.values(), ids=MADE.keys())
def test_what_was_saved_is_what_is_loaded(bundle: Bundle, tmp_path: Path) -> None:
    folder = save(bundle, tmp_path)
    again = load(folder, folder.name)
    assert (again.task, again.features, again.facts) == (bundle.task, bundle.features, bundle.facts)
    assert again.task.model_fields_set == bundle.task.model_fields_set
    assert again.digest == folder.name == text_digest((folder / "manifest.json").read_text())
    for saved, loaded in zip(bundle.predictors, again.predictors, strict=True):
        expected, actual = (predictor.predict(VALUES, FEATURES.position) for predictor in (saved, loaded))
        assert actual.score.tobytes() == expected.score.tobytes()
        assert actual.high.tobytes() == expected.high.tobytes()
    assert again.actions is None or again.actions.ranking == (0, 2, 1)


def test_a_bundle_is_plain_files(folder: Path) -> None:
    assert sorted(file.suffix for file in folder.iterdir()) == [".json", ".json", ".json", ".txt", ".txt"]


def test_saving_the_same_bundle_again_changes_nothing(folder: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert save(load(folder, folder.name), folder.parent) == folder
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_another_seed_is_another_bundle(folder: Path) -> None:
    assert save(fitted.value(seed=8), folder.parent) != folder


def test_saving_over_a_changed_bundle_is_refused(folder: Path) -> None:
    (folder / "bundle.json").write_text("{}")
    with pytest.raises(BundleError, match="was changed"):
        save(MADE["value"], folder.parent)


def flip(folder: Path) -> None:
    file = folder / "answer-90-rung-buys.txt"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def truncate(folder: Path) -> None:
    file = folder / "features.json"
    file.write_bytes(file.read_bytes()[:-10])


def empty(folder: Path) -> None:
    (folder / "bundle.json").write_bytes(b"")


def swap(folder: Path) -> None:
    buys_file, more_file = folder / "answer-90-rung-buys.txt", folder / "answer-90-rung-more.txt"
    text = buys_file.read_text()
    buys_file.write_text(more_file.read_text())
    more_file.write_text(text)


def add(folder: Path) -> None:
    (folder / "extra.pkl").write_bytes(b"cos\nsystem\n")


def hide(folder: Path) -> None:
    (folder / ".hidden").mkdir()


def remove(folder: Path) -> None:
    (folder / "answer-90-rung-buys.txt").unlink()


def link(folder: Path) -> None:
    file = folder / "answer-90-rung-buys.txt"
    file.rename(folder.parent / "elsewhere.txt")
    file.symlink_to(folder.parent / "elsewhere.txt")


def pipe(folder: Path) -> None:
    (folder / "bundle.json").unlink()
    os.mkfifo(folder / "bundle.json")


def unlist(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["features.json"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def forget(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("tamper", [flip, truncate, empty, swap, add, hide, remove, link, pipe, unlist, forget])
def test_a_changed_bundle_is_refused_before_any_parser_sees_it(
    tamper: Callable[[Path], None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trees, "from_text", lambda _: pytest.fail("a parser saw a changed bundle"))
    monkeypatch.setattr(feature_set.FeatureSet, "from_json", lambda _: pytest.fail("a parser saw a changed bundle"))
    tamper(folder)
    with pytest.raises(BundleError, match=r"restore it or train again"):
        load(folder, folder.name)


@given(data=st.data())
def test_no_change_of_a_byte_goes_unseen(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = save(MADE["churn"], tmp_path_factory.mktemp("bundles"))
    file = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    with pytest.raises(BundleError, match="was changed"):
        load(folder, folder.name)


def test_a_folder_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(BundleError, match="found no folder; train again"):
        load(tmp_path / "link", folder.name)


def test_features_that_this_version_computes_differently_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_set, "KERNEL_VERSION", 99)
    with pytest.raises(BundleError, match=r"its scores would be wrong; train again, or use the version that made it"):
        load(folder, folder.name)


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "FORMAT", 99)
    folder = save(MADE["buys"], tmp_path)
    monkeypatch.undo()
    with pytest.raises(BundleError, match="has bundle format 99, this version reads 3"):
        load(folder, folder.name)


def test_not_a_number_cannot_enter_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save(fitted.value(end_us=float("nan")), tmp_path)
    assert list(tmp_path.iterdir()) == []
