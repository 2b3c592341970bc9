"""Checked rows, sorted: read bucket by bucket, or one customer."""
