"""Alembic's scripts: one file per change of schema, never edited once released."""
