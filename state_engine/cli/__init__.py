"""The `standfast-state` program: one file per command, named as the user types it."""
