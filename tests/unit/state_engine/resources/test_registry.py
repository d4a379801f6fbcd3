"""The list of kinds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from state_engine import resources
from state_engine.resources.registry import KINDS


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_is_one_file_under_its_name(name: str) -> None:
    """A kind is found in the file that is called as users call the kind."""
    folder = Path(resources.__file__ or "").parent
    assert (folder / f"{name.replace('-', '_')}.py").is_file()
    assert KINDS[name].name == name


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_field_is_described_and_unknown_ones_are_refused(name: str) -> None:
    """The documentation of a field stands with the field, and a typing error is an error."""
    kind = KINDS[name]
    info = msgspec.inspect.type_info(kind.spec_type)
    assert isinstance(info, msgspec.inspect.StructType)
    assert info.forbid_unknown_fields
    schema = msgspec.json.schema(kind.spec_type)["$defs"][kind.spec_type.__name__]
    assert all(field.get("description") for field in schema["properties"].values())
    assert set(kind.trigger_fields) <= set(schema["properties"])
