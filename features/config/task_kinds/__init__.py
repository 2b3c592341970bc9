"""What each kind of task is: one file a kind, listed in `registry`."""
