"""The rungs of a task's ladder, and the LightGBM door."""
