"""Frames of events or a panel in, score records out: what `mlflow.pyfunc` calls."""
