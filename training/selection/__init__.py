"""Which recipe a task takes, chosen out of time."""
