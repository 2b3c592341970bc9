"""A rung with all that turns its prediction into a score."""
