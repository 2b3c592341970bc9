"""Who else answers a question, each by code of its own."""
