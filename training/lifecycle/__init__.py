"""Versions over time: promote, roll back, history, prune."""
