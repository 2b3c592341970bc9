"""Parquet files as relations."""

from pathlib import Path

from features.log.cells_sql import Cell
from features.log.files.relation import ROW, Relation, json_object, path_literal
from features.system import duck


def parquet_relation(connection: duck.Connection, path: Path) -> Relation:
    """A Parquet file as a relation."""
    source = f"read_parquet({path_literal(path)}, file_row_number=true, binary_as_string=true)"
    columns = [(str(name), str(kind)) for name, kind, *_ in duck.rows(connection, f"DESCRIBE FROM {source}")]
    cells = {name: _cell(duck.name(name), kind) for name, kind in columns if name != "file_row_number"}
    query = f"SELECT file_row_number + 1 AS {ROW}, * FROM {source}"
    return Relation(query, cells, json_object({name: f"{cell.sql}::VARCHAR" for name, cell in cells.items()}))


def _cell(sql: str, type_name: str) -> Cell:
    """The cell of a column; values of an enumeration are text, and text of JSON is what it holds."""
    if type_name == "JSON":
        kind = f"CASE WHEN {sql} IS NOT NULL THEN coalesce(try(json_type({sql})), 'OBJECT') END"
        return Cell(f"try(json_extract_string({sql}, '$'))", "VARCHAR", kind)
    return Cell(f"{sql}::VARCHAR", "VARCHAR") if type_name.startswith("ENUM") else Cell(sql, type_name)
