"""Files of JSON Lines as relations: one object a line, the keys of all objects as columns."""

import shlex
from pathlib import Path

from features.errors import LogError
from features.log.cells_sql import Cell
from features.log.files.relation import KEEP_BROKEN, MAX_LINE, ROW, Relation, path_literal
from features.log.files.text_bytes import compression, first_character
from features.system import duck


def json_relation(connection: duck.Connection, path: Path, required: list[str], section: str) -> Relation:
    """A file of JSON Lines as a relation; raises LogError for one JSON array."""
    if first_character(path) == b"[":
        raise LogError(
            f"{path} holds one JSON array, expected one object a line; write it so, e.g. with "
            f"jq -c '.[]' {shlex.quote(path.name)} > {shlex.quote(path.stem + '.jsonl')}"
        )
    source = (
        f"read_csv({path_literal(path)}, auto_detect=false, header=false, delim='\x01', quote='', escape='', "
        f"strict_mode=false, max_line_size={MAX_LINE}, columns={{'line': 'VARCHAR'}}{compression(path)}{KEEP_BROKEN})"
    )
    lines = f"SELECT row_number() OVER () AS {ROW}, line FROM {source}"
    keys = _keys(connection, lines, required, section)
    pointers = duck.texts("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
    parts = ", ".join(f"v[{number}] AS c{number}, t[{number}] AS t{number}" for number in range(1, len(keys) + 1))
    values = f"try(json_extract_string(line, {pointers})) AS v, try(json_type(line, {pointers})) AS t"
    opened = f"SELECT {ROW}, line, {values} FROM ({lines})"
    query = f"SELECT {ROW}, line{', ' + parts if parts else ''} FROM ({opened}) WHERE trim(line) <> ''"
    cells = {key: Cell(f"c{number}", "VARCHAR", f"t{number}") for number, key in enumerate(keys, 1)}
    broken = ("coalesce(try(json_type(line)), '') <> 'OBJECT'", "not a JSON object")
    return Relation(query, cells, "CASE WHEN json_valid(line) THEN line ELSE to_json(line)::VARCHAR END", (broken,))


def _keys(connection: duck.Connection, lines: str, required: list[str], section: str) -> list[str]:
    """The keys of the objects in a file; of the log's first 1,000 alone when these hold all that is wanted."""
    keys: list[str] = []
    for part in (f"({lines}) LIMIT 1000", f"({lines})")[section == "profile" :]:
        query = f"SELECT DISTINCT unnest(try(json_keys(line))) AS key FROM (FROM {part}) ORDER BY key"
        keys = [str(key) for (key,) in duck.rows(connection, query)]
        if set(required) <= set(keys):
            break
    return keys
