"""The score record, requests and answers."""
