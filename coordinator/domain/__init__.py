"""What the coordinator decides: synchronous functions over a transaction, outcomes as values."""
