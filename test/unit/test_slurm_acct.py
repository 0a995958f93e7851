"""The slurm_acct modules: reading on real output, plans by what they bring about, the states."""

import copy
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import load
from salt.exceptions import CommandExecutionError, SaltInvocationError

acct = load("_modules/slurm_acct.py")
states = load("_states/slurm_acct.py")

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
VIEWS = runpy.run_path(str(FIXTURES / "capture"))["ACCOUNTING_VIEWS"]
VERSIONS = sorted(path.name for path in (FIXTURES / "slurm").iterdir())


def said(stdout="", stderr="", retcode=0):
    return {"stdout": stdout, "stderr": stderr, "retcode": retcode}


@pytest.fixture(params=VERSIONS)
def captured(request, monkeypatch):
    """Let sacctmgr print what one version did; the module must ask in just the captured words."""
    path = FIXTURES / "slurm" / request.param

    def run_all(argv, **_):
        assert argv[:4] == ["sacctmgr", "--parsable2", "--noheader", "show"]
        what = " ".join(word for word in argv[4:] if word != "cluster=single")
        (view,) = (view for view, words in VIEWS.items() if words == what)
        return said((path / f"accounting.{view}").read_text())

    monkeypatch.setitem(acct.__salt__, "cmd.run_all", run_all)


@pytest.fixture
def answer(monkeypatch):
    """Let every program answer the same; return the command lines."""

    def answer(**result):
        asked = []

        def run_all(argv, **options):
            asked.append((argv, options))
            return said(**result)

        monkeypatch.setitem(acct.__salt__, "cmd.run_all", run_all)
        return asked

    return answer


# --- reading --------------------------------------------------------------------------------------


def test_qos_are_read_with_units(captured):
    found = acct.qos()
    assert set(found) == {"normal", "low", "high"}
    assert found["high"] == {
        **acct._defaults(acct._QOS),
        "Description": "a | b\n3|c",
        "Priority": 100,
        "GraceTime": 120,
        "Preempt": ["low", "normal"],
        "PreemptExemptTime": 600,
        "PreemptMode": "requeue",
        "Flags": ["DenyOnLimit", "NoReserve"],
        "UsageFactor": 2.5,
        "UsageThreshold": 0.5,
        "LimitFactor": 1.5,
        "GrpJobs": 10,
        "GrpWall": 86400,
        "MaxWall": 5400,
        "MaxJobsPerUser": 1,
        "MaxSubmitJobsPerUser": 4,
        "GrpTRES": {"cpu": 4, "mem": 102400, "node": 2},
        "MaxTRESPerUser": {"cpu": 2, "mem": 5000},
        "MaxTRESMinsPerJob": {"cpu": 60},
        "MaxTRESRunMinsPerAccount": {"cpu": 9},
    }
    assert found["low"] == {**acct._defaults(acct._QOS), "Description": "low"}


def test_accounts_are_read_whatever_their_texts_hold(captured):
    found = acct.accounts("single")
    assert {name: each["Parent"] for name, each in found.items()} == {
        "root": None,
        "physics": "root",
        "optics": "physics",
        "pi|pe": "physics",
    }
    assert found["physics"]["Description"] == "two\nlines|x|y"
    assert found["physics"]["Organization"] == "o|rg"
    assert found["pi|pe"]["Description"] == "pi|pe"
    assert found["physics"]["GrpTRES"] == {"cpu": 64, "mem": 1048576}
    assert found["physics"]["MaxWall"] == 86400
    assert found["physics"]["QOS"] == ["high", "normal"]
    assert found["optics"]["Fairshare"] == "parent"


def test_users_are_read_with_their_own_limits_and_no_inherited_ones(captured):
    found = acct.users("single")
    assert found["ada"]["DefaultAccount"] == "optics"
    assert found["ada"]["AdminLevel"] == "Operator"
    limits = {key: acct._own(each) for key, each in found["ada"]["accounts"].items()}
    assert limits == {
        "physics": {"MaxJobs": 5},
        "physics:main": {"MaxSubmitJobs": 9},
        "optics": {},
    }
    assert found["bob"]["DefaultAccount"] == "pi|pe"
    assert list(found["bob"]["accounts"]) == ["pi|pe"]


def test_what_was_read_needs_no_plan(captured):
    current = acct.read("single")
    assert "gres/gpu" in current["tres"]
    wanted = {
        "qos": {n: {k: v for k, v in current["qos"][n].items() if k == "Flags"} for n in ["high"]},
        "accounts": {
            "physics": {"GrpTRES": "cpu=64,mem=1T", "MaxWall": "1-0", "QOS": "normal,high"}
        },
        "users": {
            "ada": {"AdminLevel": "operator", "accounts": {"physics:main": {"MaxSubmit": 9}}}
        },
    }
    plan = acct.plan(wanted, current)
    assert (plan["problems"], plan["changes"], plan["steps"]) == ([], {}, [])


def test_a_cluster_that_is_not_registered_is_named_with_those_that_are(captured):
    with pytest.raises(CommandExecutionError, match=r"no cluster other \(it has: single\)"):
        acct.read("other")


def test_sacctmgrs_own_words_are_kept(answer):
    answer(retcode=1, stderr="sacctmgr: error: Sending PersistInit msg: Connection refused\n")
    with pytest.raises(CommandExecutionError, match="error: Sending PersistInit msg"):
        acct.clusters()


def test_a_silent_slurmdbd_is_waited_for_no_longer_than_the_bound(answer):
    asked = answer(retcode=1, stdout="x\nTimed out after 7 seconds")
    with pytest.raises(CommandExecutionError, match="no answer within 7 s: is slurmdbd running"):
        acct.qos(timeout=7)
    assert asked[0][1]["timeout"] == 7


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r")), max_size=5))
def test_no_text_can_pass_for_a_row(texts):
    printed = "".join(f"{number}|{text}\n" for number, text in enumerate(texts, 5))
    ids = [str(number) for number in range(5, 5 + len(texts))]
    # A text that says the number of a row below it is the one thing that cannot be told apart.
    if any(f"\n{number}|" in text for number in ids for text in texts):
        return
    assert acct.parse_rows(printed, 2, ids) == [
        [number, text] for number, text in zip(ids, texts, strict=True)
    ]


@given(st.integers(0, 10**8))
def test_a_time_is_read_as_it_is_written(seconds):
    assert acct._seconds(acct._clock(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("1:30", 90), ("1:00:00", 3600), ("2-0", 172800), ("1-2:3", 93780)],
)
def test_a_time_has_slurms_forms(text, seconds):
    assert acct._seconds(text) == seconds


# --- checking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "absent", "says"),
    [
        (
            {"qos": {"high": {"MaxWal": "1-0"}}},
            {},
            "qos:high:MaxWal: there is no such parameter; did you mean MaxWall?",
        ),
        ({"qoz": {}}, {}, "qoz: there is no such key; did you mean qos?"),
        ({"qos": ["high"]}, {}, "qos: must be a mapping of names, not ['high']"),
        (
            {"accounts": {"Physics": {}}},
            {},
            "accounts:Physics: Slurm keeps names in lower case and in simple letters; "
            "write physics",
        ),
        (
            {"accounts": {"a=b,c": {}}},
            {},
            "accounts:a=b,c: Slurm keeps names in lower case and in simple letters; "
            "letters, digits and _.@+- will do",
        ),
        ({"accounts": {"root": {}}}, {}, "accounts:root: is Slurm's own, and is left alone"),
        ({}, {"users": ["root"]}, "absent:users:root: is Slurm's own, and is left alone"),
        (
            {"users": {"ada": {}}},
            {},
            "users:ada:accounts: a user is in one account at least; name it",
        ),
        (
            {"qos": {"high": {"MaxWall": 23400}}},
            {},
            "qos:high:MaxWall: is 23400, perhaps because YAML counted an unquoted time in base 60; "
            "quote it, as in '6:30:00' or '60' (minutes)",
        ),
        (
            {"qos": {"high": {"Flags": ["DenyOnLimits"]}}},
            {},
            "qos:high:Flags: there is no flag DenyOnLimits; did you mean DenyOnLimit?",
        ),
        (
            {"qos": {"high": {"MaxJobsPU": "many"}}},
            {},
            "qos:high:MaxJobsPU: must be a whole number from 0, not 'many'",
        ),
        (
            {"qos": {"high": {"GrpTRES": {"gres/gpuu": 1}}}},
            {},
            "qos:high:GrpTRES: there is no TRES gres/gpuu; did you mean gres/gpu? "
            "(AccountingStorageTRES in slurm.conf adds gres and license TRES)",
        ),
        (
            {"qos": {"high": {"GrpTRES": {"mem": "lots"}}}},
            {},
            "qos:high:GrpTRES: mem: 'lots' is no count",
        ),
        (
            {"accounts": {"a": {"Description": "two\nlines"}}},
            {},
            "accounts:a:Description: must be one line of text, not 'two\\nlines'",
        ),
        (
            {"qos": {"high": {}}},
            {"qos": ["high"]},
            "absent:qos: high is in qos as well; keep one",
        ),
        (
            {"users": {"ada": {"AdminLevel": "Operater", "accounts": ["a"]}}},
            {},
            "users:ada:AdminLevel: there is no level Operater; did you mean Operator?",
        ),
    ],
)
def test_one_sentence_for_what_is_wrong(wanted, absent, says):
    checked = acct.check(wanted, absent, ["cpu", "mem", "gres/gpu"])
    assert checked["problems"] == [says]


# --- plans ----------------------------------------------------------------------------------------


def world():
    """Return accounting as a new cluster with a few entities has it."""

    def account(parent):
        return {**acct._defaults(acct._ACCOUNT), "Parent": parent}

    return {
        "cluster": "galaxy",
        "clusters": ["galaxy"],
        "tres": ["cpu", "mem", "node", "gres/gpu"],
        "qos": {
            "normal": acct._defaults(acct._QOS),
            "high": {**acct._defaults(acct._QOS), "GrpTRES": {"cpu": 4, "mem": 100}},
        },
        "accounts": {
            "root": account(None),
            "physics": account("root"),
            "optics": account("physics"),
        },
        "users": {
            "root": {
                "DefaultAccount": "root",
                "AdminLevel": "Administrator",
                "accounts": {"root": acct._defaults(acct._ASSOCIATION)},
            },
            "ada": {
                "DefaultAccount": "optics",
                "AdminLevel": "None",
                "accounts": {
                    "optics": acct._defaults(acct._ASSOCIATION),
                    "physics": {**acct._defaults(acct._ASSOCIATION), "MaxJobs": 5},
                },
            },
        },
    }


def test_parents_come_before_children_and_users_after_accounts():
    wanted = {
        "users": {"cy": {"DefaultAccount": "b", "accounts": ["a", "b"]}},
        "accounts": {"a": {"Parent": "b"}, "b": {"Parent": "c"}, "c": {}},
        "qos": {"up": {"Preempt": ["down"]}, "down": {}},
    }
    plan = acct.plan(wanted, world())
    assert plan["steps"] == [
        ["add", "qos", "up"],
        ["add", "qos", "down"],
        ["modify", "qos", "where", "name=up", "set", "Preempt=down"],
        ["add", "account", "c", "cluster=galaxy"],
        ["add", "account", "b", "cluster=galaxy", "Parent=c"],
        ["add", "account", "a", "cluster=galaxy", "Parent=b"],
        ["add", "user", "cy", "cluster=galaxy", "account=b"],
        ["add", "user", "cy", "cluster=galaxy", "account=a"],
    ]


def test_a_tres_that_is_no_longer_named_is_cleared():
    plan = acct.plan({"qos": {"high": {"GrpTRES": {"cpu": 8}}}}, world())
    assert plan["steps"] == [["modify", "qos", "where", "name=high", "set", "GrpTRES=cpu=8,mem=-1"]]
    assert plan["changes"] == {
        "qos high": {"GrpTRES": {"old": {"cpu": 4, "mem": 100}, "new": {"cpu": 8}}}
    }


def test_a_limit_of_one_association_is_set_on_no_other():
    plan = acct.plan({"users": {"ada": {"accounts": {"physics": {"MaxJobs": None}}}}}, world())
    assert plan["steps"] == [
        ["modify", "user", "where", "name=ada", "cluster=galaxy", "account=physics", "partition=",
         "set", "MaxJobs=-1"]
    ]  # fmt: skip


def test_children_go_before_parents_and_in_a_shared_slurmdbd_from_this_cluster_alone():
    current = {**world(), "clusters": ["galaxy", "other"]}
    absent = {"users": ["ada"], "accounts": ["physics", "optics"], "qos": ["high"]}
    plan = acct.plan({}, current, absent)
    assert plan["steps"] == [
        ["delete", "user", "where", "name=ada", "cluster=galaxy"],
        ["delete", "account", "where", "name=optics", "cluster=galaxy"],
        ["delete", "account", "where", "name=physics", "cluster=galaxy"],
        ["delete", "qos", "where", "name=high"],
    ]
    assert acct.plan({}, world(), absent)["steps"][0] == ["delete", "user", "where", "name=ada"]


@pytest.mark.parametrize(
    ("wanted", "absent", "says"),
    [
        (
            {"accounts": {"x": {"Parent": "physic"}}},
            {},
            "accounts:x:Parent: the account physic does not exist; did you mean physics?",
        ),
        (
            {"users": {"ada": {"accounts": {"optics": {"QOS": ["hihg"]}}}}},
            {},
            "users:ada:accounts:optics:QOS: the QOS hihg does not exist; did you mean high?",
        ),
        (
            {"users": {"ada": {"DefaultAccount": "optic", "accounts": ["optics"]}}},
            {},
            "users:ada:DefaultAccount: ada is not in the account optic; did you mean optics?",
        ),
        (
            {"accounts": {"physics": {"Parent": "optics"}}},
            {},
            "accounts:physics:Parent: physics is below optics is below physics",
        ),
        (
            {},
            {"accounts": ["optics"]},
            "absent: optics is the default account of ada; give users:ada:DefaultAccount "
            "another one",
        ),
        (
            {},
            {"associations": {"ada": ["optics", "physics"]}},
            "absent: ada would be left in no account (now optics, physics); name the user in "
            "absent:users as well, or give another account",
        ),
        (
            {"accounts": {"optics": {"DefaultQOS": "high"}}},
            {"qos": ["high"]},
            "accounts:optics:DefaultQOS: the QOS high is to be absent; known are normal",
        ),
    ],
)
def test_what_would_point_at_nothing_is_refused(wanted, absent, says):
    plan = acct.plan(wanted, world(), absent)
    assert says in plan["problems"]
    assert (plan["steps"], plan["changes"]) == ([], {})


def test_an_account_above_others_is_not_removed_alone():
    problems = acct.plan({}, world(), {"accounts": ["physics"]})["problems"]
    assert (
        "absent:accounts: physics is the parent of optics; name that as well, or give it another "
        "parent"
    ) in problems


COUNTS = st.none() | st.integers(0, 10**6)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "MaxJobs": COUNTS,
        "GrpTRES": st.dictionaries(st.sampled_from(["cpu", "mem"]), COUNTS),
        "Fairshare": st.just("parent") | COUNTS,
        "QOS": st.lists(st.sampled_from(["normal", "high"])),
    },
)


@given(LIMITS, LIMITS)
def test_what_a_plan_changes_needs_no_second_plan(before, after):
    current = world()
    for limits in (before, after):
        wanted = {"accounts": {"physics": limits}}
        plan = acct.plan(wanted, current)
        assert plan["problems"] == []
        untouched = copy.deepcopy(current)
        for name, pair in plan["changes"].get("account physics", {}).items():
            assert pair["old"] == current["accounts"]["physics"][name] != pair["new"]
            current["accounts"]["physics"][name] = pair["new"]
        assert bool(plan["steps"]) == (untouched != current)
        assert acct.plan(wanted, current)["changes"] == {}


def test_jobs_in_the_way_are_named():
    jobs = [
        {"id": "7", "user": "ada", "account": "physics", "qos": "high", "partition": "main"},
        {
            "id": "8_[1-3]",
            "user": "bob",
            "account": "physics",
            "qos": "normal",
            "partition": "main",
        },
    ]
    removals = [
        {"what": "user ada", "user": "ada"},
        {"what": "user bob in optics", "user": "bob", "account": "optics"},
        {"what": "account physics", "account": "physics"},
    ]
    end = "; wait for their end, or cancel them"
    assert acct.jobs_of(removals, jobs) == [
        f"user ada cannot be removed while jobs are there: 7{end}",
        f"account physics cannot be removed while jobs are there: 7, 8_[1-3]{end}",
    ]


def test_apply_is_immediate_and_stops_at_slurms_refusal(answer):
    asked = answer()
    assert acct.apply([["add", "qos", "high"], ["delete", "qos", "where", "name=low"]]) == 2
    assert asked[0][0] == ["sacctmgr", "--immediate", "add", "qos", "high"]
    asked = answer(retcode=1, stdout=" Unknown option: NoSuch=3\n")
    with pytest.raises(CommandExecutionError, match="add qos high: Unknown option: NoSuch=3"):
        acct.apply([["add", "qos", "high"], ["add", "qos", "low"]])
    assert len(asked) == 1
    answer(retcode=1, stdout=" Nothing new added.\n")
    assert acct.apply([["add", "qos", "high"]]) == 0
    with pytest.raises(SaltInvocationError, match="is no step"):
        acct.apply([["shutdown"]])


# --- the states -----------------------------------------------------------------------------------


@pytest.fixture
def jobs():
    """Return the queue that the states see."""
    return []


@pytest.fixture
def managed(monkeypatch, jobs):
    """Return the state managed over a slurmdbd that does what a plan's changes say."""
    current = world()

    def apply(steps):
        for step in steps:
            assert step[:4] == ["modify", "qos", "where", "name=high"], step
            current["qos"]["high"]["Priority"] = int(step[-1].partition("=")[2])

    for name, function in {
        "slurm_acct.check": acct.check,
        "slurm_acct.plan": acct.plan,
        "slurm_acct.jobs_of": acct.jobs_of,
        "slurm_acct.read": lambda cluster: copy.deepcopy(current),
        "slurm_acct.apply": apply,
        "slurm.squeue": lambda: jobs,
    }.items():
        monkeypatch.setitem(states.__salt__, name, function)

    def managed(test=False, **arguments):
        monkeypatch.setitem(states.__opts__, "test", test)
        return states.managed("galaxy", wait=0, **arguments)

    return managed


def test_a_test_run_tells_what_the_real_one_changes_and_the_next_run_nothing(managed):
    wanted = {"qos": {"high": {"Priority": 9}}}
    planned, real, again = managed(test=True, **wanted), managed(**wanted), managed(**wanted)
    changes = {"qos high": {"Priority": {"old": 0, "new": 9}}}
    assert (planned["result"], planned["changes"]) == (None, changes)
    assert (real["result"], real["changes"]) == (True, changes)
    assert (again["result"], again["changes"]) == (True, {})


@pytest.mark.parametrize("test", [True, False])
def test_a_removal_while_jobs_are_there_is_refused(managed, jobs, test):
    jobs.append({"id": "7", "user": "ada", "account": "optics"})
    refused = managed(test=test, absent={"users": ["ada"]})
    assert (refused["result"], refused["changes"]) == (False, {})
    assert "user ada cannot be removed while jobs are there: 7;" in refused["comment"]


def test_an_order_that_slurm_took_and_did_not_follow_is_a_failure(managed, monkeypatch):
    monkeypatch.setitem(states.__salt__, "slurm_acct.apply", len)
    failed = managed(qos={"high": {"Priority": 9}})
    assert (failed["result"], failed["changes"]) == (False, {})
    assert failed["comment"].endswith("still differs in qos high")


@pytest.mark.parametrize(("test", "result"), [(True, None), (False, False)])
def test_without_slurmdbd_there_is_one_sentence(managed, monkeypatch, test, result):
    def refuse(cluster):
        raise CommandExecutionError("sacctmgr: error: Connection refused")

    monkeypatch.setitem(states.__salt__, "slurm_acct.read", refuse)
    told = managed(test=test, qos={"high": {}})
    assert (told["result"], told["changes"]) == (result, {})
    assert told["comment"].endswith("sacctmgr: error: Connection refused")


# --- the database on this host --------------------------------------------------------------------

DENIED = "ERROR 1045 (28000): Access denied for user 'slurm'@'localhost' (using password: NO)"
NO_SERVER = "ERROR 2002 (HY000): Can't connect to local server through socket (2)"


def test_a_database_that_the_account_reaches_is_present(answer, tmp_path):
    asked = answer(stdout=f"{tmp_path}\n")
    found = acct.database()
    assert (found["answers"], found["present"]) == (True, True)
    assert found["free"] > 0
    ((argv, _),) = asked
    assert argv[:4] == ["runuser", "-u", "slurm", "--"]


@pytest.mark.parametrize(
    ("stderr", "answers"),
    [
        (DENIED, True),
        ("ERROR 1044 (42000): Access denied for user 'slurm'@'localhost' to database 'x'", True),
        ("ERROR 1049 (42000): Unknown database 'slurm_acct_db'", True),
        (NO_SERVER, False),
        ("runuser: failed to execute mariadb: No such file or directory", False),
        ("runuser: user slurm does not exist", False),
    ],
)
def test_a_database_that_is_not_reached_is_not_present(answer, stderr, answers):
    answer(stderr=stderr, retcode=1)
    found = acct.database()
    assert (found["answers"], found["present"], found["said"]) == (answers, False, stderr)


def test_another_failure_of_mariadb_is_raised_in_its_words(answer):
    answer(stderr="ERROR 1040 (HY000): Too many connections", retcode=1)
    with pytest.raises(CommandExecutionError, match=r"MariaDB: ERROR 1040 .*journalctl -u mariadb"):
        acct.database()


def test_a_database_without_room_is_a_failure(answer, tmp_path, monkeypatch):
    answer(stdout=f"{tmp_path}\n")
    monkeypatch.setattr(acct, "_ROOM", 2**80)
    with pytest.raises(CommandExecutionError, match=f"there is no room in {tmp_path} for MariaDB"):
        acct.database()


@pytest.mark.parametrize("name", ["a`b", "", "a b", "x" * 65])
def test_a_name_that_could_be_sql_is_refused(answer, name):
    asked = answer()
    with pytest.raises(SaltInvocationError, match="must be of letters, digits"):
        acct.create_database(name)
    assert asked == []


def test_a_database_is_made_for_an_account_without_a_password(answer):
    asked = answer()
    assert acct.create_database("acct", "slurm") is True
    ((argv, _),) = asked
    assert argv[-1] == (
        "--execute=CREATE DATABASE IF NOT EXISTS `acct`; "
        "CREATE USER IF NOT EXISTS `slurm`@localhost IDENTIFIED VIA unix_socket; "
        "ALTER USER `slurm`@localhost IDENTIFIED VIA unix_socket; "
        "GRANT ALL ON `acct`.* TO `slurm`@localhost"
    )


@pytest.fixture
def database_present(monkeypatch):
    """Return the state over a MariaDB that is as told, with what it was ordered."""

    def database_present(found, test=False):
        ordered = []
        monkeypatch.setitem(states.__opts__, "test", test)
        monkeypatch.setitem(states.__salt__, "slurm_acct.database", lambda name, user: found)
        order = lambda name, user: ordered.append((name, user))  # noqa: E731
        monkeypatch.setitem(states.__salt__, "slurm_acct.create_database", order)
        ret = states.database_present("slurm_acct_db")
        return ret["result"], bool(ret["changes"]), ordered, ret["comment"]

    return database_present


def test_a_database_is_made_once(database_present):
    missing = {"answers": True, "present": False, "said": DENIED}
    assert database_present(missing, test=True)[:3] == (None, True, [])
    assert database_present(missing)[:3] == (True, True, [("slurm_acct_db", "slurm")])
    there = {"answers": True, "present": True, "said": ""}
    for test in (True, False):
        assert database_present(there, test)[:3] == (True, False, [])


def test_a_mariadb_that_is_not_there_yet_is_no_failure_of_a_test_run(database_present):
    absent = {"answers": False, "present": False, "said": NO_SERVER}
    result, changes, ordered, comment = database_present(absent, test=True)
    assert (result, changes, ordered) == (None, False, [])
    assert comment.endswith(NO_SERVER)
    result, changes, ordered, comment = database_present(absent)
    assert (result, changes, ordered) == (False, False, [])
    assert comment == f"MariaDB: {NO_SERVER}; see: journalctl -u mariadb"
