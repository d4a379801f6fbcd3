"""The operator's side: keys, a typed API client, and the command line."""
