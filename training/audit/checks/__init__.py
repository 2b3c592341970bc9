"""One file per check that comes before any fit."""
