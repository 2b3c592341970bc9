"""One million customers: the log, the fits, and processes measured from outside."""
