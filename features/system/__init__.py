"""Disk, processes, threads, the environment, and the DuckDB door."""
