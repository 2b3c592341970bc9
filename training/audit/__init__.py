"""What is looked at before any fit: panel, labels, population and splits, by paths of its own."""
