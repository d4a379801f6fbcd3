"""The kind `container`: one container of docker or podman."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    Observation,
    RunScript,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import container_engine
from state_engine.resources.parts.container_engine import Container, Engine, Restart, Wish

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}")


class ContainerSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A container, made from an image of a fixed tag or digest, and kept running.

    A container cannot be changed: one that differs is stopped, removed and made again (its image is
    fetched first), and its volumes stay. One of the same name that we did not make is left alone
    unless `adopt: true`. Removal stops and removes a container that we made.
    """

    name: Annotated[str, Meta(description="Name of the container.", examples=["web"])]
    image: Annotated[
        str | None,
        Meta(
            description="Image with a tag (not `latest`) or, better, a digest.",
            examples=["docker.io/library/nginx:1.27"],
        ),
    ] = None
    command: Annotated[
        list[str] | None, Meta(description="Arguments in place of the image's own.")
    ] = None
    env: Annotated[dict[str, str] | None, Meta(description="Variables beside the image's.")] = None
    ports: Annotated[
        list[str] | None,
        Meta(
            description="What to publish: `[address:]port:port of the container[/udp]`.",
            examples=[["127.0.0.1:8080:80"]],
        ),
    ] = None
    volumes: Annotated[
        list[str] | None,
        Meta(
            description=(
                "What to mount: `path or volume:path in the container[:ro]`; `:z` or `:Z` labels it"
                " for SELinux."
            ),
            examples=[["/srv/site:/usr/share/nginx/html:ro"]],
        ),
    ] = None
    restart: Annotated[
        Restart | None, Meta(description="When the engine starts it again; `no` if left out.")
    ] = None
    user: Annotated[
        str | None, Meta(description="User (and `:group`) inside it; the image's if left out.")
    ] = None
    network: Annotated[
        str | None, Meta(description="Network that it joins; the engine's own if left out.")
    ] = None
    running: Annotated[bool | None, Meta(description="Whether it runs; true if left out.")] = None
    engine: Annotated[
        Engine | None, Meta(description="`docker` or `podman`, where a host has both.")
    ] = None
    adopt: Annotated[
        bool | None, Meta(description="Replace a container of this name that we did not make.")
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default) or `absent`."),
    ] = None


class ContainerObservation(msgspec.Struct, frozen=True):
    """The engine of the host, and the container of the name if there is one.

    `image` says that the image is here, where that matters.
    """

    engine: Engine
    found: Container | None = None
    image: bool = False

    @property
    def captured(self) -> CapturedStream | None:
        """What the engine says when it is asked is an answer, not output."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: which container, whether it runs, and its digest."""
        if self.found is None:
            return {"engine": self.engine, "id": None}
        return {
            "engine": self.engine,
            "id": self.found.id,
            "running": self.found.running,
            "label": self.found.label,
        }


class ContainerKind:
    """Containers."""

    name = "container"
    spec_type: type[msgspec.Struct] = ContainerSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of names, image, ports, volumes and variables."""
        wish = _spec(spec)
        problems: list[SpecProblem] = []
        if not _NAME.fullmatch(wish.name):
            hint = "letters, digits and `_.-`"
            message = f"`{wish.name}` is not the name of a container"
            problems.append(SpecProblem("name", message, hint))
        if wish.ensure != "absent":
            problems += _check_image(wish.image)
        problems += _check_places(wish)
        for name, value in (wish.env or {}).items():
            if not _VARIABLE.fullmatch(name) or re.search(r"[\n\r\0]", value):
                message = f"`{name}` is no variable of one line"
                problems.append(SpecProblem("env", message))
        for field, given, pattern in (("user", wish.user, _USER), ("network", wish.network, _NAME)):
            if given is not None and not pattern.fullmatch(given):
                problems.append(SpecProblem(field, f"`{given}` cannot be a {field}"))
        if any("\0" in word for word in wish.command or []):
            problems.append(SpecProblem("command", "an argument holds a NUL byte"))
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the name."""
        del resource_id
        name = spec.get("name")
        return name if isinstance(name, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return nothing: only the engine knows of its containers."""
        del spec
        return ()

    def runs_code(self, spec: Spec) -> bool:
        """Looking asks the engine of the host, and nothing of the module is run."""
        del spec
        return False

    def glance(self, spec: Spec) -> None:
        """The engine has to be asked."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> ContainerObservation:
        """Return the container of this name."""
        del verify
        wish = _spec(spec)
        engine = container_engine.find_engine(wish.engine, ports)
        found = container_engine.find(engine, wish.name, ports)
        if wish.image is None or (found is not None and not _changes(wish, found)):
            return ContainerObservation(engine, found)
        image = container_engine.has_image(engine, wish.image, ports)
        return ContainerObservation(engine, found, image)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error for a container that somebody else made."""
        del context
        wish, seen = _spec(spec), _seen(observation)
        engine, found = seen.engine, seen.found
        absent = wish.ensure == "absent"
        if found is None:
            if absent:
                return Difference("none")
            change = Change("container", None, wish.image)
            return Difference("create", (change,), steps=_make(seen, wish))
        if not found.label and not wish.adopt:
            message = (
                f"the container `{wish.name}` is there and not ours; `adopt: true` replaces it"
            )
            return Difference("error", message=message)
        if absent:
            change = Change("ensure", "present", "absent")
            return Difference("update", (change,), steps=_remove(engine, found))
        changes = _changes(wish, found)
        if changes:
            return Difference("update", changes, "it is made again", _make(seen, wish))
        runs = wish.running is not False
        if runs == found.running:
            return Difference("none")
        change = Change("running", str(found.running).lower(), str(runs).lower())
        call = (container_engine.start if runs else container_engine.stop)(engine, found.id)
        return Difference("update", (change,), steps=(RunScript(call, "apply"),))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what comparing has found to be done."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return the removal of a container that we made; its volumes stay."""
        del spec
        seen = _seen(observation)
        if seen.found is None:
            return Undo(message="forgotten: it is not there")
        if not seen.found.label or not applied.created:
            return Undo(message="kept: it was there before us")
        change = Change("container", seen.found.wish.image)
        return Undo(_remove(seen.engine, seen.found), (change,), "stop and remove it")


def _spec(spec: Spec) -> ContainerSpec:
    return msgspec.convert(spec, ContainerSpec)


def _seen(observation: Observation | None) -> ContainerObservation:
    if not isinstance(observation, ContainerObservation):
        raise TypeError(f"container was handed {type(observation).__name__}")
    return observation


def _check_image(image: str | None) -> list[SpecProblem]:
    if image is None:
        return [SpecProblem("image", "`image` is missing", "say what it is made from")]
    found = _IMAGE.fullmatch(image)
    if found is None or len(image) > 512:
        return [SpecProblem("image", f"`{image}` is not the name of an image")]
    if found["digest"] is None and found["tag"] in {None, "latest"}:
        hint = "a tag such as `:1.27`, or a digest `@sha256:…`"
        return [SpecProblem("image", f"`{image}` is another one every day", hint)]
    return []


def _check_places(wish: ContainerSpec) -> list[SpecProblem]:
    problems: list[SpecProblem] = []
    for text in wish.ports or []:
        if container_engine.read_port(text) is None:
            hint = "for example 127.0.0.1:8080:80 or 53:53/udp"
            problems.append(SpecProblem("ports", f"`{text}` is no published port", hint))
    for text in wish.volumes or []:
        if container_engine.wished_volume(text) is None:
            hint = "/path:/path, name:/path, perhaps with :ro, :z or :Z"
            problems.append(SpecProblem("volumes", f"`{text}` is no volume", hint))
    return problems


def _wish(spec: ContainerSpec) -> Wish:
    ports = (container_engine.read_port(text) for text in spec.ports or [])
    volumes = (container_engine.wished_volume(text) for text in spec.volumes or [])
    return Wish(
        spec.name,
        spec.image or "",
        tuple(spec.command or ()),
        tuple(sorted((spec.env or {}).items())),
        tuple(sorted({port for port in ports if port is not None})),
        tuple(sorted({volume for volume in volumes if volume is not None})),
        spec.restart or "no",
        spec.user or "",
        spec.network or "",
    )


def _digest(wish: Wish) -> str:
    return hashlib.sha256(msgspec.json.encode(wish)).hexdigest()


def _changes(spec: ContainerSpec, found: Container) -> tuple[Change, ...]:
    wish, there = _wish(spec), found.wish
    # How a volume is labelled is not to be seen afterwards.
    volumes = sorted(container_engine.read_volume(each) or each for each in wish.volumes)
    pairs = [
        ("image", there.image, container_engine.plain_image(wish.image)),
        ("ports", ", ".join(there.ports), ", ".join(wish.ports)),
        ("volumes", ", ".join(there.volumes), ", ".join(volumes)),
        ("restart", there.restart, wish.restart),
        ("command", " ".join(there.command), " ".join(wish.command or there.command)),
        ("user", there.user, wish.user or there.user),
        ("network", there.network, wish.network or there.network),
    ]
    changes = [Change(field, was, to) for field, was, to in pairs if was != to]
    have = dict(there.env)
    # Names alone: a variable is where people keep passwords.
    differing = [name for name, value in wish.env if have.get(name) != value]
    if differing:
        changes.append(Change("env", f"{', '.join(differing)} differ", "as given"))
    digest = _digest(wish)
    if not changes and found.label != digest:
        # The digest itself is not shown: the variables are in it.
        changes.append(Change("spec", "another" if found.label else None, "as given"))
    return tuple(changes)


def _make(seen: ContainerObservation, spec: ContainerSpec) -> tuple[Step, ...]:
    wish, engine = _wish(spec), seen.engine
    # The image first: where it is not to be had, the old container goes on running.
    calls = [] if seen.image else [container_engine.pull(engine, wish.image)]
    if seen.found is not None:
        calls += [step.call for step in _remove(engine, seen.found)]
    runs = spec.running is not False
    calls.append(container_engine.make(engine, wish, _digest(wish), start=runs))
    return tuple(RunScript(call, "apply") for call in calls)


def _remove(engine: Engine, found: Container) -> tuple[RunScript, ...]:
    calls = [container_engine.remove(engine, found.id)]
    if found.running:
        calls.insert(0, container_engine.stop(engine, found.id))
    return tuple(RunScript(call, "apply") for call in calls)
