"""Every rule of the language: a module that keeps it, and one that breaks it, with its place."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from protocol.reports import TriggerKind
from state_engine.language.load import MAX_BYTES, load_module
from state_engine.language.validate import check_text, validate_module
from state_engine.model import Clause, Module, Resource
from state_engine.resources.contract import Spec, SpecProblem
from state_engine.resources.file_unix import FileUnix
from state_engine.resources.registry import KINDS
from tests.fakes.module_rules import HEAD, RULES, A, B, Rule, choice, two
from tests.fakes.module_rules_ours import OURS, with_parameter

EVERY = RULES | OURS


@pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY)
def test_a_module_that_keeps_the_rule_is_accepted(rule: Rule) -> None:
    module, problems = check_text(rule.good.encode(), "m.yaml")
    assert [str(problem) for problem in problems if problem.severity == "error"] == []
    assert module is not None


@pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY)
def test_a_module_that_breaks_the_rule_is_refused_at_its_place(rule: Rule) -> None:
    module, problems = check_text(rule.bad.encode(), "m.yaml")
    found = [(p.code, (p.line, p.column)) for p in problems if p.severity == "error"]
    assert module is None
    assert found == [(rule.code, rule.place)]
    assert rule.says in next(str(p) for p in problems if p.severity == "error")


WARNINGS = {
    "unknown-distro": ("name: web\nsupports: [{distro: debain}]\n", (2, 21)),
    "unused-template": (f"{HEAD}templates: [{{id: t, content: x}}]\n", (3, 18)),
    "impossible-clause": (
        "name: web\nsupports: [{platform: linux}, {platform: windows, distro: debian}]\n",
        (2, 31),
    ),
    "unused-parameter": (f"{HEAD}parameters: {{p: {{type: list, default: []}}}}\n", (3, 14)),
    "parameter-needed": (with_parameter("type: string"), (3, 14)),
    "variant-unused": (choice("{platform: linux}", "{}", "{platform: macos}"), (6, 9)),
}


@pytest.mark.parametrize("code", WARNINGS)
def test_a_doubtful_module_is_accepted_with_a_warning(code: str) -> None:
    text, place = WARNINGS[code]
    module, problems = check_text(text.encode())
    assert module is not None
    assert [(p.code, p.severity, (p.line, p.column)) for p in problems] == [
        (code, "warning", place)
    ]


def test_several_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = (
        "name: web\nsuports: 1\nsupports: [{platform: lin}]\nresources:\n"
        "  - resource: {file-unix: {path: a, mod: x}}\n  - resource: {nope: {}}\n"
    )
    _, problems = check_text(text.encode())
    assert [problem.code for problem in problems] == [
        "unknown-key",
        "clause-value",
        "unknown-field",
        "unknown-kind",
    ]


def test_a_mistake_in_one_resource_does_not_make_references_to_it_wrong() -> None:
    text = two("resource: {file-unix: {path: 1}}", "depends_on: [a]\n    " + B)
    _, problems = check_text(text.encode())
    assert [problem.code for problem in problems] == ["field-type"]


def test_a_clause_that_could_not_be_read_makes_no_tie_and_no_unused_template() -> None:
    text = (
        choice("{platform: linux}", "{}", "{arch: x86-64}") + "templates: [{id: t, content: x}]\n"
    )
    assert [problem.code for problem in check_text(text.encode())[1]] == ["clause-value"]


def test_variants_that_exclude_each_other_may_claim_one_path_in_two_resources() -> None:
    variants = (
        "variants:\n      - {{when: {{}}, resource: {{file-unix: {{path: {}}}}}}}\n"
        "      - {{when: {{distro: {}}}, resource: {{file-unix: {{path: /x}}}}}}"
    )
    apart = two(variants.format("/a", "debian"), variants.format("/b", "fedora"))
    together = two(variants.format("/a", "debian"), variants.format("/b", "debian"))
    assert check_text(apart.encode())[1] == []
    assert [problem.code for problem in check_text(together.encode())[1]] == ["duplicate-identity"]


STATIC_SITE = """\
# yaml-language-server: $schema=module.json
name: static-site
supports:
  - {platform: linux, init_system: systemd, distro: debian}
  - {platform: linux, init_system: systemd, distro: ubuntu}
  - {platform: linux, init_system: systemd, distro: fedora}
templates:
  - id: page
    content: |
      <h1>${{ node.name }}</h1>
resources:
  - id: package
    variants:
      - when: {distro: debian}
        resource: {package-apt: {name: nginx}}
      - when: {distro: ubuntu}
        resource: {package-apt: {name: nginx}}
      - when: {distro: fedora}
        resource: {package-dnf: {name: nginx}}
  - id: page
    resource: {file-unix: {path: /srv/www/index.html, template: page}}
  - resource: {service-systemd: {name: nginx, enabled: true, running: true, reload_on: [page]}}
"""

COMPOSE_STACK = """\
name: stack
supports: [{platform: linux}]
templates: [{id: compose, content: 'services: {}'}, {id: env, content: 'A=1'}]
resources:
  - id: top
    resource: {directory-unix: {path: /opt/stack}}
  - id: data
    depends_on: [top]
    resource: {directory-unix: {path: /opt/stack/data, mode: "0750"}}
  - id: compose
    depends_on: [top]
    resource: {file-unix: {path: /opt/stack/compose.yaml, template: compose}}
  - id: env
    depends_on: [top]
    resource: {file-unix: {path: /opt/stack/.env, template: env, mode: "0600"}}
  - name: bring the stack up
    resource:
      script:
        program: bash
        manages: stack
        rerun_on: [compose, env]
        apply: docker compose -f /opt/stack/compose.yaml up -d
        undo: docker compose -f /opt/stack/compose.yaml down
"""


def test_the_published_compose_example_is_accepted() -> None:
    module, problems = check_text(COMPOSE_STACK.encode())
    assert problems == []
    assert module is not None


def test_the_published_site_example_lacks_only_kinds_of_a_later_version() -> None:
    _, problems = check_text(STATIC_SITE.encode())
    errors = [problem.code for problem in problems if problem.severity == "error"]
    assert set(errors) <= {"not-available"}


class ServiceSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a kind with two triggers, as services will have."""

    path: str
    reload_on: list[str] | None = None
    restart_on: list[str] | None = None


class Service(FileUnix):
    """A kind with two triggers."""

    name = "service"
    spec_type = ServiceSpec
    trigger_fields: Mapping[str, TriggerKind] = {"reload_on": "reload", "restart_on": "restart"}

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Say nothing."""
        del spec
        return []


@pytest.mark.parametrize(("restart", "codes"), [("b", []), ("a", ["two-triggers"])])
def test_an_id_may_not_reload_and_restart_one_service(restart: str, codes: list[str]) -> None:
    text = two(A, B) + (
        "  - id: s\n    resource: {service: {path: /s, reload_on: [a], "
        f"restart_on: [{restart}]}}}}\n"
    )
    module, problems = load_module(text.encode())
    assert problems == []
    assert module is not None
    found = validate_module(module, {**KINDS, "service": Service()})
    assert [problem.code for problem in found] == codes
    assert all((problem.line, problem.column) == (9, 65) for problem in found)


def test_a_module_that_was_not_read_from_text_can_be_validated() -> None:
    bad = Module("m", "0", (Clause((("platform", "linux"),)),), (), (Resource(kind="x", spec={}),))
    assert [problem.code for problem in validate_module(bad)] == ["unknown-kind"]


def test_a_file_over_the_limit_is_refused_unread() -> None:
    assert [p.code for p in check_text(b"#" * (MAX_BYTES + 1))[1]] == ["too-large"]
    assert check_text(HEAD.encode() + b"#" * (MAX_BYTES - len(HEAD)))[1] == []
