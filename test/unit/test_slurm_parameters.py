"""The tables of Slurm's parameters as they are asked: by file or line, by name, by version."""

import re

import pytest
from loading import load
from salt.exceptions import SaltInvocationError

parameters = load("_modules/slurm_parameters.py")

SECTIONS = [*parameters._ROWS]
KINDS = set(
    "string path words hostlist uint16 uint32 uint64 float yes_no time ports size line "
    "ignored".split()
)
NEEDS = {
    "reconfigure",
    "restart slurmctld",
    "restart slurmd",
    "restart all",
    "restart slurmdbd",
    "never while jobs run",
}
ROW = set(
    "name kind values range plugin removed_values repeat since ignored removed renamed needs "
    "needs_words fatal_note".split()
)


@pytest.mark.parametrize("version", [None, *parameters.versions()])
@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_is_complete(section, version):
    for name, row in parameters.table(section, version).items():
        assert set(row) == ROW
        assert name == row["name"].lower()
        assert row["kind"] in KINDS
        assert not row["values"] or all(re.fullmatch(r"\w+", word) for word in row["values"])
        needs = row["needs"] if version else row["needs"].values()
        assert NEEDS.issuperset([needs] if version else needs)


@pytest.mark.parametrize("section", SECTIONS)
def test_no_name_stands_twice_and_all_are_sorted(section):
    names = [line.split()[0].lower() for line in parameters._ROWS[section].split("\n") if line]
    assert names == sorted(set(names))


@pytest.mark.parametrize("section", SECTIONS)
def test_what_replaces_a_parameter_is_one(section):
    replacements = {row["renamed"] for row in parameters.table(section).values()} - {None}
    known = parameters.table(section)
    assert [one for one in replacements if one.partition("=")[0].lower() not in known] == []


@pytest.mark.parametrize(
    "exceptions", [parameters._NEEDS_OLD, parameters._NEEDS_NEW], ids=["old", "new"]
)
def test_every_exception_names_a_parameter_once(exceptions):
    for section, by_needs in exceptions.items():
        names = " ".join(by_needs.values()).lower().split()
        assert len(names) == len(set(names))
        assert set(names) <= set(parameters.table(section))


@pytest.mark.parametrize("texts", [parameters._VALUES, parameters._FATAL_NOTES])
def test_every_list_of_words_and_every_note_has_its_row(texts):
    for section, by_name in texts.items():
        names = {row["name"] for row in parameters.table(section).values()}
        assert set(by_name) <= names


def test_versions_stand_only_where_they_are_known():
    known = {None, *parameters.versions()}
    for section in SECTIONS:
        for row in parameters.table(section).values():
            assert row["since"] in known
            assert row["ignored"] in known
            assert row["removed"] in known or row["removed"] < parameters.versions()[0]


@pytest.mark.parametrize(
    ("section", "name", "first", "last"),
    [
        ("slurm.conf", "selecttype", "21.08", "26.05"),
        ("slurm.conf", "slurmctldplugstack", "21.08", "22.05"),
        ("slurm.conf", "schedulerauth", "21.08", "23.11"),
        ("slurm.conf", "namespacetype", "25.11", "26.05"),
        ("slurm.conf", "frontendname", "21.08", "24.11"),
        ("slurm.conf", "cachegroups", None, None),
        ("cgroup.conf", "cgroupautomount", "21.08", "26.05"),
        ("cgroup.conf", "taskaffinity", "21.08", "21.08"),
        ("cgroup.conf", "signalchildrenprocesses", "23.11", "26.05"),
        ("topology.conf", "blocklevels", "23.11", "23.11"),
        ("slurmdbd.conf", "storagepassscript", "25.11", "26.05"),
    ],
)
def test_a_row_is_there_from_its_first_version_to_its_last(section, name, first, last):
    there = [v for v in parameters.versions() if name in parameters.table(section, v)]
    assert (there[0], there[-1]) == (first, last) if first else there == []
    assert name in parameters.table(section)


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("ControlMachine", "SlurmctldHost"),
        ("CryptoType", "CredType"),
        ("FastSchedule", "SlurmdParameters=config_overrides"),
        ("JobContainerType", "NamespaceType"),
        ("SallocDefaultCommand", "LaunchParameters=use_interactive_step"),
    ],
)
def test_names_what_took_the_place_of_an_old_parameter(name, renamed):
    assert [row["renamed"] for row in parameters.get(name)] == [renamed]


def test_names_the_plugin_that_took_the_place_of_another():
    row = parameters.table("slurm.conf")["selecttype"]
    gone = {"removed": "23.11", "renamed": "select/cons_tres"}
    assert row["plugin"] == "select"
    assert row["removed_values"]["select/cons_res"] == gone


def test_a_kind_is_that_of_the_version():
    kinds = {v: parameters.table("slurm.conf", v) for v in ("21.08", "22.05", "24.05")}
    assert [rows["keepalivetime"]["kind"] for rows in kinds.values()] == ["uint16"] + ["uint32"] * 2
    assert [rows["powerplugin"]["kind"] for rows in kinds.values()] == ["string"] * 2 + ["ignored"]
    assert [rows["prolog"]["repeat"] for rows in kinds.values()] == [False, False, True]


@pytest.mark.parametrize("name", ["jobrequeue", "returntoservice", "killonbadexit"])
def test_what_looks_boolean_and_is_a_number_says_so(name):
    assert parameters.table("slurm.conf")[name]["kind"] == "uint16"


def test_words_are_those_of_the_version():
    flags = {
        v: parameters.table("slurm.conf", v)["prologflags"]["values"] for v in ("22.05", "24.05")
    }
    assert "RunInJob" not in flags["22.05"]
    assert "RunInJob" in flags["24.05"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("SchedulerParameters", "reconfigure", "reconfigure"),
        ("SelectType", "restart all", "reconfigure"),
        ("MaxJobCount", "restart slurmctld", "reconfigure"),
        ("SlurmctldPort", "restart slurmctld", "restart slurmctld"),
        ("SlurmdPort", "restart all", "restart all"),
        ("AuthType", "never while jobs run", "never while jobs run"),
        ("CoreSpecPlugin", "restart slurmd", "reconfigure"),
    ],
)
def test_what_a_change_needs_is_that_of_the_era(name, old, new):
    def needs(version):
        return parameters.table("slurm.conf", version)[name.lower()]["needs"]

    assert needs(None) == {"23.02": old, "23.11": new}
    assert [needs(v) for v in ("21.08", "23.02", "23.11", "26.05")] == [old, old, new, new]


def test_a_word_can_need_more_than_its_parameter_in_the_old_era():
    assert parameters.table("slurm.conf", "22.05")["slurmctldparameters"]["needs_words"] == {
        "enable_configless": "restart slurmctld"
    }
    assert parameters.table("slurm.conf", "23.11")["slurmctldparameters"]["needs_words"] is None


def test_nothing_may_follow_slurmctldhost():
    assert parameters.table("SlurmctldHost", "22.05") == {}


def test_a_release_is_of_its_major_version():
    assert parameters.table("NodeName", "22.05.8") == parameters.table("NodeName", "22.05")
    assert parameters.table("NodeName", "26.05.5-1+b1") == parameters.table("NodeName", "26.05")


def test_what_is_returned_is_the_callers_own():
    parameters.table("slurm.conf")["selecttype"]["kind"] = "spoilt"
    assert parameters.table("slurm.conf")["selecttype"]["kind"] == "string"


def test_get_finds_a_name_in_every_section_whatever_its_case():
    found = parameters.get("suspendtime")
    assert [row["section"] for row in found] == ["slurm.conf", "NodeName", "PartitionName"]
    assert {row["name"] for row in found} == {"SuspendTime"}
    assert [row["section"] for row in parameters.get("SUSPENDTIME", "22.05")] == [
        "slurm.conf",
        "PartitionName",
    ]
    assert parameters.get("NoSuchParameter") == []


@pytest.mark.parametrize("version", ["20.11", "27.05", "new", 22.05])
def test_a_version_that_is_not_in_the_tables_is_refused(version):
    if version == 22.05:
        assert parameters.table("NodeName", version)
    else:
        with pytest.raises(SaltInvocationError, match=r"21\.08 to 26\.05"):
            parameters.table("NodeName", version)


def test_an_unknown_section_is_refused_with_the_known_ones():
    with pytest.raises(SaltInvocationError, match=r"cgroup\.conf"):
        parameters.table("slurm.cfg")
