"""The program's words, without a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coordinator.config import CoordinatorConfig
from coordinator.main import database_url, main
from protocol import dsse
from tests.fakes.api_site import everyone, operator_key, roster_envelope

KEY = operator_key("ada").public.hex()


def say(*words: str) -> Result:
    """Run the program in this process."""
    return CliRunner().invoke(main, words)


def test_init_prints_what_agents_pin_and_show_key_repeats_it(tmp_path: Path) -> None:
    data = str(tmp_path / "d")
    made = say("init", "--data-dir", data, "--operator-key", KEY, "--username", "ada")
    assert made.exit_code == 0, made.output
    shown = say("show-key", "--data-dir", data)
    assert shown.output.splitlines() == made.output.splitlines()[1:]
    as_json = json.loads(say("show-key", "--data-dir", data, "--json").output)
    assert as_json["public_key"] in shown.output
    assert as_json["tls_fingerprint"] in shown.output
    seed = (tmp_path / "d" / "coordinator.key").read_text().strip()
    assert seed not in made.output + shown.output


def test_init_takes_one_roster_or_a_chain(tmp_path: Path) -> None:
    first = roster_envelope(everyone())
    chain = tmp_path / "chain.json"
    chain.write_bytes(b"[" + dsse.encode(first) + b"]")
    done = say("init", "--data-dir", str(tmp_path / "d"), "--roster", str(chain))
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "give either --roster FILE or --operator-key"),
        (("--operator-key", KEY), "belong together"),
        (("--operator-key", KEY, "--username", "a", "--roster", "x"), "give either"),
        (("--operator-key", "zz", "--username", "a"), "64 lower-case hex digits"),
        (("--operator-key", KEY, "--username", "1"), "must begin with a letter"),
        (("--roster", "/nowhere"), "/nowhere"),
        (("--roster", __file__), "holds no signed roster"),
    ],
)
def test_init_says_what_is_wrong_and_makes_nothing(
    tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    data = tmp_path / "d"
    done = say("init", "--data-dir", str(data), *words)
    assert done.exit_code != 0
    assert expected in done.output
    assert not data.exists()


def test_a_forged_roster_is_refused(tmp_path: Path) -> None:
    roster = tmp_path / "r"
    roster.write_bytes(dsse.encode(roster_envelope({"ada": "admin"}, signer="eve")))
    done = say("init", "--data-dir", str(tmp_path / "d"), "--roster", str(roster))
    assert done.exit_code == 1
    assert "0 of 1 admin signatures" in done.output


def test_a_config_file_with_mistakes_names_them_all(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("api_prot = 1\ntls_cert = 'x'\nlog_level = 'loud'\n")
    done = say("run", "--config", str(config), "--data-dir", str(tmp_path / "d"))
    assert done.exit_code == 1
    assert "did you mean 'api_port'" in done.output
    assert "log_level" in done.output


def test_a_config_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    done = say("run", "--config", str(tmp_path / "none.toml"))
    assert done.exit_code == 1
    assert "none.toml" in done.output


def test_run_without_init_says_what_to_do(tmp_path: Path) -> None:
    done = say("run", "--data-dir", str(tmp_path / "d"))
    assert done.exit_code == 1
    assert "run standfast-coordinator init first" in done.output


def test_the_store_is_in_the_data_directory_unless_configured() -> None:
    assert database_url(CoordinatorConfig(data_dir="/d")) == "sqlite:////d/coordinator.db"
    other = CoordinatorConfig(database_url="sqlite:////elsewhere.db")
    assert database_url(other) == "sqlite:////elsewhere.db"
