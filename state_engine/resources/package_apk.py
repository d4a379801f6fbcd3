"""The kind `package-apk`: one Alpine package and its version.

What is installed is read from apk's own database; apk is asked only where a version is to be found.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from state_engine.resources.contract import Spec
from state_engine.resources.parts import alpine_versions
from state_engine.resources.parts.apk_packages import ApkPackages
from state_engine.resources.parts.versioned_package import Rules, VersionedPackage

# apk reads `@` as a repository's tag, `!` as a conflict and `<=>~` as relations.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}")


class PackageApkSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Alpine package; a field that is left out is not managed.

    What is asked for becomes a line of apk's world file, so an exact version stays pinned there
    until the module says otherwise. `ensure: absent` removes this package alone, and fails while
    others depend on it. A package that is no longer desired stays installed.
    """

    name: Annotated[str, Meta(description="Name of the package.", examples=["nginx"])]
    version: Annotated[
        str | None,
        Meta(
            description=(
                "`present` (the default): any version. `latest`: the latest in the repositories"
                " without a tag. An exact version; or relations (`<`, `<=`, `=`, `>=`, `>`) that"
                " it must satisfy, separated by commas."
            ),
            examples=["present", "latest", "1.24.0-r7", ">= 1.24, < 2"],
        ),
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default) or `absent`."),
    ] = None


class PackageApk(VersionedPackage):
    """Alpine packages of the system below `root`."""

    name = "package-apk"
    spec_type: type[msgspec.Struct] = PackageApkSpec

    def __init__(self, root: str = "/") -> None:
        rules = Rules(
            lambda name: _NAME.fullmatch(name) is not None,
            alpine_versions.is_version,
            alpine_versions.compare,
            "letters, digits and `._+-`, for example `nginx-mod-http-js`",
        )
        super().__init__(ApkPackages(root), rules)

    def package(self, spec: Spec) -> PackageApkSpec:
        """Return the specification in its own type."""
        return msgspec.convert(spec, PackageApkSpec)
