"""What a model is judged by, with intervals."""
