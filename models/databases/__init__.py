"""Addresses of databases, and the SQLAlchemy door."""
