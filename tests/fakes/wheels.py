"""A wheel of the package `Sf.Demo`, written by hand."""

from __future__ import annotations

import zipfile
from pathlib import Path


def wheel(folder: Path, version: str) -> None:
    """Write a wheel of one version; its module tells who imported it."""
    info = f"sf_demo-{version}.dist-info"
    with zipfile.ZipFile(folder / f"sf_demo-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("sf_demo.py", f"VERSION = {version!r}\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: Sf.Demo\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", f"sf_demo.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
