"""The ports made real on Linux: synchronous, no trio, no network."""
