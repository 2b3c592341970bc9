"""The one scoring path behind Python, HTTP and the batch."""
