"""A small Debian of its own below a directory: dpkg's database, apt's folders, a signed repository.

For tests with the real dpkg and apt that leave the machine's own packages alone.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def run(*argv: str, home: Path | None = None) -> str:
    environment = ENVIRONMENT if home is None else {**ENVIRONMENT, "GNUPGHOME": str(home)}
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


class AptRoot:
    """The system below `path`, and the repository `repository` with packages built on the spot."""

    def __init__(self, base: Path) -> None:
        self.path = base / "root"
        self.repository = base / "repository"
        self._build = base / "build"
        self._gnupg = base / "gnupg"
        for name in (
            "etc/apt/sources.list.d",
            "etc/apt/preferences.d",
            "etc/apt/apt.conf.d",
            "etc/apt/trusted.gpg.d",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/log/apt",
        ):
            (self.path / name).mkdir(parents=True)
        (self.path / "var/lib/dpkg/status").write_text("", encoding="utf-8")
        self.repository.mkdir()
        self._gnupg.mkdir(mode=0o700)
        self.key = self._make_key()

    def build(
        self, name: str, version: str, *, depends: str = "", conflicts: str = "", script: str = ""
    ) -> Path:
        """Build one package into the repository, which `publish` then lists."""
        folder = self._build / f"{name}_{version.replace(':', '_')}"
        (folder / "DEBIAN").mkdir(parents=True)
        conf = folder / "etc" / f"{name}.conf"
        conf.parent.mkdir()
        conf.write_text(f"# of {version}\n", encoding="utf-8")
        (folder / "DEBIAN/conffiles").write_text(f"/etc/{name}.conf\n", encoding="utf-8")
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        control += "Maintainer: Nobody <nobody@example.org>\nDescription: a package for a test\n"
        control += f"Depends: {depends}\n" if depends else ""
        control += f"Conflicts: {conflicts}\n" if conflicts else ""
        (folder / "DEBIAN/control").write_text(control, encoding="utf-8")
        if script:
            (folder / "DEBIAN/postinst").write_text(script, encoding="utf-8")
            (folder / "DEBIAN/postinst").chmod(0o755)
        target = self.repository / f"{folder.name}.deb"
        run("dpkg-deb", "--root-owner-group", "--build", str(folder), str(target))
        return target

    def publish(self) -> None:
        """Write and sign the index of what was built so far."""
        stanzas: list[str] = []
        for package in sorted(self.repository.glob("*.deb")):
            data = package.read_bytes()
            control = run("dpkg-deb", "--field", str(package))
            stanzas.append(
                f"{control}Filename: ./{package.name}\nSize: {len(data)}\n"
                f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
            )
        index = "\n".join(stanzas).encode()
        (self.repository / "Packages").write_bytes(index)
        release = (
            "Origin: test\nSuite: ./\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
            f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
        )
        (self.repository / "Release").write_text(release, encoding="utf-8")
        run(
            *("gpg", "--batch", "--yes", "--clearsign"),
            *("-o", str(self.repository / "InRelease"), str(self.repository / "Release")),
            home=self._gnupg,
        )

    def installed(self, name: str) -> str:
        """Return dpkg's own word on a package: "install ok installed 1.0", or ""."""
        show = ("--show", "--showformat=${Status} ${Version}", name)
        argv = ("dpkg-query", f"--admindir={self.path}/var/lib/dpkg", *show)
        done = subprocess.run(argv, check=False, capture_output=True, text=True, env=ENVIRONMENT)
        return done.stdout.strip()

    def dpkg(self, *arguments: str) -> None:
        """Do something to the packages behind everybody's back."""
        run("dpkg", f"--root={self.path}", f"--log={self.path}/var/log/dpkg.log", *arguments)

    def _make_key(self) -> str:
        who = ("--quick-generate-key", "Test <test@example.org>", "ed25519", "sign", "never")
        run("gpg", "--batch", "--passphrase", "", *who, home=self._gnupg)
        text = run("gpg", "--armor", "--export", home=self._gnupg)
        run("gpgconf", "--kill", "all", home=self._gnupg)
        return text
