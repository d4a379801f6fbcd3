"""The kind `package-dnf`: one RPM package and its version.

What is installed is read with rpm's own query; dnf is asked only where a version is to be found.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from state_engine.resources.contract import Spec
from state_engine.resources.parts import rpm_versions
from state_engine.resources.parts.rpm_packages import RpmPackages
from state_engine.resources.parts.versioned_package import Rules, VersionedPackage

# dnf reads `@` as a group and `*?[` as patterns; no package has such a name.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}")


class PackageDnfSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An RPM package of a host that has dnf; a field that is left out is not managed.

    Installing brings no weak dependencies. `ensure: absent` removes this package alone, and fails
    while others depend on it. A package that is no longer desired stays installed.
    """

    name: Annotated[
        str,
        Meta(description="Name of the package, perhaps with `.architecture`.", examples=["nginx"]),
    ]
    version: Annotated[
        str | None,
        Meta(
            description=(
                "`present` (the default): any version. `latest`: the latest in the enabled"
                " repositories. An exact version, with its release or without; or relations (`<`,"
                " `<=`, `=`, `>=`, `>`) that it must satisfy, separated by commas."
            ),
            examples=["present", "latest", "1.22.1-9.fc40", ">= 1.22, < 2"],
        ),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default) or `absent`."),
    ] = None


class PackageDnf(VersionedPackage):
    """RPM packages of the system below `root`."""

    name = "package-dnf"
    spec_type: type[msgspec.Struct] = PackageDnfSpec

    def __init__(self, root: str = "/") -> None:
        rules = Rules(
            lambda name: _NAME.fullmatch(name) is not None,
            rpm_versions.is_version,
            rpm_versions.compare,
            "letters, digits and `._+-`, for example `openssl-libs` or `glibc.i686`",
        )
        super().__init__(RpmPackages(root), rules)

    def package(self, spec: Spec) -> PackageDnfSpec:
        """Return the specification in its own type."""
        return msgspec.convert(spec, PackageDnfSpec)
