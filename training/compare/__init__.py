"""Champion, challenger and their baselines side by side: in the terminal, and as one page."""
