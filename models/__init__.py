"""What a model is: questions, rungs, bundles and the registry."""
