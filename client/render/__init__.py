"""How things look: terminal-safe text, tables, plans. Pure but for `output`."""
