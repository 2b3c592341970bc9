"""What each task has, what better answers need, and when it will be there."""
