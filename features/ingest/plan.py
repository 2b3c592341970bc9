"""What an ingest has to do: the files that lie there now, held against what the manifest says was taken before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.config.sections import Config
from features.errors import ConfigError, LogError
from features.log.files.paths import find, named_files
from features.log.validate import SourceKind
from features.store.manifest import STORE, Manifest, SourcePath, TakenFile, mapping_fingerprint
from features.system.files import digest


@dataclass(frozen=True)
class SourceFile:
    """A source file as it lies there now: `name` is its path as the manifest writes it."""

    kind: SourceKind
    path: Path
    name: str
    digest: str


@dataclass(frozen=True)
class Plan:
    """What there is to do: `new` are contents to take, each once; `paths` says what every path gives afterwards.

    `kept` are taken files that stay; `skipped` and `replaced` are paths, for the report; `outdated` says why every
    file is read again, if so.
    """

    mapping: str
    new: tuple[SourceFile, ...]
    paths: tuple[SourcePath, ...]
    kept: tuple[TakenFile, ...]
    skipped: tuple[str, ...]
    replaced: tuple[str, ...]
    outdated: str | None = None

    def leaves(self, before: Manifest) -> bool:
        """Whether nothing is to be done."""
        return before.mapping == self.mapping and not self.new and before.paths == self.paths


def plan_ingest(config: Config, files: Sequence[Path] | None, before: Manifest | None) -> Plan:
    """The plan to bring the store up to date with the sources of the TOML, or with `files` of the log."""
    mapping, present = mapping_fingerprint(config), _present_files(config, files)
    if before is not None and before.mapping != mapping:
        present += _taken_before(config, before, present)
    taken = () if before is None or before.mapping != mapping else before.taken
    former = {} if before is None else {(path.kind, path.path): path.digest for path in before.paths}
    paths = former | {(file.kind, file.name): file.digest for file in present}
    alive = {(kind, content) for (kind, _), content in paths.items()}
    new = _new_contents(present, {(file.kind, file.digest) for file in taken})
    replaced = {file.name for file in present if former.get((file.kind, file.name), file.digest) != file.digest}
    skipped = {file.name for file in present} - {file.name for file in new} - replaced
    return Plan(
        mapping=mapping,
        new=new,
        paths=tuple(SourcePath(kind, name, content) for (kind, name), content in sorted(paths.items())),
        kept=tuple(file for file in taken if (file.kind, file.digest) in alive),
        skipped=tuple(sorted(skipped)),
        replaced=tuple(sorted(replaced)),
        outdated=None if before is None or before.mapping == mapping else before.outdated,
    )


def _new_contents(present: Iterable[SourceFile], known: set[tuple[SourceKind, str]]) -> tuple[SourceFile, ...]:
    """Of every content that is not known yet the first file that has it."""
    new: dict[tuple[SourceKind, str], SourceFile] = {}
    for file in present:
        if (file.kind, file.digest) not in known:
            new.setdefault((file.kind, file.digest), file)
    return tuple(new.values())


def _present_files(config: Config, files: Sequence[Path] | None) -> list[SourceFile]:
    """The files of log and profile that lie there now, in order."""
    if files is None and not config.log.source:
        raise ConfigError('expected files of the log, found none: set `source` in [log], such as ["events/*.parquet"]')
    logs = find(config.folder, config.log.source) if files is None else named_files(files)
    profiles = find(config.folder, config.profile.source)
    both: list[tuple[SourceKind, Path]] = [*(("log", path) for path in logs), *(("profile", path) for path in profiles)]
    return [SourceFile(kind, path, _name(config, path), digest(path)) for kind, path in both]


def _name(config: Config, path: Path) -> str:
    return path.relative_to(config.folder).as_posix() if path.is_relative_to(config.folder) else path.as_posix()


def _taken_before(config: Config, before: Manifest, present: Sequence[SourceFile]) -> list[SourceFile]:
    """After a change of mapping: the files taken under the former one, which must be read again."""
    present_files = {(file.kind, file.digest) for file in present}
    to_read, missing = [], []
    for source in before.paths:
        path = config.folder / source.path
        if (source.kind, source.digest) in present_files or source.path in {file.name for file in present}:
            continue
        if path.is_file() and digest(path) == source.digest:
            to_read.append(SourceFile(source.kind, path, source.path, source.digest))
        else:
            missing.append(source.path)
    if missing:
        raise LogError(
            f"{before.outdated}, so every file must be read again, but these are gone or changed: "
            f"{', '.join(missing)}; bring them back, or remove {config.workspace_path / STORE} to start over"
        )
    return to_read
