"""`standfast-state schema`: the JSON Schema of module files, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from state_engine.language.schema import module_schema


@click.command("schema")
@click.option("--output", type=click.Path(dir_okay=False), help="Write to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (it always is).")
def command(output: str | None, as_json: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of the module format."""
    del as_json
    text = json.dumps(module_schema(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error
