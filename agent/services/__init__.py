"""The agent's long-lived tasks, one file each."""
