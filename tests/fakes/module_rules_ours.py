"""The rules that our version adds to the module language, in the form of `module_rules`."""

from __future__ import annotations

from tests.fakes.module_rules import HEAD, SH, A, B, Rule, choice, one, two

USE = "resource: {file-unix: {path: '/a', content: '${{ params.p }}'}}"
EACH = "resource: {file-unix: {path: '/${{ each.key }}'}}"


def with_parameter(declaration: str, resource: str = USE) -> str:
    """Return a module whose parameter `p` stands in line 3, its declaration in column 18."""
    return f"{HEAD}parameters: {{p: {{{declaration}}}}}\nresources:\n  - {resource}\n"


TEXT = "type: string, default: x"
GOOD = with_parameter(TEXT)

OURS = {
    # parameters
    "a parameter has a type": Rule(
        "missing-key", GOOD, with_parameter("default: x"), (3, 17), "needs the key `type`"
    ),
    "parameter keys are known": Rule(
        "unknown-key", GOOD, with_parameter(f"{TEXT}, defalt: 1"), (3, 44), "its keys are"
    ),
    "a parameter's type is known": Rule(
        "word", GOOD, with_parameter("type: strin"), (3, 24), "did you mean `string`?"
    ),
    "a parameter's name is plain": Rule(
        "name", GOOD, GOOD.replace("{p:", "{1p:"), (3, 14), "is no name for a parameter"
    ),
    "a default has the type": Rule(
        "parameter-value",
        with_parameter("type: integer, default: 80"),
        with_parameter("type: integer, default: '80'"),
        (3, 42),
        "must be a whole number, not `80`",
    ),
    "true is no number": Rule(
        "parameter-value",
        with_parameter("type: boolean, default: true"),
        with_parameter("type: integer, default: true"),
        (3, 42),
        "must be a whole number, not `true`",
    ),
    "a default is in enum": Rule(
        "parameter-value",
        with_parameter("type: string, default: a, enum: [a, b]"),
        with_parameter("type: string, default: c, enum: [a, b]"),
        (3, 41),
        "must be one of a, b",
    ),
    "enum has the type": Rule(
        "parameter-enum",
        with_parameter("type: integer, default: 1, enum: [1, 2]"),
        with_parameter("type: integer, default: 1, enum: [1, b]"),
        (3, 55),
        "must be a whole number",
    ),
    "enum has no value twice": Rule(
        "parameter-enum",
        with_parameter("type: integer, default: 1, enum: [1, 2]"),
        with_parameter("type: integer, default: 1, enum: [1, 1]"),
        (3, 55),
        "stands twice",
    ),
    "enum is not empty": Rule(
        "parameter-enum", GOOD, with_parameter(f"{TEXT}, enum: []"), (3, 44), "lists no value"
    ),
    "enum is for single values": Rule(
        "parameter-enum",
        with_parameter(TEXT),
        with_parameter("type: boolean, default: true, enum: [true]"),
        (3, 48),
        "has no `enum`",
    ),
    "a default is no expression": Rule(
        "expression",
        with_parameter("type: string, default: '$${{ tags.x }}'"),
        with_parameter("type: string, default: '${{ tags.x }}'"),
        (3, 41),
        "cannot stand here",
    ),
    "a parameter is declared": Rule(
        "unknown-parameter",
        with_parameter(f"{TEXT}}}, port: {{{TEXT}").replace(
            "params.p }}", "params.p }}/${{params.port}}"
        ),
        with_parameter(f"{TEXT}}}, port: {{{TEXT}").replace(
            "params.p }}", "params.p }}/${{ params.port }}/${{ params.prt }}"
        ),
        (5, 49),
        "did you mean `port`?",
    ),
    "a list is no part of a text": Rule(
        "expression",
        GOOD,
        with_parameter("type: list, default: [a]", USE.replace("'${{", "'x ${{")),
        (5, 49),
        "cannot be a part of a text",
    ),
    "a name inside a map exists": Rule(
        "expression",
        with_parameter("type: map, default: {host: a}", USE.replace("params.p", "params.p.host")),
        with_parameter("type: map, default: {host: a}", USE.replace("params.p", "params.p.hots")),
        (5, 49),
        "did you mean `host`?",
    ),
    "a value fits its field": Rule(
        "field-type",
        with_parameter(
            "type: integer, default: 60",
            f"{{id: s, resource: {{script: {{timeout: '${{{{ params.p }}}}', {SH}}}}}}}",
        ),
        with_parameter(
            "type: integer, default: 0",
            f"{{id: s, resource: {{script: {{timeout: '${{{{ params.p }}}}', {SH}}}}}}}",
        ),
        (5, 42),
        "a whole number from 1",
    ),
    "what a value makes is checked": Rule(
        "field-value",
        with_parameter("type: string, default: /x", USE.replace("'/a'", "'${{ params.p }}'")),
        with_parameter("type: string, default: x", USE.replace("'/a'", "'${{ params.p }}'")),
        (5, 34),
        "absolute",
    ),
    # for_each
    "for_each is a list or a map": Rule(
        "for-each",
        one(f"{{for_each: [x], {EACH}}}"),
        one(f"{{for_each: x, {EACH}}}"),
        (4, 16),
        "must be a list, a mapping or one parameter",
    ),
    "for_each asks a list or a map": Rule(
        "for-each",
        with_parameter("type: list, default: [x]", f"{{for_each: '${{{{ params.p }}}}', {EACH}}}"),
        with_parameter("type: string, default: x", f"{{for_each: '${{{{ params.p }}}}', {EACH}}}"),
        (5, 16),
        "needs a list or a mapping, not `x`",
    ),
    "items differ": Rule(
        "for-each",
        one(f"{{for_each: [x, y], {EACH}}}"),
        one(f"{{for_each: [x, x], {EACH}}}"),
        (4, 20),
        "item `x` of `for_each` stands twice",
    ),
    "items of a parameter differ": Rule(
        "for-each",
        with_parameter("type: list, default: [x]", f"{{for_each: '${{{{ params.p }}}}', {EACH}}}"),
        with_parameter(
            "type: list, default: [x, x]", f"{{for_each: '${{{{ params.p }}}}', {EACH}}}"
        ),
        (3, 43),
        "stands twice",
    ),
    "items of a list are single": Rule(
        "for-each",
        one(f"{{for_each: {{x: [y]}}, {EACH}}}"),
        one(f"{{for_each: [[y]], {EACH}}}"),
        (4, 17),
        "its keys name the items",
    ),
    "items are no expressions": Rule(
        "expression",
        one(f"{{for_each: {{x: '$${{{{ y'}}, {EACH}}}"),
        one(f"{{for_each: {{x: '${{{{ tags.y }}}}'}}, {EACH}}}"),
        (4, 6),
        "cannot stand here",
    ),
    "keys are names": Rule(
        "for-each",
        one(f"{{for_each: [x], {EACH}}}"),
        one(f"{{for_each: [' x'], {EACH}}}"),
        (4, 17),
        "outer spaces",
    ),
    "each needs for_each": Rule(
        "expression",
        one(f"{{for_each: [x], {EACH}}}"),
        one(f"{{{EACH}}}"),
        (4, 35),
        "exists only in a resource with `for_each`",
    ),
    "each has a key and a value": Rule(
        "expression",
        one(f"{{for_each: [x], {EACH}}}"),
        one(f"{{for_each: [x], {EACH.replace('key', 'kye')}}}"),
        (4, 50),
        "`each` has no `kye`",
    ),
    "each in a template needs for_each": Rule(
        "expression",
        f"{HEAD}templates: [{{id: t, content: '${{{{ each.key }}}}'}}]\nresources:\n"
        "  - {for_each: [x], resource: {file-unix: {path: /a, template: t}}}\n",
        f"{HEAD}templates: [{{id: t, content: '${{{{ each.key }}}}'}}]\nresources:\n"
        "  - {resource: {file-unix: {path: /a, template: t}}}\n",
        (5, 49),
        "template `t` uses `each`",
    ),
    "items name different things": Rule(
        "duplicate-identity",
        one(f"{{for_each: [x, y], {EACH}}}"),
        one(f"{{for_each: [x, y], {A}}}"),
        (4, 35),
        "each.key",
    ),
    "an item's id is its own": Rule(
        "duplicate-id",
        two(f"for_each: [x]\n    {EACH}", B),
        two(f"for_each: [x]\n    {EACH}", B).replace("id: b", "id: a[x]"),
        (7, 9),
        "`a[x]` stands twice; first on line 4",
    ),
    "an id of a group is its own": Rule(
        "duplicate-id",
        two(f"for_each: []\n    {EACH}", B),
        two(f"for_each: []\n    {EACH}", B).replace("id: b", "id: a"),
        (7, 9),
        "first on line 4",
    ),
    "an item exists": Rule(
        "unknown-id",
        two(f"for_each: [x]\n    {EACH}", f"depends_on: ['a[x]']\n    {B}"),
        two(f"for_each: [x]\n    {EACH}", f"depends_on: ['a[y]']\n    {B}"),
        (8, 18),
        "did you mean `a[x]`?",
    ),
    "items do not wait for themselves": Rule(
        "cycle",
        two(f"for_each: [x]\n    {EACH}", B),
        two(f"for_each: [x]\n    depends_on: [a]\n    {EACH}", B),
        (4, 5),
        "`a[x]` → `a[x]`",
    ),
    # requires
    "requires lists names": Rule(
        "type", f"{HEAD}requires: [base]\n", f"{HEAD}requires: [1]\n", (3, 12), "must be text"
    ),
    "a module does not require itself": Rule(
        "requires", f"{HEAD}requires: [base]\n", f"{HEAD}requires: [web]\n", (3, 12), "itself"
    ),
    "a requirement stands once": Rule(
        "requires",
        f"{HEAD}requires: [base, net]\n",
        f"{HEAD}requires: [base, base]\n",
        (3, 18),
        "stands twice",
    ),
    # variants and removal
    "else is skip": Rule(
        "word",
        one(f"{{else: skip, variants: [{{when: {{distro: debian}}, {A}}}]}}"),
        one(f"{{else: skp, variants: [{{when: {{distro: debian}}, {A}}}]}}"),
        (4, 12),
        "did you mean `skip`?",
    ),
    "else needs variants": Rule(
        "resource-form", one(A), one(f"{{else: skip, {A}}}"), (4, 6), "`else` needs `variants`"
    ),
    "priority is a number": Rule(
        "type",
        one(f"variants: [{{when: {{}}, priority: 5, {A}}}]"),
        one(f"variants: [{{when: {{}}, priority: 1001, {A}}}]"),
        (4, 37),
        "from -1000 to 1000",
    ),
    "equal priorities tie": Rule(
        "variant-tie",
        choice("{platform: linux}", "{}", "{distro: debian}, priority: 1", "{arch: x86_64}"),
        choice(
            "{platform: linux}",
            "{}",
            "{distro: debian}, priority: 1",
            "{arch: x86_64}, priority: 1",
        ),
        (7, 9),
        "give one of them a higher `priority`",
    ),
    "on_remove is a word": Rule(
        "word",
        one(f"{{on_remove: keep, {A}}}"),
        one(f"{{on_remove: kep, {A}}}"),
        (4, 17),
        "did you mean `keep`?",
    ),
    "on_drift is a word": Rule(
        "word",
        one(f"{{on_drift: repair, {A}}}"),
        one(f"{{on_drift: repare, {A}}}"),
        (4, 16),
        "did you mean `repair`?",
    ),
    "timeout is a whole number of seconds": Rule(
        "type",
        one(f"{{timeout: 30, {A}}}"),
        one(f"{{timeout: 30s, {A}}}"),
        (4, 15),
        "from 1 to 86400",
    ),
    "a file with a secret states its mode": Rule(
        "secret-mode",
        one("resource: {file-unix: {path: /a, content: '${{ secrets.x }}', mode: '0600'}}"),
        one("resource: {file-unix: {path: /a, content: '${{ secrets.x }}'}}"),
        (4, 16),
        "must state its `mode`",
    ),
    "on_remove: delete is for some kinds": Rule(
        "on-remove",
        one(f"{{on_remove: delete, {A}}}"),
        one(f"{{on_remove: delete, id: s, resource: {{script: {{{SH}}}}}}}"),
        (4, 17),
        "not available for `script`",
    ),
}
