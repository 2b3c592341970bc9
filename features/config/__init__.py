"""The TOML: its sections, its tasks, and how it is read.

`load` and `parse` stay here for the notebooks that were written when this was a file.
"""

from features.config.load import load, parse

__all__ = ["load", "parse"]
