"""The command line: what a person reads when a verb cannot do what it was asked."""

from pathlib import Path

import pytest

import journeycast


def test_a_failure_is_one_sentence_with_the_tables_of_the_toml_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.toml").write_text('[[features.add]]\nwhat = "cuont"\n')
    monkeypatch.setattr("sys.argv", ["journeycast", "-c", str(tmp_path / "shop.toml"), "ingest"])
    with pytest.raises(SystemExit, match="2"):
        journeycast.main()
    told = capsys.readouterr().err
    assert told.startswith("journeycast: ")
    assert "[[features.add]] number 1: what: unknown feature kind 'cuont'; did you mean 'count'?" in told


def test_the_tables_of_the_toml_are_no_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.toml").write_text("")
    monkeypatch.setattr("sys.argv", ["journeycast", "-c", str(tmp_path / "shop.toml"), "ingest"])
    with pytest.raises(SystemExit, match="2"):
        journeycast.main()
    assert 'set `source` in [log], such as ["events/*.parquet"]' in capsys.readouterr().err
