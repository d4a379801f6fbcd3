"""The server: it stores what was approved and what came of it, and serves the API."""
