"""Resolution on one node: choices, order, keys, secrets, trust, and what stops it."""

from __future__ import annotations

import pytest

from state_engine.language.load import load_module
from state_engine.language.resolve import Resolved, resolve
from state_engine.model import Module, NodeFacts, ResolvedTrigger, ResourceKey
from state_engine.references import Reference, SecretValue, Unavailable

NODE = NodeFacts(
    "id-1",
    "web-1",
    {"platform": "linux", "distro": "debian", "limit": "30", "dir": "etc"},
    {"env": "prod"},
)

SECRET = SecretValue(Reference("k", 3, "ab" * 32), "s3cret")
SECRETS: dict[str, SecretValue | Unavailable] = {
    "k": SECRET,
    "number": SecretValue(Reference("number", 1, "cd" * 32), "1234"),
    "old": Unavailable("expired at 2026-01-01", "standfast secrets set old"),
}


def module(resources: str, name: str = "web", *, supports: str = "{platform: linux}") -> Module:
    """Return a module of the right shape; its other rules are not checked here."""
    text = (
        f"name: {name}\nsupports: [{supports}]\n"
        "templates:\n  - {id: t, content: 'on ${{ node.name }}'}\n"
        "  - {id: s, content: '${{ secrets.k }}'}\n"
        f"resources:\n{resources}"
    )
    made, problems = load_module(text.encode(), f"{name}.yaml")
    assert made is not None, problems
    return made


def on_node(*modules: Module, trusted: frozenset[str] = frozenset()) -> Resolved:
    """Return what modules mean on the test node, which knows one secret."""
    return resolve(modules, NODE, trusted=trusted, secrets=SECRETS)


FULL = """\
  - id: conf
    name: the file
    depends_on: [dir]
    resource: {file-unix: {path: '/${{ attributes.dir }}/a', template: t, owner: null}}
  - id: dir
    variants:
      - {when: {}, resource: {directory-unix: {path: /never}}}
      - {when: {tag.env: prod}, resource: {directory-unix: {path: /prod}}}
  - id: up
    resource:
      script:
        {program: sh, apply: 'echo ${{ secrets.k }}', rerun_on: [conf, dir],
         timeout: '${{ attributes.limit }}'}
"""


def test_every_choice_is_made_and_dependencies_come_first() -> None:
    made = module(FULL)
    resolved = on_node(made, trusted=frozenset({made.sha256}))
    assert resolved.problems == ()
    directory, conf, script = resolved.resources
    in_prod = ResourceKey("web", "directory-unix", "/prod")
    in_etc = ResourceKey("web", "file-unix", "/etc/a")
    assert directory.key == in_prod
    assert (conf.key, conf.id, conf.name) == (in_etc, "conf", "the file")
    assert conf.spec == {"path": "/etc/a", "content": "on web-1"}
    assert conf.depends_on == (in_prod,)
    assert script.spec == {
        "program": "sh",
        "apply": f"echo {SECRET.reference}",
        "rerun_on": ["conf", "dir"],
        "timeout": 30,
    }
    assert script.triggers == (ResolvedTrigger("rerun", (in_etc, in_prod)),)
    assert script.depends_on == (in_etc, in_prod)
    assert (script.identity, script.sensitive, conf.sensitive) == ("up", ("apply",), ())
    assert all(resource.trusted for resource in resolved.resources)


def test_only_a_module_version_whose_signature_holds_is_trusted() -> None:
    resolved = on_node(module(FULL), trusted=frozenset({"0" * 64}))
    assert not any(resource.trusted for resource in resolved.resources)


def test_modules_go_by_name() -> None:
    a = module("  - resource: {file-unix: {path: /a}}\n", "a")
    b = module("  - resource: {file-unix: {path: /b}}\n", "b")
    assert [resource.module for resource in on_node(b, a).resources] == ["a", "b"]
    assert on_node(b, a) == on_node(a, b)


def test_a_secret_in_a_template_makes_the_content_sensitive() -> None:
    text = "  - resource: {file-unix: {path: /a, template: s, mode: '0600'}}\n"
    (made,) = on_node(module(text)).resources
    assert (made.spec["content"], made.sensitive) == (str(SECRET.reference), ("content",))


def refused(resources: str, *, supports: str = "{platform: linux}") -> list[str]:
    """Return the codes that keep a module from being applied, each at a line of its file."""
    resolved = on_node(module(resources, supports=supports))
    assert not resolved.ok
    assert all(p.file == "web.yaml" and p.line > 1 for p in resolved.problems)
    return [problem.code for problem in resolved.problems]


def file(fields: str) -> str:
    """Return a file resource with fields."""
    return f"  - resource: {{file-unix: {{{fields}}}}}\n"


def script(fields: str) -> str:
    """Return a script resource with the id `s` and fields."""
    return f"  - id: s\n    resource: {{script: {{apply: x, {fields}}}}}\n"


TIE = """\
  - variants:
      - {when: {distro: debian}, resource: {file-unix: {path: /a}}}
      - {when: {tag.env: prod}, resource: {file-unix: {path: /b}}}
"""
SAME = file("path: '/${{ tags.env }}'") + "  - resource: {directory-unix: {path: /prod}}\n"


@pytest.mark.parametrize(
    ("code", "resources"),
    [
        ("expression", file("path: /a, content: '${{ secrets.x }}'")),
        ("expression", file("path: /a, content: '${{ tags.x }}'")),
        ("expression", file("path: /a, content: '${{ attributes.x }}'")),
        ("secret-identity", file("path: '/${{ secrets.k }}'")),
        ("field-value", file("path: '${{ attributes.dir }}'")),
        ("field-value", file("path: /a, mode: '${{ secrets.k }}'")),
        ("field-type", script("program: '${{ tags.env }}'")),
        ("unsigned-in-code", script("program: sh, check: '${{ tags.env }}'")),
        ("unsigned-in-code", script("program: sh, check: '${{ node.name }}'")),
        ("no-variant", TIE.replace("debian", "fedora").replace("prod", "test")),
        ("no-variant", TIE),
        ("duplicate-identity", SAME),
        # what validation finds is found again on the node: it trusts no one to have validated
        ("unknown-kind", "  - resource: {nope: {}}\n"),
        ("not-available", "  - resource: {package-winget: {name: x}}\n"),
        ("unknown-template", file("path: /a, template: nope")),
        ("field-value", file("path: /a, template: t, content: x")),
        ("unknown-id", "  - depends_on: [nope]\n    resource: {file-unix: {path: /a}}\n"),
        ("unknown-id", script("program: sh, rerun_on: [nope]")),
        ("no-identity", script("program: sh").replace("id: s", "name: s")),
        ("missing-field", file("")),
        ("unknown-field", file("path: /a, x: 1")),
        ("cycle", "  - id: a\n    depends_on: [a]\n    resource: {file-unix: {path: /a}}\n"),
    ],
)
def test_what_cannot_be_resolved_is_a_problem_at_its_place(code: str, resources: str) -> None:
    assert refused(resources) == [code]


def test_a_module_that_does_not_support_the_node_does_nothing() -> None:
    made = module("  - resource: {nope: {}}\n", supports="{platform: macos}, {distro: fedora}")
    resolved = on_node(made)
    assert resolved.resources == ()
    assert [problem.code for problem in resolved.problems] == ["not-supported"]
    assert "{platform: macos} or {distro: fedora}" in str(resolved.problems[0])


def test_a_problem_never_quotes_a_secret() -> None:
    resolved = on_node(module("  - resource: {file-unix: {path: /a, mode: '${{ secrets.k }}'}}\n"))
    assert "s3cret" not in str(resolved.problems)


def test_a_secret_in_a_field_that_takes_no_text_is_not_quoted_either() -> None:
    text = (
        "  - id: s\n    resource: {script: {program: sh, apply: x, timeout: '${{ secrets.k }}'}}\n"
    )
    resolved = on_node(module(text))
    assert [problem.code for problem in resolved.problems] == ["field-type"]
    assert "s3cret" not in str(resolved.problems)


def test_modules_that_claim_one_thing_on_this_node_are_refused() -> None:
    first = module("  - resource: {file-unix: {path: '/${{ tags.env }}'}}\n", "a")
    second = module("  - resource: {file-unix: {path: /prod}}\n", "b")
    resolved = on_node(second, first)
    assert [(problem.code, problem.file) for problem in resolved.problems] == [
        ("conflict", "b.yaml")
    ]
    assert "module `a`" in resolved.problems[0].message


def test_a_module_given_twice_is_refused() -> None:
    first = module("  - resource: {file-unix: {path: /a}}\n", "a")
    second = module("  - resource: {file-unix: {path: /b}}\n", "a")
    assert [problem.code for problem in on_node(first, second).problems] == ["duplicate-module"]


def test_without_secrets_every_secret_is_unknown() -> None:
    made = module("  - resource: {file-unix: {path: /a, template: s}}\n")
    resolved = resolve([made], NODE, trusted=frozenset())
    assert [problem.code for problem in resolved.problems] == ["expression"]
    assert "secret `k` is not known on this node" in resolved.problems[0].message


def test_a_secret_stands_only_where_a_reference_can() -> None:
    """What is kept of a resource is still a specification of its kind."""
    text = "resource: {script: {program: sh, apply: x, timeout: '${{ secrets.number }}'}}"
    resolved = on_node(module(f"  - id: s\n    {text}\n"))
    assert [problem.code for problem in resolved.problems] == ["field-type"]
    assert "1234" not in str(resolved)


def test_a_file_that_holds_a_secret_states_its_mode() -> None:
    """Without one it would be readable by everybody, or as it was."""
    for bad in ("{path: /a, template: s}", "{path: /a, content: 'x ${{ secrets.k }}'}"):
        resolved = on_node(module(f"  - resource: {{file-unix: {bad}}}\n"))
        assert [problem.code for problem in resolved.problems] == ["secret-mode"]
    stated = "{path: /a, content: '${{ secrets.k }}', mode: '0640'}"
    assert on_node(module(f"  - resource: {{file-unix: {stated}}}\n")).ok


def test_a_secret_that_cannot_be_had_says_why() -> None:
    """Its expiry, for example, and what to type."""
    resolved = on_node(
        module("  - resource: {file-unix: {path: /a, content: '${{ secrets.old }}'}}\n")
    )
    assert "secret `old` expired at 2026-01-01" in resolved.problems[0].message
    assert resolved.problems[0].hint == "standfast secrets set old"


SKIPPED = """\
  - id: maybe
    else: skip
    on_remove: keep
    variants: [{when: {tag.env: test}, resource: {file-unix: {path: /maybe}}}]
  - id: all
    for_each: [x, y]
    depends_on: [maybe]
    resource: {file-unix: {path: '/${{ each.key }}'}}
  - id: up
    on_remove: keep
    timeout: 30
    on_drift: repair
    resource: {script: {program: sh, apply: x, rerun_on: [maybe, all, 'all[x]']}}
"""


def test_a_resource_that_is_not_wanted_here_is_dropped_with_the_references_to_it() -> None:
    resolved = on_node(module(SKIPPED))
    assert resolved.problems == ()
    x, y, up = resolved.resources
    assert (x.id, y.id, x.depends_on, y.depends_on) == ("all[x]", "all[y]", (), ())
    assert up.triggers == (ResolvedTrigger("rerun", (x.key, y.key)),)
    assert up.depends_on == (x.key, y.key)
    assert (up.on_remove, x.on_remove) == ("keep", "undo")
    assert (up.timeout, x.timeout) == (30, None)
    assert (up.on_drift, x.on_drift) == ("repair", "report")


def test_where_it_is_wanted_the_references_to_it_hold() -> None:
    resolved = on_node(module(SKIPPED.replace("tag.env: test", "tag.env: prod")))
    maybe, x, _, up = resolved.resources
    assert maybe.on_remove == "keep"
    assert x.depends_on == (maybe.key,)
    assert maybe.key in up.depends_on


def test_deleting_on_removal_is_refused_again_on_the_node() -> None:
    text = "  - {on_remove: delete, id: s, resource: {script: {program: sh, apply: x}}}\n"
    assert refused(text) == ["on-remove"]


def test_a_parameter_may_stand_in_code_that_runs_while_planning_and_a_tag_may_not() -> None:
    """A signature covers the defaults of a module, and not the tags of a node."""
    head = "name: m\nsupports: [{platform: linux}]\nparameters: {p: {type: string, default: x}}\n"
    text = "resources:\n  - {id: s, resource: {script: {program: sh, apply: x, check: '%s'}}}\n"
    fine, _ = load_module((head + text % "test ${{ params.p }}").encode())
    bad, _ = load_module((head + text % "test ${{ params.p }} ${{ tags.env }}").encode())
    assert fine is not None
    assert bad is not None
    assert on_node(fine).ok
    assert [problem.code for problem in on_node(bad).problems] == ["unsigned-in-code"]
