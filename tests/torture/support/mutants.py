"""Files of a log with something wrong in them: number n is always the same one.

Run as a program with a folder and a range of numbers, it ingests each beside good files, and tells of each in a line
of `outcomes.jsonl` what became of it; a mutant that kills the process is the one after the last line.
"""

import gzip
import io
import json
import random
import resource
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.config.sections import Config
from features.errors import InputError
from tests.support.log_files import config, event, opened, run, write

GOOD_ROWS, ROWS = 20, 30
LOG: dict[str, Any] = {
    "known": "seen",
    "order": "bill",
    "text": "note",
    "categories": ["channel"],
    "numbers": ["pieces"],
}
NAMES = ["a.csv", "a.csv", "a.tsv", "a.jsonl", "a.jsonl", "a.parquet", "a.parquet", "a.csv.gz", "a.jsonl.gz"]
TEXTS = [
    "", " ", "NULL", "0", "-0", "1e999", "NaN", "45000", "45000.5", "2025-13-01", "31/12/2024", "2025-01-01T25:00",
    "0001-01-01", "99999-01-01", "\x00", "\ufeff", "e\u0301", "\u202eevil", "😀" * 70, "a\nb", 'a"b', "a,b;c\td|e",
    "'; DROP", "${HOME}", "x" * 100_000, "\ud7ff", "true", "[1]", "{}", "\\", "\\u0000", "1_000", "１２", "0x1F",
]  # fmt: skip
VALUES: list[Any] = [*TEXTS, None, True, -1, 2**63, 10**30, 1e300, [], [1], {}, {"a": {"b": []}}, 1735689600]
KINDS: list[Callable[[], pa.DataType]] = [
    pa.int8, pa.uint64, pa.float16, pa.float32, pa.bool_, pa.binary, pa.large_string, pa.date32, pa.date64,
    lambda: pa.timestamp("s"), lambda: pa.timestamp("ns", "Europe/Paris"), lambda: pa.time64("us"),
    lambda: pa.duration("us"), lambda: pa.decimal128(38, 10), lambda: pa.list_(pa.string()),
    lambda: pa.struct([("a", pa.string())]), lambda: pa.map_(pa.string(), pa.string()),
    lambda: pa.dictionary(pa.int8(), pa.string()), pa.null,
]  # fmt: skip


def plain(dice: random.Random, many: int = ROWS) -> list[dict[str, Any]]:
    return [
        event(
            who=f"c{dice.randrange(9)}",
            at=f"2025-01-{1 + dice.randrange(28):02}",
            money=dice.randrange(-20, 80) / 4,
            seen=None,
            bill=dice.choice([None, "A", "B"]),
            note=dice.choice([None, "schön"]),
            channel=dice.choice([None, "web"]),
            pieces=dice.choice([None, 1.5]),
        )
        for _ in range(many)
    ]


def mutant(number: int, folder: Path) -> Path:
    """Write mutant `number` into a folder; returns where it lies."""
    dice = random.Random(number)
    name = dice.choice(NAMES)
    rows = plain(dice)
    for _ in range(dice.choice([0, 1, 1, 3, ROWS])):
        row = dice.choice(rows)
        row[dice.choice([*row])] = dice.choice(VALUES)
    content = written(rows, name.removesuffix(".gz"), dice)
    for _ in range(dice.choice([0, 1, 1, 2])):
        content = dice.choice(BYTES)(content, dice)
    if name.endswith(".gz"):
        content = gzip.compress(content) if dice.random() < 0.5 else torn_gzip(content)
    path = folder / f"mutant-{name}"
    path.write_bytes(content)
    return path


def written(rows: list[dict[str, Any]], name: str, dice: random.Random) -> bytes:
    if name.endswith("parquet"):
        return parquet(rows, dice)
    if name.endswith("jsonl"):
        return "\n".join(json.dumps(row, ensure_ascii=dice.random() < 0.5) for row in rows).encode(errors="replace")
    delimiter = "\t" if name.endswith("tsv") else dice.choice(",,;|")
    quoted = dice.random() < 0.5
    lines = [[*rows[0]], *(["" if value is None else str(value) for value in row.values()] for row in rows)]
    if dice.random() < 0.2:
        lines[0][-1] = dice.choice(lines[0])  # a column twice
    if dice.random() < 0.2:
        ragged = dice.choice(lines)
        ragged[3:] = dice.choice([[], [*ragged[3:], "more"], ["x"] * 2_000])
    cells = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' if quoted else cell for cell in line] for line in lines]
    return "\n".join(map(delimiter.join, cells)).encode(errors="replace")


def parquet(rows: list[dict[str, Any]], dice: random.Random) -> bytes:
    """With columns of all types that will take the values; the others are texts."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    odd = dice.choice([*columns, *columns, ""])
    arrays = {}
    for name, values in columns.items():
        kind = dice.choice(KINDS)() if name == odd else pa.string()
        arrays[name] = as_kind(values, kind)
    names = [dice.choice([*columns]) if dice.random() < 0.03 else name for name in columns]
    sink = io.BytesIO()
    table = pa.Table.from_arrays([*arrays.values()], names=names)
    pq.write_table(
        table, sink, row_group_size=dice.choice([1, 7, 1_000]), compression=dice.choice(["none", "zstd", "snappy"])
    )
    return sink.getvalue()


def as_kind(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError):
        texts = [None if value is None else str(value).encode(errors="replace").decode() for value in values]
    try:
        return pa.nulls(len(values), kind) if len(str(kind)) % 2 else pa.array(texts, pa.string()).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array(texts, pa.string())


def flipped(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice([1, 1, 8]) if content else 0):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def cut(content: bytes, dice: random.Random) -> bytes:
    return content[: int(len(content) * dice.choice([0, 0.1, 0.5, 0.9, 0.99]))]


def zeroed(content: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(content) + 1)
    return content[:start] + bytes(len(content[start : start + 500])) + content[start + 500 :]


def spliced(content: bytes, dice: random.Random) -> bytes:
    one, other = sorted(dice.randrange(len(content) + 1) for _ in range(2))
    return (
        content[:one]
        + dice.randbytes(dice.randrange(20))
        + content[one:other] * dice.choice([0, 2, 2])
        + content[other:]
    )


def torn_gzip(content: bytes) -> bytes:
    packed = gzip.compress(content)
    return packed[: len(packed) * 2 // 3] if len(content) % 2 else packed + b"more after the end"


BYTES: list[Callable[[bytes, random.Random], bytes]] = [
    flipped, flipped, cut, zeroed, spliced,
    lambda content, _: b"\xef\xbb\xbf" + content,
    lambda content, _: content.replace(b"\n", b"\r\n"),
    lambda content, _: content.replace(b"\n", b"\r\n", 3),
    lambda content, _: content.replace(b"\n", b"\r"),
    lambda content, _: content.decode(errors="replace").encode("utf-16"),
    lambda content, _: content.decode(errors="replace").encode("latin-1", "replace"),
    lambda content, dice: content.replace(b"\n", b"\n\n" * dice.choice([1, 1_000])),
    lambda content, _: content + b"\n" + b"x" * 3_000_000,
    lambda content, _: content + b'\n{"who": ' + b"[" * 20_000,
    lambda content, dice: content.replace(b'"', b"", dice.choice([1, 3])),
    lambda content, _: content + b'\n"',
    lambda content, _: content[content.find(b"\n") + 1 :],
]  # fmt: skip


def outcome(shop: Config, path: Path) -> str:
    """`stored` or `refused`, whole either way; else what is wrong."""
    manifest = shop.workspace_path / "store" / "manifest.json"
    before = manifest.read_bytes()
    try:
        report = run(shop)
    except InputError as error:
        wrong = {
            "the message does not name the file": path.name not in str(error),
            "the message is more than a line": "\n" in str(error),
            "the store is not what it was": manifest.read_bytes() != before,
        }
        return told(wrong, "refused")
    bad = [
        row
        for file in (shop.workspace_path / "quarantine").glob("*.parquet")
        for row in pq.read_table(file).to_pylist()
    ]
    store = opened(shop)
    stored = sum(journeys.rows for journeys in store.buckets())
    return told(
        {
            "a row of a good file is not stored": any(store.find(f"good {i}").rows < 2 for i in range(GOOD_ROWS)),
            "rows are neither stored nor in quarantine": report.rows != stored + len(bad),
            "quarantined rows are not counted": sum(report.quarantined.values()) != len(bad),
            "a quarantined row has no reason": not all(row["reason"] and row["row"] for row in bad),
            "more is stored than there can be": stored > 2 * GOOD_ROWS + 4 * ROWS,
        },
        "stored",
    )


def told(wrong: Mapping[str, bool], otherwise: str) -> str:
    return "; ".join(what for what, holds in wrong.items() if holds) or otherwise


def peak_mib() -> int:
    """Of this process alone: what the system counts for it in `ru_maxrss` begins with the process that started it."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(folder: Path, first: int, last: int) -> None:
    write(folder / "shop" / "log" / "good.csv", [event(who=f"good {i}", **NOTHING) for i in range(GOOD_ROWS)])
    run(config(folder / "shop", **LOG))
    for number in range(first, last):
        copy = folder / f"mutant-{number}"
        shutil.copytree(folder / "shop", copy)
        write(copy / "log" / "more.csv", [event(who=f"good {i}", what="view", **NOTHING) for i in range(GOOD_ROWS)])
        path = mutant(number, copy / "log")
        try:
            found = outcome(config(copy, **LOG), path)
        except Exception as error:  # noqa: BLE001  whatever is not refused as ours is a finding
            found = f"{type(error).__name__}: {error}"
        peak = peak_mib()
        with (folder / "outcomes.jsonl").open("a") as file:
            file.write(json.dumps({"number": number, "name": path.name, "found": found, "peak_mib": peak}) + "\n")
        shutil.rmtree(copy)


NOTHING = dict.fromkeys(["seen", "bill", "note", "channel", "pieces"])
if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
