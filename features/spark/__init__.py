"""The same panel in executors: the PySpark door."""
