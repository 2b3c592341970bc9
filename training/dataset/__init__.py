"""Panel, labels, cutoffs and their split."""
