"""The digests that a decision binds."""

from __future__ import annotations

import msgspec

from state_engine.engine.digests import desired_digest, observed_digest, removal_digest
from state_engine.model import AppliedResource
from state_engine.resources.file_unix import FileObservation
from tests.fakes.ports import FakePorts
from tests.fakes.resources import a_file

SEEN = FileObservation("file", 0o644, "root", "root", 3, "d" * 64, "text")


def test_equal_specifications_have_equal_digests_whatever_their_order() -> None:
    """And labels do not count: they change nothing on the host."""
    ports = FakePorts()
    one = a_file("/f", "x", mode="0644", owner="root")
    spec = dict(reversed(one.spec.items()))
    two = msgspec.structs.replace(one, spec=spec, id="other", name="label")
    assert desired_digest(one, ports) == desired_digest(two, ports)
    assert desired_digest(one, ports) != desired_digest(a_file("/f", "y"), ports)


def test_a_sensitive_resource_has_keyed_digests() -> None:
    """Whoever reads the plan cannot try out guesses; the same host gives the same digest."""
    ports = FakePorts()
    plain, secret = a_file("/f", "1234"), a_file("/f", "1234", sensitive=("content",))
    assert desired_digest(secret, ports) == desired_digest(secret, ports)
    assert desired_digest(secret, ports) != desired_digest(plain, ports)


def test_what_was_found_is_digested_under_the_hosts_own_key() -> None:
    """Two hosts that hold the same give digests that nobody can compare or try guesses against."""
    here, there = FakePorts(), FakePorts(key=b"another host's key".ljust(32))
    assert observed_digest(SEEN, here) == observed_digest(SEEN, here)
    assert observed_digest(SEEN, here) != observed_digest(SEEN, there)
    applied = AppliedResource(a_file("/f"), pre_image="d" * 64)
    assert removal_digest(applied, here) != removal_digest(applied, there)


def test_nothing_found_and_something_found_differ() -> None:
    """And the text read for showing it does not count."""
    ports = FakePorts()
    seen = observed_digest(SEEN, ports)
    assert observed_digest(None, ports) != seen
    other = msgspec.structs.replace(SEEN, text=None)
    assert observed_digest(other, ports) == seen


def test_removal_binds_how_it_would_be_undone() -> None:
    """Deleting and restoring are two decisions."""
    ports, resource = FakePorts(), a_file("/f")
    delete = AppliedResource(resource, created=True)
    restore = AppliedResource(resource, pre_image="d" * 64)
    assert removal_digest(delete, ports) != removal_digest(restore, ports)
