"""The module language: text in, resolved resources out. Pure: no file, clock or host is touched."""
