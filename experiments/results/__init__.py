"""What the tables say, and the files they are kept in."""
