"""Which features a shop gets."""
