"""How a model is used: one scoring path behind Python, HTTP and the batch job."""
