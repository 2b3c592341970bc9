"""Published logs, each beside its peers: questions, scores, truth and tables."""
