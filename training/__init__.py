"""How a model is made: labels, splits, tuning, honest evaluation, tracking."""
