"""The one number of this release; a test holds it against the package's metadata file."""

from __future__ import annotations

VERSION = "0.1.0"
