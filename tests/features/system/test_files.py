"""Files appear whole or not at all; a kill at any instant leaves the old one."""

import errno
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from features.errors import BundleError, StoreError
from features.system.files import (
    TEMPORARY,
    atomic_folder,
    atomic_write,
    canonical_json,
    check_digests,
    digest,
    digests,
    remove,
    size,
    sweep,
    text_digest,
    write_new_text,
    write_text,
)

ROOT = Path(__file__).parents[3]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail(half_way: Path) -> None:
    half_way.write_text("half")
    raise OSError("No space left on device")


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "table.parquet"
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.suffix == ".parquet"
    assert path.read_text() == "whole"
    assert names(path.parent) == ["table.parquet"]


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(OSError, match="No space left"), atomic_write(tmp_path / "a") as temporary:
        fail(temporary)
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("links", [True, False])
def test_of_two_that_write_a_new_file_one_is_told_that_it_is_there(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    write_new_text(tmp_path / "a", "first")
    with pytest.raises(FileExistsError):
        write_new_text(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"
    assert names(tmp_path) == ["a"]


def test_what_another_process_has_removed_is_gone_and_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    real_rename = Path.rename

    def too_late(self: Path, target: Path) -> Path:
        self.rmdir()
        return real_rename(self, target)

    monkeypatch.setattr(Path, "rename", too_late)
    remove(tmp_path / "run")
    assert (names(tmp_path), size(tmp_path / "run")) == ([], 0)


def test_a_folder_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "bundle") as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "a").write_text("x")
        assert not (tmp_path / "bundle").exists()
    assert (tmp_path / "bundle" / "deep" / "a").read_text() == "x"
    assert names(tmp_path) == ["bundle"]


def test_a_failure_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"), atomic_folder(tmp_path / "bundle") as temporary:
        fail(temporary / "a")
    assert names(tmp_path) == []


def test_a_published_folder_never_changes(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    with pytest.raises(FileExistsError, match="a published folder never changes"), atomic_folder(tmp_path / "bundle"):
        pass


def test_threads_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    texts = [letter * 100_000 for letter in "abcdefgh"]
    threads = [threading.Thread(target=write_text, args=(tmp_path / "a", text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_text() in texts
    assert names(tmp_path) == ["a"]


def test_a_killed_writer_leaves_the_old_file_and_a_sweep_the_folder_clean(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    half = (
        "import os, signal, pathlib\n"
        "from features.system.files import atomic_write, atomic_folder\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "with atomic_folder(folder / 'b') as inside, atomic_write(folder / 'a') as temporary:\n"
        "    (inside / 'x').write_text('half'); temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", half], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_text() == "old"
    assert len(names(tmp_path)) == 3
    sweep(tmp_path)
    assert names(tmp_path) == ["a"]


def test_a_sweep_keeps_what_is_claimed_and_needs_no_folder(tmp_path: Path) -> None:
    (tmp_path / f"{TEMPORARY}mine").write_text("")
    (tmp_path / f"{TEMPORARY}yours").write_text("")
    sweep(tmp_path, keep=lambda path: path.name.endswith("mine"))
    assert names(tmp_path) == [f"{TEMPORARY}mine"]
    sweep(tmp_path / "nowhere")


def test_digests_are_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(tmp_path / "a") == text_digest("abc") == known
    assert digests(tmp_path, ["a"]) == {"a": known}
    check_digests(tmp_path, {"a": known}, StoreError)


def test_a_changed_byte_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abd")
    with pytest.raises(
        BundleError, match=r"a was changed: expected SHA-256 ba7816bf8f01…, found .*; restore or rebuild"
    ):
        check_digests(tmp_path, {"a": text_digest("abc")}, BundleError)


@pytest.mark.parametrize("name", ["gone", "folder", "link", "../outside", "/etc/hostname"])
def test_only_plain_files_of_the_folder_itself_pass(name: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    (tmp_path / "outside").write_text("abc")
    (inside / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreError, match=f"expected the plain file '{name}' in .*, found none"):
        check_digests(inside, {name: text_digest("abc")}, StoreError)


def test_equal_values_have_equal_json() -> None:
    assert (
        canonical_json({"b": [1, 2.5], "a": "µ"})
        == canonical_json({"a": "µ", "b": [1, 2.5]})
        == '{"a":"µ","b":[1,2.5]}'
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_holds_no_nan(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(number)
