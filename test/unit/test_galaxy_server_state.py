"""The galaxy_server state module over stand-ins for the execution module and file.managed."""

import os

import pytest
from loading import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

state = load("_states/galaxy_server.py", __states__={})

VENV = "/srv/galaxy/venv"
CONFIG = "/etc/galaxy/galaxy.yml"
READS = {
    "installed",
    "asked",
    "units",
    "needs",
    "new_key",
    "database",
}  # what changes nothing on a host


class StandIn:
    """In place of the execution module: gives an answer for each function, keeps the calls."""

    def __init__(self):
        self.answers = {}
        self.calls = []

    def get(self, name):
        def called(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            answer = self.answers.get(name, True)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return called

    def __getitem__(self, name):
        return self.get(name.removeprefix("galaxy_server."))

    @property
    def done(self):
        """What was called that changes something."""
        return [name for name, _, _ in self.calls if name not in READS]


@pytest.fixture(params=[False, True], ids=["real", "test"])
def test_mode(request, monkeypatch):
    monkeypatch.setattr(state, "__opts__", {"test": request.param})
    return request.param


@pytest.fixture
def module(monkeypatch):
    module = StandIn()
    monkeypatch.setattr(state, "__salt__", module)
    return module


ERRORS = [CommandExecutionError("it is spoilt"), SaltInvocationError("it is spoilt")]


def spoilt(ret):
    """Hold that a state failed in one sentence and claims no changes."""
    return (ret["result"], ret["changes"], ret["comment"]) == (False, {}, "it is spoilt")


# installed


def test_the_version_that_is_there_is_left_alone(module, test_mode):
    module.answers["installed"] = "26.1.1"
    assert state.installed(VENV, "26.1.1") == {
        "name": VENV, "changes": {}, "result": True, "comment": "Galaxy 26.1.1 is installed",
    }  # fmt: skip
    assert module.done == []


@pytest.mark.parametrize("found", [None, "26.1.0"])
def test_another_version_is_replaced(module, test_mode, found):
    module.answers["installed"] = found
    ret = state.installed(VENV, "26.1.1", "/usr/bin/python3.11", {"no_index": True})
    assert ret["changes"] == {"galaxy": {"old": found or "", "new": "26.1.1"}}
    if test_mode:
        assert (ret["result"], ret["comment"]) == (None, "Galaxy 26.1.1 would be installed")
        assert module.done == []
    else:
        assert (ret["result"], ret["comment"]) == (True, "Galaxy 26.1.1 was installed")
        wanted = (VENV, "26.1.1", "/usr/bin/python3.11", {"no_index": True})
        assert module.calls[-1] == ("install", wanted, {})


@pytest.mark.parametrize("error", ERRORS)
def test_an_installation_that_fails_is_one_sentence(module, monkeypatch, error):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    module.answers |= {"installed": None, "install": error}
    assert spoilt(state.installed(VENV, "26.1.1"))


# dependencies_installed

ASKS = (VENV, CONFIG, ["/etc/galaxy/job_conf.yml"])


def test_a_configuration_that_was_asked_about_is_not_asked_about_again(module, test_mode):
    ret = state.dependencies_installed(*ASKS)
    assert (ret["result"], ret["changes"]) == (True, {})
    question = ("dependencies", CONFIG, ["/etc/galaxy/job_conf.yml"], VENV)
    assert module.calls == [("asked", question, {})]


def test_what_the_configuration_needs_is_installed_once(module, test_mode):
    module.answers |= {"asked": False, "missing": ["drmaa==0.7.9"]}
    ret = state.dependencies_installed(*ASKS, pip={"cert": "/ca"})
    if test_mode:
        assert (ret["result"], ret["changes"], module.done) == (None, {}, [])
        assert ret["comment"] == "Galaxy would be asked what its configuration needs"
    else:
        assert (ret["result"], ret["changes"]) == (True, {"installed": ["drmaa==0.7.9"]})
        assert ret["comment"] == "installed: drmaa==0.7.9"
        assert module.done == ["missing", "install_missing", "answered"]
        assert module.calls[2][1] == (VENV, ["drmaa==0.7.9"], {"cert": "/ca"})


def test_a_configuration_that_needs_nothing_more_is_no_change(module, monkeypatch):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    module.answers |= {"asked": False, "missing": []}
    ret = state.dependencies_installed(*ASKS)
    assert (ret["result"], ret["changes"]) == (True, {})
    assert ret["comment"] == "installed: nothing more"
    assert module.done == ["missing", "answered"]


@pytest.mark.parametrize("function", ["missing", "install_missing"])
@pytest.mark.parametrize("error", ERRORS)
def test_a_dependency_that_fails_is_asked_about_again(module, monkeypatch, function, error):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    module.answers |= {"asked": False, "missing": ["drmaa"], function: error}
    assert spoilt(state.dependencies_installed(*ASKS))
    assert "answered" not in module.done


# check_tools_present

TOOLS = {"slurm_galaxy_check_a": "a", "slurm_galaxy_check_b": "b"}


@pytest.fixture
def files(module, monkeypatch):
    """Put a stand-in under file.managed; return what it answers and was called with."""
    module.answers |= {"galaxy.check_tool": "<tool/>", "tool_conf": "<toolbox/>"}
    files: dict = {"answers": {}, "calls": []}

    def managed(path, **options):
        files["calls"].append((path, options))
        same = {"changes": {}, "result": True, "comment": "same"}
        return files["answers"].get(path, same)

    monkeypatch.setattr(state, "__states__", {"file.managed": managed})
    return files


def test_the_tools_of_the_checks_are_written_with_their_toolbox(module, files, test_mode):
    result = None if test_mode else True
    files["answers"]["/t/slurm_galaxy_check_b.xml"] = {
        "changes": {"diff": "New file"}, "result": result, "comment": "new",
    }  # fmt: skip
    ret = state.check_tools_present("/e/tool_conf.xml", TOOLS, "/t")
    assert ret["result"] is result
    assert ret["changes"] == {"/t/slurm_galaxy_check_b.xml": {"diff": "New file"}}
    assert ret["comment"] == "2 tools of the checks"
    assert [path for path, _ in files["calls"]] == [
        "/t/slurm_galaxy_check_a.xml", "/t/slurm_galaxy_check_b.xml", "/e/tool_conf.xml",
    ]  # fmt: skip
    for _, options in files["calls"]:
        assert (options["user"], options["group"], options["mode"]) == ("root", "root", "0644")


def test_tools_that_are_there_are_no_change(module, files, test_mode):
    ret = state.check_tools_present("/e/tool_conf.xml", TOOLS, "/t")
    assert (ret["result"], ret["changes"]) == (True, {})


def test_a_tool_that_cannot_be_written_fails_with_the_reason(module, files, test_mode):
    files["answers"]["/t/slurm_galaxy_check_a.xml"] = {
        "changes": {}, "result": False, "comment": "/t is read-only",
    }  # fmt: skip
    ret = state.check_tools_present("/e/tool_conf.xml", TOOLS, "/t")
    assert (ret["result"], ret["comment"]) == (False, "/t is read-only")
    assert len(files["calls"]) == 1


@pytest.mark.parametrize("error", ERRORS)
def test_a_tool_that_cannot_be_made_writes_none(module, files, test_mode, error):
    module.answers["galaxy.check_tool"] = error
    assert spoilt(state.check_tools_present("/e/tool_conf.xml", TOOLS, "/t"))
    assert files["calls"] == []


# current

UNITS = {"galaxy-gunicorn.service": {"active": True}}
NOTHING = {"action": "nothing", "changed": []}


def current(module, asked=True, units=None, **need):
    module.answers |= {"asked": asked, "units": UNITS if units is None else units}
    module.answers["needs"] = {**NOTHING, **need}
    return state.current(CONFIG, VENV, ["/e/job_conf.yml"], "gx")


def test_processes_with_what_is_on_disk_are_left_alone(module, test_mode):
    ret = current(module)
    assert (ret["result"], ret["changes"], module.done) == (True, {}, [])
    assert ret["comment"] == "Galaxy runs with what is on disk"


CASES = {
    "first start": (
        {"asked": False, "units": {}, "action": "start"}, "started", "not so",
        ["update_units", "answered", "act start", "remember"],
    ),
    "stopped by somebody": (
        {"action": "start"}, "started", "not so", ["act start", "remember"],
    ),
    "other configuration": (
        {"action": "restart", "changed": ["/e/a", "/e/b"]}, "restarted",
        "before the change of /e/a, /e/b", ["act restart", "remember"],
    ),
    "units of gravity's older words": (
        {"asked": False}, "given new units", "not so", ["update_units", "answered", "remember"],
    ),
    "another version": (
        {"asked": False, "action": "restart", "changed": ["Galaxy"]}, "restarted",
        "before the change of Galaxy",
        ["update_units", "answered", "act stop", "upgrade_database", "act start", "remember"],
    ),
    "an upgrade that is caught up": (
        {"action": "start", "changed": ["Galaxy"]}, "started", "before the change of Galaxy",
        ["act stop", "upgrade_database", "act start", "remember"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "done", "old", "steps"), CASES.values(), ids=CASES.keys())
def test_the_least_is_done_that_is_needed(module, test_mode, given, done, old, steps):
    ret = current(module, **given)
    assert ret["changes"] == {"galaxy": {"old": old, "new": done}}
    if test_mode:
        assert (ret["result"], ret["comment"]) == (None, f"Galaxy would be {done}")
        assert module.done == []
    else:
        assert (ret["result"], ret["comment"]) == (True, f"Galaxy was {done}")
        assert [
            f"act {args[0]}" if name == "act" else name
            for name, args, _ in module.calls
            if name not in READS
        ] == steps


def test_the_database_is_upgraded_as_galaxys_user(module, monkeypatch):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    current(module, action="restart", changed=["Galaxy"])
    assert ("upgrade_database", (VENV, CONFIG, "gx"), {}) in module.calls


@pytest.mark.parametrize("function", ["update_units", "act", "upgrade_database"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_action_that_fails_is_not_remembered(module, monkeypatch, function, error):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    module.answers[function] = error
    assert spoilt(current(module, asked=False, action="restart", changed=["Galaxy"]))
    assert "remember" not in module.done


@pytest.mark.parametrize("function", ["asked", "units", "needs"])
@pytest.mark.parametrize("error", ERRORS)
def test_processes_that_cannot_be_looked_at_fail_in_both_modes(module, test_mode, function, error):
    module.answers |= {"asked": True, "units": UNITS, "needs": NOTHING, function: error}
    assert spoilt(state.current(CONFIG, VENV, []))
    assert module.done == []


# users_present

ADMINS = {"ada@x.org": {"password": "hunter2-hunter2", "key": "k" * 32}, "bob@x.org": {}}


@pytest.fixture
def key_file(tmp_path, module):
    module.answers |= {"asked": False, "new_key": "c" * 32, "users": {}}
    return tmp_path / "check_user.key"


def test_users_that_were_looked_at_are_not_looked_at_again(module, key_file, test_mode):
    key_file.write_text("c" * 32)
    module.answers["asked"] = True
    ret = state.users_present(CONFIG, VENV, ADMINS, str(key_file))
    assert (ret["result"], ret["changes"], module.done) == (True, {}, [])
    keys = {"ada@x.org": "k" * 32, "bob@x.org": None}
    assert module.calls == [("asked", ("users", CONFIG, [str(key_file)], VENV, keys), {})]


def test_another_key_of_an_administrators_is_looked_at(module, key_file, monkeypatch):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    key_file.write_text("c" * 32)
    state.users_present(CONFIG, VENV, {"ada@x.org": {"key": "n" * 32}}, str(key_file))
    (asked,) = [args for name, args, _ in module.calls if name == "asked"]
    (answered,) = [args for name, args, _ in module.calls if name == "answered"]
    assert asked == answered
    assert asked[-1] == {"ada@x.org": "n" * 32}


def test_administrators_and_the_user_of_the_checks_are_made(module, key_file, test_mode):
    module.answers["users"] = {"ada@x.org": ["user", "key"], state.CHECK_USER: ["user", "key"]}
    ret = state.users_present(CONFIG, VENV, ADMINS, str(key_file))
    if test_mode:
        assert (ret["result"], ret["changes"], module.done) == (None, {}, [])
        assert not key_file.exists()
        return
    assert (ret["result"], ret["changes"]) == (True, module.answers["users"])
    assert ret["comment"] == f"made or mended: ada@x.org, {state.CHECK_USER}"
    assert ("users", (VENV, CONFIG, [
        {"email": "ada@x.org", **ADMINS["ada@x.org"]}, {"email": "bob@x.org"},
        {"email": state.CHECK_USER, "key": "c" * 32},
    ]), {}) in module.calls  # fmt: skip
    assert "hunter2" not in str(ret) and "k" * 32 not in str(ret) and "c" * 32 not in str(ret)


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_the_key_file_is_roots_alone_from_its_first_instant(module, key_file, monkeypatch, umask):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    modes = []
    write = state.pathlib.Path.write_text

    def look_and_write(path, text, *args, **kwargs):
        modes.append(path.stat().st_mode & 0o777)
        return write(path, text, *args, **kwargs)

    monkeypatch.setattr(state.pathlib.Path, "write_text", look_and_write)
    old = os.umask(umask)
    try:
        state.users_present(CONFIG, VENV, {}, str(key_file))
    finally:
        os.umask(old)
    assert modes == [0o600]
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert key_file.read_text() == "c" * 32 + "\n"
    assert [path.name for path in key_file.parent.iterdir()] == [key_file.name]


@pytest.mark.parametrize("spoilt", [b"", b"\n", b"\xff\xfe", b"two words", b"x" * 33])
def test_a_key_file_that_is_there_is_kept_and_a_spoilt_one_replaced(
    module, key_file, monkeypatch, spoilt
):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    key_file.write_text("d" * 32 + "\n")
    state.users_present(CONFIG, VENV, {}, str(key_file))
    assert module.calls[1][1][2] == [{"email": state.CHECK_USER, "key": "d" * 32}]
    assert key_file.read_text() == "d" * 32 + "\n"
    key_file.write_bytes(spoilt)
    key_file.chmod(0o644)
    key_file.with_name(".check_user.key.new").touch(mode=0o644)  # of a run that was killed
    state.users_present(CONFIG, VENV, {}, str(key_file))
    assert key_file.read_text() == "c" * 32 + "\n"
    assert key_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("error", ERRORS)
def test_users_that_cannot_be_made_leave_no_key_file(module, key_file, monkeypatch, error):
    monkeypatch.setattr(state, "__opts__", {"test": False})
    module.answers["users"] = error
    assert spoilt(state.users_present(CONFIG, VENV, ADMINS, str(key_file)))
    assert not key_file.exists()
    assert "answered" not in module.done


def test_a_key_file_that_cannot_be_read_is_one_sentence(module, key_file, test_mode):
    key_file.mkdir()
    ret = state.users_present(CONFIG, VENV, ADMINS, str(key_file))
    assert (ret["result"], ret["changes"], module.done) == (False, {}, [])
    assert str(key_file) in ret["comment"]


class TestDatabasePresent:
    def test_says_so_where_both_are_there(self, module, test_mode):
        module.answers["database"] = {"role": True, "database": True}
        ret = state.database_present("galaxy")
        assert (ret["result"], ret["changes"]) == (True, {})
        assert "make_database" not in module.done

    @pytest.mark.parametrize(
        ("found", "new"),
        [
            ({"role": False, "database": False}, ["role", "database"]),
            ({"role": True, "database": False}, ["database"]),
        ],
    )
    def test_makes_what_is_missing(self, module, test_mode, found, new):
        module.answers["database"] = found
        ret = state.database_present("galaxy")
        assert ret["changes"] == dict.fromkeys(new, "new")
        assert ret["result"] is (None if test_mode else True)
        assert ("make_database" in module.done) is not test_mode

    def test_without_postgresql_it_is_no_error_of_a_test_run_alone(self, module, test_mode):
        module.answers["database"] = None
        ret = state.database_present("galaxy")
        assert ret["result"] is (None if test_mode else False)
        assert ("psql is missing" in ret["comment"]) is not test_mode

    @pytest.mark.parametrize("error", ERRORS)
    def test_tells_what_postgresql_says(self, module, test_mode, error):
        module.answers["database"] = error
        assert spoilt(state.database_present("galaxy"))
