"""One job of window features and all who do it."""
