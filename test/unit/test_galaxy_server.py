"""The galaxy_server execution module: a virtual environment, gravity's units and what they read.

pip, systemd, gravity and Galaxy itself are a stand-in for cmd.run_all; the files are real.
"""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from loading import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

server = load("_modules/galaxy_server.py")

VENV = "/srv/galaxy/venv"
CONFIG = "/etc/galaxy/galaxy.yml"


class StandIn:
    """In place of cmd.run_all: answers by what the words of a command begin or end with."""

    def __init__(self):
        self.calls = []
        self.answers = {}
        self.effects = {}

    def __call__(self, argv, **options):
        self.calls.append((argv, options))
        words = " ".join(argv)
        for part, effect in self.effects.items():
            if part in words:
                effect(argv)
        answer = next((one for part, one in self.answers.items() if part in words), "")
        if isinstance(answer, Exception):
            raise answer
        code, out, err = answer if isinstance(answer, tuple) else (0, answer, "")
        return {"retcode": code, "stdout": out, "stderr": err, "pid": 1}

    @property
    def words(self):
        return [" ".join(argv) for argv, _ in self.calls]


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """Put the stand-in in place, and records below tmp_path; return the stand-in."""
    ran = StandIn()
    modules = {"cmd.run_all": ran, "cmd.which": lambda name: f"/usr/bin/{name}"}
    monkeypatch.setattr(server, "__salt__", modules)
    monkeypatch.setattr(server, "__opts__", {"test": False, "cachedir": str(tmp_path / "cache")})
    return ran


def have(venv, python="python3.11", link="python3.11", **distributions):
    """Make a virtual environment's files: its interpreter, and distributions with versions."""
    real = venv.parent / "usr" / link
    real.parent.mkdir(exist_ok=True)
    real.touch()
    (venv / "bin").mkdir(parents=True, exist_ok=True)
    (venv / "bin/python").unlink(missing_ok=True)
    (venv / "bin/python").symlink_to(real)
    for name, version in distributions.items():
        folder = venv / f"lib/{python}/site-packages/{name}-{version}.dist-info"
        folder.mkdir(parents=True)
    return venv


# --- the virtual environment


@pytest.mark.parametrize(
    ("distributions", "version"),
    [
        ({"galaxy": "26.1.1", "galaxy_app": "26.1.1"}, "26.1.1"),
        ({"galaxy_web_apps": "26.1.0", "gravity": "1.1.1"}, "26.1.0"),
        ({"gravity": "1.1.1"}, None),
        ({}, None),
    ],
)
def test_the_version_is_that_of_the_distribution(tmp_path, distributions, version):
    assert server.installed(str(have(tmp_path / "venv", **distributions))) == version


def test_no_environment_has_no_version(tmp_path):
    assert server.installed(str(tmp_path / "none")) is None


def test_an_environment_without_its_interpreter_has_no_version(tmp_path):
    venv = have(tmp_path / "venv", galaxy="26.1.1")
    (tmp_path / "usr/python3.11").unlink()  # as an upgrade of the system does
    assert server.installed(str(venv)) is None


def test_what_another_python_had_installed_is_not_seen(tmp_path):
    venv = have(tmp_path / "venv", link="python3.13", galaxy="26.1.1")
    assert server.installed(str(venv)) is None


def test_an_interpreter_without_a_version_in_its_name_has_what_is_there(tmp_path):
    venv = have(tmp_path / "venv", link="pypy", galaxy="26.1.1")
    assert server.installed(str(venv)) == "26.1.1"


def installing(ran, venv, **distributions):
    """Have the stand-in for pip install these."""
    ran.effects["pip install"] = lambda argv: have(venv, **distributions)
    ran.effects["-m venv"] = lambda argv: have(venv)


def test_a_fresh_environment_is_made_and_gets_the_exact_version(ran, tmp_path):
    venv = tmp_path / "venv"
    installing(ran, venv, galaxy="26.1.1")
    given = {
        "packages": ["psycopg2-binary"], "constraint": "/c.txt", "index_url": "https://i/",
        "extra_index_url": "https://x/", "find_links": "/w", "cert": "/ca.pem", "no_index": True,
    }  # fmt: skip
    assert server.install(str(venv), "26.1.1", "/usr/bin/python3.11", given) == "26.1.1"
    made, pip, compiled = ran.words
    assert made == f"/usr/bin/python3.11 -m venv --clear {venv}"
    assert pip == (
        f"{venv}/bin/python -m pip install --no-input --no-compile --disable-pip-version-check "
        "--progress-bar=off --constraint /c.txt --index-url https://i/ "
        "--extra-index-url https://x/ --find-links /w --cert /ca.pem --no-index "
        "galaxy==26.1.1 psycopg2-binary"
    )
    assert compiled == f"{venv}/bin/python -m compileall -q -j 0 {venv}/lib"
    assert all(
        options["python_shell"] is False and options["umask"] == "022"
        for argv, options in ran.calls
    )


def test_an_environment_that_works_is_kept(ran, tmp_path):
    venv = have(tmp_path / "venv", galaxy="26.1.0")
    ran.effects["pip install"] = lambda argv: [
        path.rename(path.with_name("galaxy-26.1.1.dist-info"))
        for path in venv.glob("lib/*/*/galaxy-26.1.0*")
    ]
    assert server.install(str(venv), "26.1.1") == "26.1.1"
    assert not [words for words in ran.words if "-m venv" in words]


@pytest.mark.parametrize("half", ["no pip", "no python"])
def test_a_half_made_environment_is_made_anew(ran, tmp_path, half):
    venv = have(tmp_path / "venv")
    if half == "no pip":
        ran.answers["pip --version"] = (1, "", "No module named pip")
    else:
        (venv / "bin/python").unlink()
    installing(ran, venv, galaxy="26.1.1")
    server.install(str(venv), "26.1.1")
    assert f"/usr/bin/python3 -m venv --clear {venv}" in ran.words


def test_an_environment_that_cannot_be_made_says_why(ran, tmp_path):
    ran.answers["-m venv"] = (1, "The virtual environment was not created", "ensurepip is missing")
    with pytest.raises(CommandExecutionError) as caught:
        server.install(str(tmp_path / "venv"), "26.1.1")
    assert str(caught.value) == (
        f"{tmp_path}/venv was to be made, and that failed (1): "
        "The virtual environment was not created / ensurepip is missing"
    )


def test_an_interpreter_that_is_not_there_is_named(ran, tmp_path):
    ran.answers["-m venv"] = CommandExecutionError("Unable to run command [...] with the context")
    with pytest.raises(CommandExecutionError) as caught:
        server.install(str(tmp_path / "venv"), "26.1.1", "/nowhere/python3.11")
    assert str(caught.value).endswith("and that failed: there is no /nowhere/python3.11")


def test_pips_last_words_are_told(ran, tmp_path):
    venv = have(tmp_path / "venv")
    ran.answers["pip install"] = (
        1, "Looking in links: /w\n", "one\ntwo\n\nERROR: Could not find a version that satisfies "
        "the requirement galaxy==99\nERROR: No matching distribution found for galaxy==99\n",
    )  # fmt: skip
    with pytest.raises(CommandExecutionError) as caught:
        server.install(str(venv), "99")
    said = str(caught.value)
    assert said.startswith("pip was to install galaxy==99, and that failed (1): one / two / ERROR:")
    assert said.endswith("ERROR: No matching distribution found for galaxy==99")


@pytest.mark.parametrize(
    ("distributions", "got"), [({"galaxy": "26.1.0"}, "26.1.0"), ({"gravity": "1.1"}, "none")]
)
def test_another_version_than_the_one_asked_for_is_an_error(ran, tmp_path, distributions, got):
    installing(ran, tmp_path / "venv", **distributions)
    with pytest.raises(CommandExecutionError, match=f"and pip installed {got}; look at galaxy:pip"):
        server.install(str(tmp_path / "venv"), "26.1.1")


@pytest.mark.parametrize(
    ("pip", "says"),
    [
        ({"indexurl": "x"}, "galaxy:pip has no key indexurl"),
        ({"packages": [1.5]}, "galaxy:pip: 1.5 is no text"),
        ({"cert": True}, "galaxy:pip: True is no text"),
    ],
)
def test_what_pip_cannot_be_told_is_named(ran, tmp_path, pip, says):
    with pytest.raises(SaltInvocationError, match=says):
        server.install(str(have(tmp_path / "venv")), "26.1.1", pip=pip)
    assert not [words for words in ran.words if "pip install" in words]


def test_what_the_configuration_needs_is_asked_of_galaxy_as_its_user(ran, tmp_path):
    venv = have(tmp_path / "venv", drmaa="0.7.9", psycopg2_binary="2.9.9", Pykube_NG="1")
    ran.answers["galaxy.dependencies"] = (
        "# generated with galaxy-dependencies\n\npsycopg2-binary==2.9.10\ndrmaa\npykube-ng\n"
        "fs.dropboxfs[extra]>=1.0.3\nweasyprint==61.2\n"
    )
    needed = server.missing(str(venv), CONFIG, "gx")
    assert needed == ["psycopg2-binary==2.9.10", "fs.dropboxfs[extra]>=1.0.3", "weasyprint==61.2"]
    [(argv, options)] = ran.calls
    assert argv == [f"{venv}/bin/python", "-c", server._DEPENDENCIES, "-c", CONFIG, "--freeze"]
    assert options["runas"] == "gx"
    assert "env" not in options


def test_a_configuration_that_galaxy_cannot_read_is_an_error_with_its_words(ran, tmp_path):
    ran.answers["galaxy.dependencies"] = (
        1, "", 'Traceback (most recent call last):\n  File "x", line 1\nyaml.YAMLError: bad\n',
    )  # fmt: skip
    with pytest.raises(CommandExecutionError) as caught:
        server.missing(VENV, CONFIG)
    assert str(caught.value) == (
        "Galaxy was asked what its configuration needs, and that failed (1): yaml.YAMLError: bad"
    )


def test_what_is_missing_is_installed_with_the_sites_options(ran, tmp_path):
    venv = have(tmp_path / "venv")
    assert server.install_missing(str(venv), ["drmaa"], {"no_index": True, "find_links": "/w"})
    assert ran.words[0].endswith("--find-links /w --no-index drmaa")


# --- the tools of the checks


def test_the_toolbox_names_each_tool_of_the_checks(tmp_path):
    text = server.tool_conf({"slurm_galaxy_check_b": "b", "slurm_galaxy_check_a": "a"}, "/t")
    tools = ET.fromstring(text.split("\n", 1)[1]).findall("section/tool")  # noqa: S314 - ours
    assert [tool.get("file") for tool in tools] == [
        "/t/slurm_galaxy_check_a.xml", "/t/slurm_galaxy_check_b.xml",
    ]  # fmt: skip
    assert {tool.get("hidden") for tool in tools} == {"true"}
    assert ET.fromstring(server.tool_conf({}, "/t")).find("section/tool") is None  # noqa: S314


# --- the processes

SHOWN = """\
Id=galaxy-gunicorn.service
ActiveState=active
InvocationID=aaaa
ActiveEnterTimestamp=@1000

Id=galaxy-handler.service
ActiveState={handler}
InvocationID=bbbb
ActiveEnterTimestamp={since}
"""


@pytest.fixture
def host(ran, monkeypatch, tmp_path):
    """Make a host whose gravity has written two units; return the folder and the stand-in."""
    units = tmp_path / "systemd"
    units.mkdir()
    for name in ("galaxy-gunicorn", "galaxy-handler"):
        (units / f"{name}.service").write_text("# This file is maintained by Gravity, ...\n")
    (units / "galaxy-other.service").write_text("[Unit]\n")
    (units / "galaxy-broken.service").symlink_to(units / "nowhere")
    (tmp_path / "galaxy.yml").write_text("gravity: {process_manager: systemd}\n")
    (tmp_path / "job_conf.yml").write_text("runners: {}\n")
    have(tmp_path / "venv", galaxy="26.1.1")

    monkeypatch.setattr(server, "_UNITS", str(units))
    ran.answers["systemctl show"] = SHOWN.format(handler="active", since="@1001")
    ran.folder = tmp_path
    ran.units = units
    ran.asks = (
        str(tmp_path / "galaxy.yml"), [str(tmp_path / "job_conf.yml")], str(tmp_path / "venv"),
    )  # fmt: skip
    return ran


def test_the_units_are_those_that_gravity_has_written(host):
    assert server.units(host.asks[0]) == {
        "galaxy-gunicorn.service": {"active": True, "invocation": "aaaa", "started": 1000},
        "galaxy-handler.service": {"active": True, "invocation": "bbbb", "started": 1001},
    }
    assert host.words == [
        "systemctl show --property=Id,ActiveState,InvocationID,ActiveEnterTimestamp "
        "--timestamp=unix galaxy-gunicorn.service galaxy-handler.service"
    ]


def test_a_unit_that_never_started_has_no_time(host):
    host.answers["systemctl show"] = SHOWN.format(handler="inactive", since="")
    found = server.units(host.asks[0])["galaxy-handler.service"]
    assert found == {"active": False, "invocation": "bbbb", "started": None}


def test_an_instance_has_its_name_in_its_units(host):
    Path(host.asks[0]).write_text("gravity: {instance_name: two}\n")
    assert server.units(host.asks[0]) == {}
    assert host.calls == []


@pytest.mark.parametrize("text", ["", "[]", "gravity: []", "gravity:", "galaxy: {}"])
def test_a_galaxy_yml_that_says_nothing_of_gravity_is_no_error(host, text):
    Path(host.asks[0]).write_text(text)
    assert len(server.units(host.asks[0])) == 2


@pytest.mark.parametrize("content", [b"gravity: {", b"\xff\xfe\x00", None])
def test_a_galaxy_yml_that_cannot_be_read_is_one_sentence(host, content):
    path = Path(host.asks[0])
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(CommandExecutionError, match=r"galaxy\.yml cannot be read: "):
        server.units(str(path))


def test_a_systemd_that_says_nothing_is_an_error(host):
    host.answers["systemctl show"] = "Id=galaxy-gunicorn.service\n"
    with pytest.raises(CommandExecutionError, match="systemd says nothing of Galaxy's units"):
        server.units(host.asks[0])
    host.answers["systemctl show"] = (1, "", "Failed to connect to bus")
    with pytest.raises(CommandExecutionError, match=r"\(1\): Failed to connect to bus"):
        server.units(host.asks[0])


def test_gravity_writes_its_units_and_systemd_reads_and_enables_them(host):
    config, _, venv = host.asks
    assert server.update_units(venv, config)
    assert [words for words in host.words if "show" not in words] == [
        f"{venv}/bin/galaxyctl -c {config} update",
        "systemctl daemon-reload",
        "systemctl enable galaxy-gunicorn.service galaxy-handler.service",
    ]


def test_what_gravity_refuses_is_told(host):
    host.answers["update"] = (1, "", "Error: Config file not found")
    with pytest.raises(CommandExecutionError) as caught:
        server.update_units(VENV, host.asks[0])
    assert str(caught.value) == (
        "galaxyctl update, and that failed (1): Error: Config file not found"
    )


def test_a_host_without_units_is_to_be_started(host):
    for unit in host.units.iterdir():
        unit.unlink()
    assert server.needs(*host.asks) == {"action": "start", "changed": []}


def test_a_unit_that_does_not_run_is_to_be_started(host):
    server.remember(*host.asks)
    host.answers["systemctl show"] = SHOWN.format(handler="failed", since="@1001")
    assert server.needs(*host.asks) == {"action": "start", "changed": []}


def test_processes_that_run_with_what_is_there_need_nothing(host):
    assert server.remember(*host.asks)
    assert server.needs(*host.asks) == {"action": "nothing", "changed": []}


@pytest.mark.parametrize("name", ["galaxy.yml", "job_conf.yml"])
def test_a_change_of_what_is_read_needs_a_restart_until_it_was_made(host, name):
    server.remember(*host.asks)
    (host.folder / name).write_text("gravity: {other: 1}\n")
    expected = {"action": "restart", "changed": [str(host.folder / name)]}
    assert server.needs(*host.asks) == expected
    assert server.needs(*host.asks) == expected
    server.remember(*host.asks)
    assert server.needs(*host.asks)["action"] == "nothing"


def test_a_file_that_goes_or_comes_needs_a_restart(host):
    server.remember(*host.asks)
    (host.folder / "job_conf.yml").unlink()
    assert server.needs(*host.asks)["action"] == "restart"
    server.remember(*host.asks)
    (host.folder / "job_conf.yml").mkdir()  # no file either
    assert server.needs(*host.asks)["action"] == "nothing"


def upgrade(host):
    (old,) = host.folder.glob("venv/lib/*/*/galaxy-*")
    old.rename(old.with_name("galaxy-26.1.2.dist-info"))


def test_another_version_needs_a_restart_that_names_galaxy(host):
    server.remember(*host.asks)
    upgrade(host)
    assert server.needs(*host.asks) == {"action": "restart", "changed": ["Galaxy"]}


def test_an_upgrade_that_failed_with_galaxy_stopped_is_caught_up(host):
    server.remember(*host.asks)
    upgrade(host)
    host.answers["systemctl show"] = SHOWN.format(handler="inactive", since="")
    assert server.needs(*host.asks) == {"action": "start", "changed": ["Galaxy"]}


def test_processes_that_another_has_started_are_judged_by_their_time(host):
    server.remember(*host.asks)
    host.answers["systemctl show"] = SHOWN.replace("aaaa", "cccc").format(
        handler="active", since="@1001"
    )
    assert server.needs(*host.asks) == {
        "action": "restart", "changed": [host.asks[0], *host.asks[1]],
    }  # fmt: skip
    later = SHOWN.replace("@1000", "@99999999999")
    host.answers["systemctl show"] = later.format(handler="active", since="@99999999999")
    assert server.needs(*host.asks) == {"action": "nothing", "changed": []}


RECORDS = [
    "", "{", "[]", "null", "1", '"x"', "{}", '{"units": []}',
    '{"units": {"galaxy-gunicorn.service": "aaaa", "galaxy-handler.service": "bbbb"}}',
    '{"digests": 7, "units": {"galaxy-gunicorn.service": "aaaa"}}',
]  # fmt: skip


@pytest.mark.parametrize("text", RECORDS)
def test_a_record_that_is_spoilt_is_as_good_as_none(host, text):
    server.remember(*host.asks)
    (host.folder / "cache/galaxy_server/loaded.json").write_text(text)
    (host.folder / "cache/galaxy_server/users.json").write_text(text)
    assert server.needs(*host.asks)["action"] == "restart"
    assert server.asked("users", *host.asks) is False


def test_looking_writes_nothing(host):
    server.needs(*host.asks)
    server.asked("users", *host.asks)
    assert not (host.folder / "cache").exists()


def test_records_are_for_root_alone(host):
    server.remember(*host.asks)
    assert (host.folder / "cache/galaxy_server").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_galaxy_is_acted_on_by_gravity(ran, action):
    assert server.act(action, VENV, CONFIG)
    assert ran.words == [f"{VENV}/bin/galaxyctl -c {CONFIG} {action}"]


def test_another_action_is_refused(ran):
    with pytest.raises(SaltInvocationError, match="'reload' is not one of start, stop, restart"):
        server.act("reload", VENV, CONFIG)
    assert ran.calls == []


def test_an_action_that_fails_says_so(ran):
    ran.answers["galaxyctl"] = (1, "", "Job for galaxy-gunicorn.service failed")
    with pytest.raises(CommandExecutionError, match="galaxyctl restart, and that failed"):
        server.act("restart", VENV, CONFIG)


def test_the_database_is_upgraded_by_galaxys_own_script_as_its_user(ran):
    assert server.upgrade_database(VENV, CONFIG, "gx")
    [(argv, options)] = ran.calls
    assert argv[:3] == [f"{VENV}/bin/python", "-c", server._MANAGE_DB]
    assert argv[3:] == ["--galaxy-config", CONFIG, "upgrade", "heads"]
    assert options["runas"] == "gx"


@pytest.fixture(params=["version.py", "version/__init__.py"])
def checkout(host, request):
    """Make a git checkout of Galaxy's, of either layout, and name it in galaxy.yml."""
    for name in ("config/__init__.py", request.param):
        file = host.folder / "checkout/lib/galaxy" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('VERSION_MAJOR = "26.1"\nVERSION_MINOR: str = "2.dev0"\n')
    Path(host.asks[0]).write_text(f"gravity: {{galaxy_root: {host.folder}/checkout}}\n")
    return file


def test_a_checkout_is_found_by_galaxys_own_python(host, checkout):
    config, _, venv = host.asks
    host.answers["bin/python"] = "RESULT {}\n"
    server.missing(venv, config)
    server.upgrade_database(venv, config)
    server.users(venv, config, [])
    assert [options["env"] for _, options in host.calls] == [
        {"PYTHONPATH": f"{host.folder}/checkout/lib"}
    ] * 3


def test_the_version_of_a_checkout_is_its_own(host, checkout):
    server.remember(*host.asks)
    assert server._loaded()["digests"]["Galaxy"] == "26.1.2.dev0"
    upgrade(host)  # of what else the environment has
    assert server.needs(*host.asks)["action"] == "nothing"
    checkout.write_text('VERSION_MAJOR = "26.2"\nVERSION_MINOR = None\n')
    assert server.needs(*host.asks) == {"action": "restart", "changed": ["Galaxy"]}
    assert server.remember(*host.asks)
    assert server._loaded()["digests"]["Galaxy"] == "26.2"


def test_an_upgrade_that_fails_names_the_cause_and_not_the_statement(ran):
    ran.answers["manage_db"] = (
        1, "", "Traceback\nsqlalchemy.exc.OperationalError: (x) no such table: user\n"
        "[SQL: SELECT a,\nb,\nc,\nd,\ne]\n(Background on this error)\n",
    )  # fmt: skip
    with pytest.raises(CommandExecutionError, match=r"\(1\): sqlalchemy\S+ \(x\) no such table"):
        server.upgrade_database(VENV, CONFIG)


# --- what was asked of Galaxy before


def test_a_question_is_answered_for_one_configuration_and_version(host):
    assert server.asked("dependencies", *host.asks) is False
    assert server.answered("dependencies", *host.asks)
    assert server.asked("dependencies", *host.asks) is True
    assert server.asked("users", *host.asks) is False
    upgrade(host)
    assert server.asked("dependencies", *host.asks) is False
    server.answered("dependencies", *host.asks)
    (host.folder / "job_conf.yml").write_text("x")
    assert server.asked("dependencies", *host.asks) is False


def test_a_question_may_depend_on_more_and_keeps_no_secret(host):
    server.answered("users", *host.asks, {"a@x": "hunter2"})
    assert server.asked("users", *host.asks, {"a@x": "hunter2"}) is True
    assert server.asked("users", *host.asks, {"a@x": "hunter3"}) is False
    assert server.asked("users", *host.asks) is False
    assert "hunter2" not in (host.folder / "cache/galaxy_server/users.json").read_text()


# --- users

ADMIN = {"email": "Ada.L@x.org", "password": "hunter2-hunter2", "key": "0123456789abcdef"}


def test_users_are_made_by_galaxys_own_python_and_no_secret_is_on_a_command_line(ran):
    ran.answers["bin/python"] = 'some log\nRESULT {"Ada.L@x.org": ["user", "key"]}\n'
    found = server.users(VENV, CONFIG, [ADMIN, {"email": "b@x.org"}], user="gx")
    assert found == {"Ada.L@x.org": ["user", "key"]}
    [(argv, options)] = ran.calls
    assert argv[:2] == [f"{VENV}/bin/python", "-c"]
    compile(argv[2], "the program", "exec")
    assert "hunter2" not in " ".join(argv)
    assert options["runas"] == "gx" and options["output_loglevel"] == "quiet"
    assert json.loads(options["stdin"]) == {
        "config": CONFIG,
        "test": False,
        "users": [
            {**ADMIN, "username": "ada-l-x-org"},
            {"email": "b@x.org", "username": "b-x-org", "password": None, "key": None},
        ],
    }


def test_users_can_be_only_looked_at(ran):
    ran.answers["bin/python"] = "RESULT {}"
    assert server.users(VENV, CONFIG, [ADMIN], test=True) == {}
    assert json.loads(ran.calls[0][1]["stdin"])["test"] is True


@pytest.mark.parametrize(
    "answer",
    [
        (1, "", f"IntegrityError: [parameters: ('{ADMIN['key']}', '{ADMIN['password']}')]"),
        CommandExecutionError(f"Unable to run command ... 'stdin': '{ADMIN}'"),
    ],
)
def test_no_error_about_users_repeats_a_secret(ran, answer):
    ran.answers["bin/python"] = answer
    with pytest.raises(CommandExecutionError) as caught:
        server.users(VENV, CONFIG, [ADMIN])
    assert str(caught.value).startswith("Galaxy's users were looked at, and that failed")
    assert "hunter2" not in str(caught.value)
    assert ADMIN["key"] not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_program_that_cannot_be_run_as_another_user_is_named(ran, tmp_path):
    venv = have(tmp_path / "venv")
    ran.answers["bin/python"] = CommandExecutionError("User 'galaxy' is not available")
    with pytest.raises(CommandExecutionError, match="bin/python could not be run as galaxy"):
        server.users(str(venv), CONFIG, [])


def test_a_galaxy_that_answers_nothing_about_users_is_an_error(ran):
    with pytest.raises(CommandExecutionError, match="and Galaxy said nothing"):
        server.users(VENV, CONFIG, [])


@pytest.mark.parametrize("one", [{"key": "x"}, "a@x.org", None])
def test_a_user_without_an_address_is_named(ran, one):
    with pytest.raises(SaltInvocationError, match="user 2 of 2 has no email"):
        server.users(VENV, CONFIG, [ADMIN, one])
    assert ran.calls == []


def test_a_new_key_is_as_long_as_galaxy_keeps_and_never_the_same():
    keys = {server.new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)


# --- PostgreSQL


def test_without_psql_there_is_no_answer(ran, monkeypatch):
    monkeypatch.setitem(server.__salt__, "cmd.which", lambda name: None)
    assert server.database() is None
    assert ran.calls == []


@pytest.mark.parametrize(
    ("said", "made", "commands"),
    [
        ("0 0\n", ["role", "database"], ["createuser galaxy", "createdb -O galaxy -E UTF8"]),
        ("1 0\n", ["database"], ["createdb -O galaxy -E UTF8"]),
        ("1 1\n", [], []),
    ],
)
def test_makes_what_postgresql_lacks_as_its_own_user(ran, said, made, commands):
    ran.answers["psql"] = said
    assert server.make_database() == made
    assert len(ran.calls) == 1 + len(commands)
    for call, command in zip(ran.words[1:], commands, strict=True):
        assert call.startswith(command)
    assert {options["runas"] for _, options in ran.calls} == {"postgres"}


def test_a_name_that_sql_would_read_otherwise_is_refused(ran):
    with pytest.raises(SaltInvocationError, match="is no name of a role"):
        server.database("galaxy'; --")
    assert ran.calls == []


def test_a_postgresql_that_does_not_answer_is_one_sentence(ran):
    ran.answers["psql"] = (2, "", "psql: error: could not connect to server")
    with pytest.raises(CommandExecutionError, match="could not connect to server"):
        server.database()
