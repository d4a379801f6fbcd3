"""The rules of the module language: for each a module that keeps it and one that breaks it."""

from __future__ import annotations

from typing import NamedTuple

HEAD = "name: web\nsupports: [{platform: linux}]\n"
A = "resource: {file-unix: {path: /a}}"
B = "resource: {file-unix: {path: /b}}"
C = "resource: {file-unix: {path: /c}}"
SH = "program: sh, apply: 'true'"


class Rule(NamedTuple):
    """One rule: `good` keeps it, `bad` breaks it with `code` at `place`."""

    code: str
    good: str
    bad: str
    place: tuple[int, int]
    says: str


def one(resource: str) -> str:
    """Return a module with one resource, whose text starts at line 4, column 5."""
    return f"{HEAD}resources:\n  - {resource}\n"


def two(first: str, second: str) -> str:
    """Return a module with two resources with ids `a` and `b`."""
    return f"{HEAD}resources:\n  - id: a\n    {first}\n  - id: b\n    {second}\n"


def choice(supports: str, *whens: str) -> str:
    """Return a module with one resource of several variants; `variants` stands at line 4."""
    rows = "".join(f"      - {{when: {when}, {A}}}\n" for when in whens)
    return f"name: web\nsupports: [{supports}]\nresources:\n  - variants:\n{rows}"


RULES = {
    # 3.1 the module
    "name is needed": Rule(
        "missing-key", HEAD, "supports: [{platform: linux}]\n", (1, 1), "needs the key `name`"
    ),
    "name is text": Rule("type", HEAD, HEAD.replace("web", "7"), (1, 7), 'write "7"'),
    "name has no slash": Rule("name", HEAD, HEAD.replace("web", "a/b"), (1, 7), "holds a `/`"),
    "name is not empty": Rule("name", HEAD, HEAD.replace("web", '""'), (1, 7), "is empty"),
    "name is no expression": Rule(
        "name", HEAD, HEAD.replace("web", "x ${{ node.name }}"), (1, 7), "cannot be an expression"
    ),
    "supports is needed": Rule("supports", HEAD, "name: web\n", (1, 1), "fits no node"),
    "supports is not empty": Rule(
        "supports", HEAD, "name: web\nsupports: []\n", (2, 1), "no clause"
    ),
    "module keys are known": Rule(
        "unknown-key", HEAD, f"{HEAD}resorces: []\n", (3, 1), "did you mean `resources`?"
    ),
    "no merge keys": Rule("unknown-key", HEAD, f"{HEAD}<<: {{}}\n", (3, 1), "merge keys"),
    # templates
    "template keys are known": Rule(
        "unknown-key",
        f"{HEAD}templates: [{{id: t, content: x}}]\n",
        f"{HEAD}templates: [{{id: t, contents: x, content: x}}]\n",
        (3, 21),
        "did you mean `content`?",
    ),
    "template needs content": Rule(
        "missing-key",
        f"{HEAD}templates: [{{id: t, content: x}}]\n",
        f"{HEAD}templates: [{{id: t}}]\n",
        (3, 13),
        "needs the key `content`",
    ),
    "template ids differ": Rule(
        "duplicate-template",
        f"{HEAD}templates: [{{id: t, content: x}}, {{id: u, content: x}}]\n",
        f"{HEAD}templates: [{{id: t, content: x}}, {{id: t, content: x}}]\n",
        (3, 39),
        "first on line 3",
    ),
    "template exists": Rule(
        "unknown-template",
        f"{HEAD}templates: [{{id: motd, content: x}}]\nresources:\n"
        "  - resource: {file-unix: {path: /a, template: motd}}\n",
        f"{HEAD}templates: [{{id: motd, content: x}}]\nresources:\n"
        "  - resource: {file-unix: {path: /a, template: modt}}\n",
        (5, 48),
        "did you mean `motd`?",
    ),
    "content excludes template": Rule(
        "field-value",
        f"{HEAD}templates: [{{id: t, content: x}}]\nresources:\n"
        "  - resource: {file-unix: {path: /a, template: t}}\n",
        f"{HEAD}templates: [{{id: t, content: x}}]\nresources:\n"
        "  - resource: {file-unix: {path: /a, template: t, content: x}}\n",
        (5, 48),
        "exclude each other",
    ),
    # resources
    "resource keys are known": Rule(
        "unknown-key",
        one(f"{{depends_on: [], {A}}}"),
        one(f"{{depend_on: [], {A}}}"),
        (4, 6),
        "did you mean `depends_on`?",
    ),
    "resource has a form": Rule("resource-form", one(A), one("id: a"), (4, 5), "needs `resource`"),
    "not both forms": Rule(
        "resource-form", one(A), one(f"{{{A}, variants: []}}"), (4, 41), "not both"
    ),
    "variants are not empty": Rule(
        "resource-form", one(A), one("variants: []"), (4, 5), "`variants` is empty"
    ),
    "kind stands under resource": Rule(
        "resource-form", one(A), one("file-unix: {path: /a}"), (4, 5), "must stand under `resource`"
    ),
    "exactly one kind": Rule(
        "one-kind",
        one(A),
        one("resource: {file-unix: {path: /a}, script: {}}"),
        (4, 5),
        "it names `file-unix`, `script`",
    ),
    "one kind at least": Rule("one-kind", one(A), one("resource: {}"), (4, 5), "it names none"),
    "kind exists": Rule(
        "unknown-kind",
        one(A),
        one("resource: {file-unx: {path: /a}}"),
        (4, 16),
        "did you mean `file-unix`?",
    ),
    "kind of a later version": Rule(
        "not-available",
        one(A),
        one("resource: {package-winget: {name: nginx}}"),
        (4, 16),
        "kind `package-winget` is not available in this version",
    ),
    "id is text": Rule("type", one(f"{{id: '1', {A}}}"), one(f"{{id: 1, {A}}}"), (4, 10), "text"),
    "ids differ": Rule(
        "duplicate-id", two(A, B), two(A, B).replace("id: b", "id: a"), (6, 9), "first on line 4"
    ),
    # 3.2 fields
    "field exists": Rule(
        "unknown-field",
        one("resource: {file-unix: {path: /a, content: x}}"),
        one("resource: {file-unix: {path: /a, contnt: x}}"),
        (4, 46),
        "did you mean `content`?",
    ),
    "field is needed": Rule(
        "missing-field", one(A), one("resource: {file-unix: {}}"), (4, 16), "the field `path`"
    ),
    "field has its type": Rule(
        "field-type",
        one("resource: {file-unix: {path: /a, mode: 0644}}"),
        one("resource: {file-unix: {path: /a, mode: 644}}"),
        (4, 44),
        "write it in quotes",
    ),
    "field is one of some words": Rule(
        "field-type",
        one(f"{{id: s, resource: {{script: {{{SH}}}}}}}"),
        one("{id: s, resource: {script: {program: bsh, apply: x}}}"),
        (4, 42),
        "did you mean `bash`?",
    ),
    "number is in range": Rule(
        "field-type",
        one(f"{{id: s, resource: {{script: {{{SH}, timeout: 60}}}}}}"),
        one(f"{{id: s, resource: {{script: {{timeout: 0, {SH}}}}}}}"),
        (4, 42),
        "a whole number from 1",
    ),
    "path is absolute": Rule(
        "field-value", one(A), one("resource: {file-unix: {path: a}}"), (4, 34), "absolute"
    ),
    "mode is octal": Rule(
        "field-value",
        one("resource: {file-unix: {path: /a, mode: '0755'}}"),
        one("resource: {file-unix: {path: /a, mode: '0799'}}"),
        (4, 44),
        "octal",
    ),
    "script is named": Rule(
        "no-identity",
        one(f"{{name: up, resource: {{script: {{manages: stack, {SH}}}}}}}"),
        one(f"{{name: up, resource: {{script: {{{SH}}}}}}}"),
        (4, 27),
        "or `manages`",
    ),
    "identities differ": Rule(
        "duplicate-identity", two(A, B), two(A, A), (7, 16), "first on line 5"
    ),
    "a path has one kind": Rule(
        "duplicate-identity",
        two(A, "resource: {directory-unix: {path: /d}}"),
        two(A, "resource: {directory-unix: {path: /a}}"),
        (7, 16),
        "managed twice",
    ),
    # clauses
    "clause key is known": Rule(
        "clause-key",
        HEAD,
        "name: web\nsupports: [{platfrm: linux}]\n",
        (2, 13),
        "did you mean `platform`?",
    ),
    "tag key has a name": Rule(
        "clause-key",
        "name: web\nsupports: [{tag.env: prod}]\n",
        "name: web\nsupports: [{'tag.a b': prod}]\n",
        (2, 13),
        "without spaces",
    ),
    "platform is known": Rule(
        "clause-value",
        HEAD,
        HEAD.replace("linux", "linus"),
        (2, 23),
        "did you mean `linux`?",
    ),
    "arch is known": Rule(
        "clause-value",
        "name: web\nsupports: [{arch: armv7}]\n",
        "name: web\nsupports: [{arch: x86-64}]\n",
        (2, 19),
        "did you mean `x86_64`?",
    ),
    "init system is known": Rule(
        "clause-value",
        "name: web\nsupports: [{init_system: init.d}]\n",
        "name: web\nsupports: [{init_system: system}]\n",
        (2, 26),
        "did you mean `systemd`?",
    ),
    "version is text": Rule(
        "type",
        "name: web\nsupports: [{version: '22.04'}]\n",
        "name: web\nsupports: [{version: 22.04}]\n",
        (2, 22),
        'write "22.04"',
    ),
    # 3.3 variants
    "variants leave no gap": Rule(
        "variant-gap",
        choice("{platform: linux}", "{platform: linux}", "{distro: debian, arch: x86_64}"),
        choice("{platform: linux}", "{distro: debian}"),
        (4, 5),
        "may find no variant",
    ),
    "variants do not tie": Rule(
        "variant-tie",
        choice(
            "{platform: linux}",
            "{}",
            "{distro: debian}",
            "{arch: x86_64}",
            "{distro: debian, arch: x86_64}",
        ),
        choice("{platform: linux}", "{}", "{distro: debian}", "{arch: x86_64}"),
        (7, 9),
        "equally specific",
    ),
    "equal clauses tie": Rule(
        "variant-tie",
        choice("{platform: linux}", "{}", "{distro: debian}"),
        choice("{platform: linux}", "{}", "{}"),
        (6, 9),
        "equally specific",
    ),
    "variant keys are known": Rule(
        "unknown-key",
        one(f"variants: [{{when: {{}}, {A}}}]"),
        one(f"variants: [{{wen: {{}}, when: {{}}, {A}}}]"),
        (4, 17),
        "did you mean `when`?",
    ),
    "variant needs when": Rule(
        "missing-key",
        one(f"variants: [{{when: {{}}, {A}}}]"),
        one(f"variants: [{{{A}}}]"),
        (4, 16),
        "needs the key `when`",
    ),
    # 3.4 order
    "dependency exists": Rule(
        "unknown-id",
        two(A, "depends_on: [a]\n    " + B),
        two(A, "depends_on: [aa]\n    " + B),
        (7, 18),
        "did you mean `a`?",
    ),
    "trigger exists": Rule(
        "unknown-id",
        two(A, f"resource: {{script: {{rerun_on: [a], {SH}}}}}"),
        two(A, f"resource: {{script: {{rerun_on: [aa], {SH}}}}}"),
        (7, 36),
        "did you mean `a`?",
    ),
    "no cycle": Rule(
        "cycle",
        two(A, "depends_on: [a]\n    " + B),
        two("depends_on: [b]\n    " + A, f"resource: {{script: {{rerun_on: [a], {SH}}}}}"),
        (4, 5),
        "`a` → `b` → `a`",
    ),
    "nothing waits for itself": Rule(
        "cycle", two(A, B), two("depends_on: [a]\n    " + A, B), (4, 5), "`a` → `a`"
    ),
    # 3.5 expressions
    "namespace exists": Rule(
        "expression",
        one("resource: {file-unix: {path: /a, content: '${{ node.id }}'}}"),
        one("resource: {file-unix: {path: /a, content: '${{ secret.x }}'}}"),
        (4, 47),
        "did you mean `secrets`?",
    ),
    "expression is closed": Rule(
        "expression",
        one("resource: {file-unix: {path: /a, content: '$${{ x'}}"),
        one("resource: {file-unix: {path: /a, content: '${{ x'}}"),
        (4, 47),
        "has no `}}`",
    ),
    "expression in a template": Rule(
        "expression",
        f"{HEAD}templates: [{{id: t, content: '${{{{ node.name }}}}'}}]\n",
        f"{HEAD}templates: [{{id: t, content: '${{{{ node.nme }}}}'}}]\n",
        (3, 30),
        "it has id, name",
    ),
    "no unsigned value in a check": Rule(
        "unsigned-in-code",
        one(f"{{id: s, resource: {{script: {{check: '${{{{ attributes.x }}}}', {SH}}}}}}}"),
        one(f"{{id: s, resource: {{script: {{check: '${{{{ tags.x }}}}', {SH}}}}}}}"),
        (4, 24),
        "`tags.x` is not signed",
    ),
}
