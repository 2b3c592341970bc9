"""Whether a challenger may serve."""
