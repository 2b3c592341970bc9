"""How a rung, and what turns its prediction into a score, is fitted."""
