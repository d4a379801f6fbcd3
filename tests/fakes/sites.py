"""Small modules for tests of the agent, all below one directory of the test's own."""

from __future__ import annotations

from pathlib import Path


def site(root: Path, text: str = "hello", name: str = "site") -> bytes:
    """A directory and one file in it."""
    return f"""
name: {name}
supports:
  - platform: linux
resources:
  - id: root
    resource:
      directory-unix:
        path: {root}/srv
        mode: "0755"
  - id: page
    depends_on: [root]
    resource:
      file-unix:
        path: {root}/srv/index.html
        content: "{text}"
        mode: "0644"
""".encode()


def looking(root: Path) -> bytes:
    """A script whose check would leave a trace: the canary of code run while looking."""
    return f"""
name: looking
supports:
  - platform: linux
resources:
  - id: probe
    resource:
      script:
        program: sh
        manages: probe
        check: touch {root}/canary; exit 1
        check_writes: true
        apply: touch {root}/canary
""".encode()


def scripts(root: Path, count: int, pause: str = "0.05") -> bytes:
    """Scripts that each append a line to a file of their own: running one twice shows."""
    resources = "".join(
        f"""
  - id: s{number}
    {f"depends_on: [s{number - 1}]" if number else ""}
    resource:
      script:
        program: sh
        manages: s{number}
        check: test -s {root}/out/{number}.end
        apply: |
          echo run >> {root}/out/{number}.begin
          sleep {pause}
          echo run >> {root}/out/{number}.end
"""
        for number in range(count)
    )
    return f"name: scripts\nsupports:\n  - platform: linux\nresources:{resources}".encode()
