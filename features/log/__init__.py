"""Source files to checked rows: formats, columns, cells, quarantine."""
