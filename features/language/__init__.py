"""What a feature is: its kinds, its spelling, and functions of one's own."""
