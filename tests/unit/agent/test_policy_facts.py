from __future__ import annotations

from pathlib import Path

from agent.policy_facts import told


def test_a_host_tells_what_its_policy_asks(tmp_path: Path) -> None:
    """A rule that is in the file is told; no file, nothing; a bad file, that it is bad."""
    tmp_path.chmod(0o700)
    path = tmp_path / "policy.toml"
    assert told(path) == {}
    path.write_text('[capabilities."state.apply"]\nquorum = 2\nrequester_excluded = true\n')
    path.chmod(0o600)
    assert told(path) == {
        "policy.quorum.state.apply": 2,
        "policy.signature.state.apply": "operator",
        "policy.requester_excluded.state.apply": 1,
    }
    path.write_text("quorum = 2\n")
    assert list(told(path)) == ["policy.problem"]
