"""_modules/slurm_conf.py: Slurm's files as data."""

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import TREE, load
from salt.exceptions import CommandExecutionError, SaltInvocationError

slurm = load("_modules/slurm.py")
slurm_conf = load(
    "_modules/slurm_conf.py",
    __salt__={
        "slurm.hostlist_expand": slurm.hostlist_expand,
        "slurm.hostlist_fold": slurm.hostlist_fold,
        "slurm_parameters.table": load("_modules/slurm_parameters.py").table,
    },
)


def body(*args):
    """Render, and return the lines below the header."""
    header, *lines = slurm_conf.render(*args).splitlines()
    assert header.startswith("# Managed by Salt")
    return lines


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (True, ["X=YES"]),
        (False, ["X=NO"]),
        (0, ["X=0"]),
        (None, []),
        (["a", "b"], ["X=a,b"]),
        ("7-00:00:00", ["X=7-00:00:00"]),
        ("/bin/mail -s slurm", ['X="/bin/mail -s slurm"']),
        ("a#b", [r"X=a\#b"]),
    ],
)
def test_a_value_by_its_kind(value, lines):
    assert body({"X": value}) == lines


def test_parameters_are_sorted_whatever_their_case():
    assert body({"b": 1, "C": 2, "A": 3}) == ["A=3", "b=1", "C=2"]


def test_each_controller_has_a_line_of_its_own():
    assert body({"SlurmctldHost": ["a(10.0.0.1)", "b"]}) == [
        "SlurmctldHost=a(10.0.0.1)",
        "SlurmctldHost=b",
    ]


def test_nodes_and_partitions_follow_with_default_first():
    nodes = [{"CPUs": 2, "NodeName": "n2"}, {"nodename": "default", "State": "UNKNOWN"}]
    partitions = [{"Nodes": "ALL", "PartitionName": "main", "Default": True, "MaxTime": None}]
    assert body({}, nodes, partitions) == [
        "NodeName=default State=UNKNOWN",
        "NodeName=n2 CPUs=2",
        "PartitionName=main Default=YES Nodes=ALL",
    ]


def test_an_empty_file_is_a_file():
    assert body({}) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"JobRequeue": True}, "JobRequeue: takes no YES or NO"),
        ({"PreemptMode": [False]}, "PreemptMode: takes no YES or NO"),
        ({"Epilog": 'a "b" c'}, "Epilog: no file of Slurm can hold"),
        ({"Epilog": "a\nb"}, "Epilog: no file of Slurm can hold"),
        ({"Licenses": {"a": 1}}, "Licenses: must be one value or a list"),
    ],
)
def test_what_slurm_would_misread_is_not_rendered(settings, said):
    with pytest.raises(SaltInvocationError, match=re.escape(said)):
        slurm_conf.render(settings)


def test_a_line_needs_its_name():
    with pytest.raises(SaltInvocationError, match="NodeName is missing"):
        slurm_conf.render({}, [{"CPUs": 2}])


@pytest.mark.parametrize("key", ["EnforcePartLimits", "DisableRootJobs", "ConstrainCores"])
def test_a_boolean_where_slurm_takes_one(key):
    assert body({key: True}) == [f"{key}=YES"]


def test_every_kind_of_line():
    text = slurm_conf.render(
        {},
        nodesets=[{"NodeSet": "fast", "Feature": "nvme"}],
        down_nodes=[{"DownNodes": "n1", "State": "DOWN", "Reason": "no fan"}],
        gres=[{"NodeName": "n1", "Name": "gpu"}, {"Name": "nic", "Count": 1}],
        switches=[{"SwitchName": "s0", "Nodes": "n[1-2]"}],
        blocks=[{"BlockName": "b0", "Nodes": "n[1-2]"}],
    )
    assert text.splitlines()[1:] == [
        "NodeSet=fast Feature=nvme",
        'DownNodes=n1 Reason="no fan" State=DOWN',
        "NodeName=n1 Name=gpu",
        "Name=nic Count=1",
        "SwitchName=s0 Nodes=n[1-2]",
        "BlockName=b0 Nodes=n[1-2]",
    ]


# --- parse ---


def entries(text, **kwargs):
    """Parse, and return keys, values and lines."""
    parsed = slurm_conf.parse(text=text, **kwargs)
    return [(e["key"], e["value"], e["line"]) for e in parsed["entries"]]


def codes(text, **kwargs):
    """Parse, and return the codes of its findings with their lines."""
    found = slurm_conf.parse(text=text, **kwargs)["findings"]
    return [(f["code"], f["line"]) for f in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n  \n# all comment\n", []),
        ("A=1 # x", [("A", "1", 1)]),
        ("\n a = 1\n", [("a", "1", 2)]),
        ('A="b c"', [("A", "b c", 1)]),
        ('A=""', [("A", "", 1)]),
        ('A=b"c"', [("A", 'b"c"', 1)]),
        (r"A=b\#c", [("A", "b#c", 1)]),
        (r"A=b\\#c", [("A", "b\\", 1)]),
        ("A=b\\\nc", [("A", "bc", 1)]),
        ("A=b\\   \nc\nD=1", [("A", "bc", 1), ("D", "1", 3)]),
        ("A=b \\ # still goes on\n\nD=1", [("A", "b", 1), ("D", "1", 3)]),
        ("A=1\\", [("A", "1", 1)]),
        ("A+=1", [("A", "1", 1)]),
        ("A=1\r\nB=2\r\n", [("A", "1", 1), ("B", "2", 2)]),
        ("A=1\0B=2", [("A", "1", 1)]),
        ("A==b", [("A", "=b", 1)]),
    ],
)
def test_a_line_is_read_as_slurm_reads_it(text, expected):
    assert entries(text) == expected
    assert codes(text) == []


def test_lines_of_fields():
    (entry,) = slurm_conf.parse(text='nodename=n1 CPUs=2 Reason="no fan" CPUs=4')["entries"]
    assert entry["fields"] == {"CPUs": "4", "Reason": "no fan"}
    assert codes("NodeName=n1 CPUs=2 cpus=4") == [("SC106", 1)]
    assert codes("Name=gpu File=/dev/x", name="gres.conf") == []


@pytest.mark.parametrize("text", ["A=", "A", "A=1 B", "A=1 B=2", "= 1", " Include x", 'A="b" c'])
def test_what_slurm_cannot_read_is_a_finding(text):
    assert codes(text) == [("SC002", 1)]


def test_include_is_followed_with_its_own_lines(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "slurm.conf").write_text("ClusterName=Big\nInclude conf.d/%c.conf\nC=3\n")
    (tmp_path / "conf.d/big.conf").write_text("\nB=2\n")
    parsed = slurm_conf.parse(str(tmp_path / "slurm.conf"))
    assert [(e["key"], e["file"], e["line"]) for e in parsed["entries"]] == [
        ("ClusterName", "slurm.conf", 1),
        ("B", "conf.d/big.conf", 2),
        ("C", "slurm.conf", 3),
    ]
    assert parsed["findings"] == []


def test_include_in_a_set_of_texts():
    assert entries("Include x.conf", files={"x.conf": "A=1"}) == [("A", "1", 1)]


def test_an_include_that_finds_nothing_or_itself(tmp_path):
    assert codes("Include none.conf") == [("SC003", 1)]
    assert codes("A=1\nInclude %c.conf") == [("SC003", 2)]
    (tmp_path / "slurm.conf").write_text("Include slurm.conf\n")
    (found,) = slurm_conf.parse(str(tmp_path / "slurm.conf"))["findings"]
    assert found["code"] == "SC005"


def test_a_glob_is_read_and_reported(tmp_path):
    for name in ("b.conf", "a.conf"):
        (tmp_path / name).write_text(f"K={name}\n")
    (tmp_path / "slurm.conf").write_text("Include ?*.conf x\nInclude [ab]*.conf\n")
    parsed = slurm_conf.parse(str(tmp_path / "slurm.conf"))
    assert [f["code"] for f in parsed["findings"]][:2] == ["SC002", "SC004"]
    assert [e["value"] for e in parsed["entries"]][-2:] == ["a.conf", "b.conf"]


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path):
    (found,) = slurm_conf.parse(str(tmp_path / "none.conf"))["findings"]
    assert (found["code"], found["message"]) == (
        "SC001",
        f"{tmp_path}/none.conf cannot be read: No such file or directory",
    )


def test_either_a_path_or_a_text():
    for given_ in ({}, {"path": "x", "text": "y"}):
        with pytest.raises(SaltInvocationError):
            slurm_conf.parse(**given_)


@given(
    st.binary(max_size=300)
    | st.text(alphabet='aA=" \\#\n\tInclude[]1,:-+', max_size=200).map(str.encode)
)
def test_no_bytes_make_it_fail(data):
    text = slurm_conf._decode(data)
    for name in slurm_conf.FILES:
        parsed = slurm_conf.parse(text=text, name=name)
        slurm_conf.lint({name: parsed}, version="22.05")
        slurm_conf.diff({name: parsed}, {name: text})


VALUES = st.text(
    st.characters(codec="utf-8", exclude_characters='\n\0"', exclude_categories=["Cs"]), max_size=12
) | st.integers(0, 10**6).map(str)
FIELDS = st.dictionaries(
    st.sampled_from(["CPUs", "RealMemory", "Feature", "Weight", "Reason"]), VALUES, max_size=4
)
NODES = st.lists(
    st.tuples(st.sampled_from(["DEFAULT", "n1", "n[2-3]", "x"]), FIELDS).map(
        lambda pair: {"NodeName": pair[0], **pair[1]}
    ),
    max_size=5,
).map(lambda nodes: sorted(nodes, key=lambda node: node["NodeName"] != "DEFAULT"))
SETTINGS = st.dictionaries(
    st.sampled_from(["ClusterName", "Epilog", "Licenses", "MaxJobCount", "MailProg"]), VALUES
)


@given(SETTINGS, st.sampled_from(["a", ["a", "b(1.2.3.4)"], ["b", "a", "b"]]), NODES)
def test_parse_of_render_is_the_identity(settings, controllers, nodes):
    settings = {"SlurmctldHost": controllers, **settings}
    parsed = slurm_conf.parse(text=slurm_conf.render(settings, nodes))
    assert parsed["findings"] == []
    data = slurm_conf.data(parsed)
    assert data["settings"] == settings
    assert data.get("nodes", []) == nodes


LINES = st.sampled_from(
    [
        "ClusterName=c",
        "clustername=d",
        "SlurmctldHost=a",
        "SlurmctldHost=b",
        "NodeName=DEFAULT CPUs=2 Weight=3",
        "nodename=default cpus=4",
        "NodeName=n1 RealMemory=10",
        "NodeName=n[2-3] CPUs=8",
        "PartitionName=DEFAULT MaxTime=10",
        "PartitionName=p Nodes=ALL",
        "PartitionName=q Nodes=n1 \\\n  MaxTime=20",
        'DownNodes=n1 Reason="a b"',
        "NodeSet=s Feature=f",
        r"Epilog=/a\#b",
        "# nothing",
    ]
)


@given(st.lists(LINES, max_size=12))
def test_render_of_parse_means_the_same(lines):
    parsed = slurm_conf.parse(text="\n".join(lines))
    again = slurm_conf.parse(text=slurm_conf.render(**slurm_conf.data(parsed)))
    assert slurm_conf.diff({"slurm.conf": parsed}, {"slurm.conf": again}) == []


# --- lint ---

GOOD = """\
ClusterName=c
SlurmctldHost=head
NodeName=n[1-4] CPUs=2
PartitionName=main Nodes=ALL Default=YES
"""


def lint(more="", files=None, **kwargs):
    """Lint a good slurm.conf with more in it, and return code, level and line."""
    found = slurm_conf.lint({"slurm.conf": GOOD + more, **(files or {})}, **kwargs)
    return [(f["code"], f["level"], f["line"]) for f in found]


def test_a_good_configuration_has_no_findings():
    assert lint() == []


CASES = [
    ("SC002", "error", "Licenses=\n", {}),
    ("SC003", "error", "Include /none.conf\n", {}),
    ("SC004", "error", "Include /none/*.conf\n", {}),
    ("SC101", "error", "ReturnToServise=1\n", {}),
    ("SC101", "error", "NodeName=x CPU=1\n", {}),
    ("SC102", "error", "FrontendName=x\n", {"version": "25.05"}),
    ("SC102", "error", "CacheGroups=0\n", {"version": "22.05.8"}),
    ("SC103", "warning", "ControlMachine=head\n", {}),
    ("SC104", "error", "CertmgrType=x\n", {"version": "22.05"}),
    ("SC105", "warning", "GetEnvTimeout=2\n", {"version": "26.05"}),
    ("SC106", "warning", "clustername=c\n", {}),
    ("SC107", "error", "SelectType=select/cons_res\n", {"version": "24.11"}),
    ("SC201", "error", "MaxJobCount=many\n", {}),
    ("SC201", "error", "FairShareDampeningFactor=1.5\n", {}),
    ("SC202", "error", "SlurmctldTimeout=65536\n", {}),
    ("SC202", "error", "FirstJobId=0\n", {}),
    ("SC202", "error", "PropagatePrioProcess=UNLIMITED\n", {}),
    ("SC202", "error", "MaxJobCount=-1\n", {}),
    ("SC203", "error", "JobRequeue=YES\n", {}),
    ("SC203", "error", "PreemptMode=NO\n", {}),
    ("SC204", "error", "TrackWCKey=perhaps\n", {}),
    ("SC205", "error", "PartitionName=p Nodes=n1 MaxTime=soon\n", {}),
    ("SC205", "error", "PriorityCalcPeriod=UNLIMITED\n", {}),
    ("SC207", "error", 'EnforcePartLimits=""\n', {}),
    ("SC207", "error", "PrologFlags=Alocc\n", {}),
    ("SC209", "error", "NodeName=x[1-\n", {}),
    ("SC301", "error", "NodeName=n[4-5]\n", {}),
    ("SC302", "error", "NodeName=x[1-3],x2\n", {}),
    ("SC303", "error", "PartitionName=p Nodes=n[3-5]\n", {}),
    ("SC303", "error", "NodeSet=s Nodes=n9\n", {}),
    ("SC303", "error", "DownNodes=n9 Reason=x\n", {}),
    ("SC306", "warning", "PartitionName=main Nodes=n1\n", {}),
    ("SC307", "warning", "PartitionName=p Nodes=n1 Default=YES\n", {}),
    ("SC402", "error", "SlurmctldHost=other\n", {"hosts": ["head", "n1"]}),
    ("SC412", "error", "SlurmctldHost=head(1.2.3.4)\n", {}),
    ("SC201", "error", "MaxJobCount=08\n", {}),
    ("SC403", "error", "NodeName=x Gres=gpu:a100:2\n", {}),
    ("SC407", "warning", "JobCompPass=hunter2\n", {}),
    ("SC408", "warning", "SlurmdParameters=config_overrides\n", {}),
    ("SC409", "warning", "MinJobAge=10\n", {}),
]


@pytest.mark.parametrize(("code", "level", "more", "kwargs"), CASES)
def test_a_fault_has_its_code(code, level, more, kwargs):
    found = lint(more, **kwargs)
    assert (code, level, 5) in found
    assert {(c, line) for c, _, line in found} == {(code, 5)}


@pytest.mark.parametrize(
    "more",
    [
        "SlurmdSpoolDir=/var/spool/slurm/\nStateSaveLocation=/var/spool/slurm\n",
    ],
)
def test_spool_and_state_need_directories_of_their_own(more):
    assert lint(more) == [("SC401", "error", 5)]
    assert lint(more.replace("slurm/", "slurm/%n")) == []


@pytest.mark.parametrize(
    "more",
    [
        "PreemptMode=REQUEUE",
        "PreemptType=preempt/qos",
        "PreemptType=preempt/partition_prio\nPreemptMode=SUSPEND",
        "JobAcctGatherParams=UsePss,NoShared",
        "LaunchParameters=enable_nss_slurm,disable_send_gids",
        "PrologFlags=NoHold,Contain",
        "PrologFlags=X11\nProctrackType=proctrack/linuxproc",
        "JobContainerType=job_container/tmpfs",
        "SlurmSchedLogLevel=1",
        "MCSParameters=ondemand",
        "MCSPlugin=mcs/group",
        "FirstJobId=10\nMaxJobId=5",
        "FirstJobId=UNLIMITED",
        "SelectTypeParameters=CR_Core",
        "PriorityDecayHalfLife=0",
        "AccountingStorageType=accounting_storage/mysql",
        "MaxNodeCount=10\nSelectType=select/linear",
        "PartitionName=p Nodes=n1 AllowQos=a DenyQos=b",
    ],
)
def test_options_that_may_not_stand_together(more):
    assert {code for code, _, _ in lint(more + "\n", version="22.05")} == {"SC406"}


def test_every_combination_has_a_test():
    assert len(slurm_conf._TOGETHER) == 16


@pytest.mark.parametrize(
    "more",
    [
        "NodeSet=fast Feature=a\nPartitionName=p Nodes=fast,n1\n",
        "PartitionName=p Nodes=ALL Default=NO\n",
        "GresTypes=gpu\nNodeName=x Gres=gpu:2(S:0)\n",
        "PreemptMode=SUSPEND,GANG\nPreemptType=preempt/partition_prio\n",
        "PreemptMode=GANG\n",
        "PriorityDecayHalfLife=0\nPriorityUsageResetPeriod=NONE\n",
        "SelectTypeParameters=CR_CORE_DEFAULT_DIST_BLOCK\n",
        "MaxJobCount=10k\nSlurmdTimeout=0x10\nMaxArraySize=INFINITE\n",
        "PartitionName=p Nodes=n1 MaxTime=UNLIMITED DefaultTime=1-00 OverSubscribe=FORCE:4\n",
        "MinJobAge=10\nAccountingStorageType=accounting_storage/slurmdbd\n",
        "MinJobAge=0\n",
        'PriorityWeightAge=""\nDebugFlags=""\nSlurmdDebug=0x10\n',
        "AccountingStoragePass=/run/munge/munge.socket.2\n",
    ],
)
def test_what_slurm_takes_is_no_finding(more):
    assert lint(more, version="22.05") == []


@pytest.mark.parametrize(
    ("option", "parameter", "plugin"),
    [
        ("EnergyIPMIFrequency=3", "AcctGatherEnergyType", "acct_gather_energy/ipmi"),
        ("EnergyXCCFake=NO", "AcctGatherEnergyType", "acct_gather_energy/xcc"),
        ("InfinibandOFEDPort=1", "AcctGatherInterconnectType", "acct_gather_interconnect/ofed"),
        ("InterconnectOFEDPort=1", "AcctGatherInterconnectType", "acct_gather_interconnect/ofed"),
        ("SysfsInterfaces=eth0", "AcctGatherInterconnectType", "acct_gather_interconnect/sysfs"),
        ("ProfileHDF5Dir=/srv", "AcctGatherProfileType", "acct_gather_profile/hdf5"),
        ("ProfileInfluxDBHost=db", "AcctGatherProfileType", "acct_gather_profile/influxdb"),
    ],
)
def test_an_option_of_acct_gather_conf_wants_its_plugin(option, parameter, plugin):
    base = "ClusterName=c\nSlurmctldHost=head\nNodeName=n1\n"
    beside = {"acct_gather.conf": option, "slurm.conf": base}
    found = slurm_conf.lint(beside, plugin_dir="/none")
    assert ("SC413", "acct_gather.conf", 1) in [(f["code"], f["file"], f["line"]) for f in found]
    beside["slurm.conf"] += f"{parameter}={plugin}\n"
    assert "SC413" not in [one["code"] for one in slurm_conf.lint(beside, plugin_dir="/none")]


def test_arguments_that_allow_what_a_site_means():
    assert lint("SlurmdParameters=config_overrides\n", training=True) == []
    assert lint("MinJobAge=10\n", galaxy=False) == []
    assert lint(hosts=["head", "n1"]) == []


def test_what_a_missing_file_may_hold_is_not_said_to_be_missing():
    text = "Include /none/nodes.conf\nPartitionName=p Nodes=n1\n"
    assert [f["code"] for f in slurm_conf.lint({"slurm.conf": text})] == ["SC003"]


def test_a_cluster_needs_a_name_and_a_controller():
    found = slurm_conf.lint({"slurm.conf": "NodeName=n1\n"})
    assert [f["code"] for f in found] == ["SC410", "SC411"]


def test_the_message_names_the_right_parameter_and_no_password():
    text = GOOD + "RetrunToService=1\nJobCompPass=hunter2\n"
    first, second = slurm_conf.lint({"slurm.conf": text})
    assert first["message"].endswith("did you mean ReturnToService?")
    assert "hunter2" not in second["message"]


def test_topology_and_gres_name_nodes_of_slurm_conf():
    files = {
        "topology.conf": "SwitchName=a Nodes=n[1-2]\nSwitchName=b Nodes=n[4-5]\n",
        "gres.conf": "NodeName=n9 Name=gpu\n",
    }
    assert lint("GresTypes=gpu\n", files) == [
        ("SC303", "error", 2),
        ("SC303", "warning", 1),
    ]


def test_gres_that_only_gres_conf_has():
    assert lint(files={"gres.conf": "Name=gpu File=/dev/x\n"}) == [("SC403", "error", 1)]


def test_a_time_that_yaml_has_counted():
    data = {
        "settings": {"ClusterName": "c", "SlurmctldHost": "a"},
        "partitions": [{"PartitionName": "p", "Nodes": "ALL", "MaxTime": 23400}],
    }
    (found,) = slurm_conf.lint({"slurm.conf": data})
    assert found["code"] == "SC206"
    assert "MaxTime is the whole number 23400" in found["message"]


def test_plugins_are_looked_for_by_their_files(tmp_path):
    for name in ("sched_backfill", "task_affinity", "priority_basic"):
        (tmp_path / f"{name}.so").touch()
    good = "SchedulerType=sched/backfill\nTaskPlugin=task/none,affinity\n"
    bad = "PriorityType=priority/multifactor\nJobSubmitPlugins=lua\n"
    assert lint(good + bad, plugin_dir=str(tmp_path)) == [
        ("SC404", "error", 7),
        ("SC404", "error", 8),
    ]


def test_plugin_dir_is_looked_for_where_slurm_is_installed(tmp_path, monkeypatch):
    more = f"PluginDir={tmp_path}/none\n"
    assert lint(more) == []
    monkeypatch.setattr(slurm_conf, "_plugin_dirs", lambda: [str(tmp_path)])
    assert lint(more) == [("SC405", "error", 5)]


def test_a_directory_is_a_set(tmp_path):
    (tmp_path / "slurm.conf").write_text(GOOD)
    (tmp_path / "cgroup.conf").write_text("ConstrainCores=perhaps\n")
    for path in (tmp_path, tmp_path / "slurm.conf"):
        (found,) = slurm_conf.lint(str(path))
        assert (found["code"], found["file"]) == ("SC204", "cgroup.conf")


def test_every_code_is_documented_and_tested():
    source = (TREE / "_modules/slurm_conf.py").read_text()
    codes = set(re.findall(r'"(SC\d{3})"', source))
    documented = re.findall(r"^(SC\d{3}): ", (TREE / "docs/slurm-conf-codes.rst").read_text(), re.M)
    assert sorted(codes) == documented
    assert codes <= set(re.findall(r"SC\d{3}", Path(__file__).read_text()))


# --- diff and plan ---


def diff(old, new, name="slurm.conf"):
    return slurm_conf.diff({name: old}, {name: new})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A=1\nB=2", "b=2\na=1"),
        ("TrackWCKey=YES", "trackwckey=1"),
        ("MaxJobCount=10k", "MaxJobCount=10240"),
        ("NodeName=n1 CPUs=2\nNodeName=n2 CPUs=2", "NodeName=n[1-2] CPUs=2"),
        ("NodeName=DEFAULT CPUs=2\nNodeName=n1", "NodeName=n1 CPUs=2"),
        ("NodeName=n[1-2] NodeAddr=a,b", "NodeName=n2 NodeAddr=b\nNodeName=n1 NodeAddr=a"),
        ("NodeName=n1 NodeAddr=n1", "NodeName=n1"),
        ("PartitionName=p Nodes=n1,n2", "PartitionName=p Nodes=n[1-2]"),
        ("PartitionName=p MaxTime=INFINITE", "PartitionName=p MaxTime=unlimited"),
        ("MailProg=/a", 'MailProg="/a" # same'),
        ("ControlMachine=head", "SlurmctldHost=head"),
        ("NodeName=n1 Procs=2", "NodeName=n1 CPUs=2"),
    ],
)
def test_other_words_for_the_same_are_no_change(old, new):
    assert diff(old, new) == []


def test_nodes_with_the_same_change_are_one_row():
    old = "NodeName=n[1-3] CPUs=2\nNodeName=gone\n"
    new = "NodeName=n[1-2] CPUs=4\nNodeName=n3 CPUs=2\nNodeName=new[1-2]\n"
    rows = [(c["name"], c["parameter"], c["old"], c["new"]) for c in diff(old, new)]
    assert rows == [
        ("gone", "NodeName", "gone", None),
        ("n[1-2]", "CPUs", "2", "4"),
        ("new[1-2]", "NodeName", None, "new[1-2]"),
    ]


def test_lines_of_the_other_files_are_compared():
    one, two = "SwitchName=a Nodes=n[1-2]", "SwitchName=a Nodes=n1,n2"
    assert diff(one, two, "topology.conf") == []
    (row,) = diff(one, "SwitchName=a Nodes=n1", "topology.conf")
    assert (row["section"], row["name"], row["parameter"]) == ("SwitchName", "a", "Nodes")
    one = "Name=gpu File=/dev/a\nName=gpu File=/dev/b"
    assert diff(one, "\n".join(reversed(one.splitlines())), "gres.conf") == []
    assert diff(one, "Name=gpu File=/dev/a", "gres.conf") != []


OLD = "22.05"
NEW = "24.11"
PLANS = [
    # the parameter and its line, and what it needs on 22.05 and 24.11
    ("MinJobAge=60", "reconfigure", "reconfigure"),
    ("AccountingStorageEnforce=limits", "restart slurmctld", "reconfigure"),
    ("CredType=cred/munge", "restart slurmctld", "restart all"),
    ("JobContainerType=job_container/none", "restart slurmctld", "reconfigure"),
    ("MaxJobCount=9", "restart slurmctld", "reconfigure"),
    ("PowerPlugin=power/none", "restart slurmctld", None),
    ("ProctrackType=proctrack/linuxproc", "restart slurmctld", "reconfigure"),
    ("SchedulerType=sched/builtin", "restart slurmctld", "reconfigure"),
    ("SelectTypeParameters=CR_Core", "restart slurmctld", "reconfigure"),
    ("SlurmctldHost=x", "restart slurmctld", "reconfigure"),
    ("SlurmctldPort=1", "restart slurmctld", "restart slurmctld"),
    ("SlurmdPort=1", "restart all", "restart all"),
    ("StateSaveLocation=/x", "restart slurmctld", "restart slurmctld"),
    ("SlurmctldParameters=enable_configless", "restart slurmctld", "reconfigure"),
    ("SchedulerParameters=no_backup_scheduling", "restart slurmctld", "reconfigure"),
    ("SchedulerParameters=bf_window=1", "reconfigure", "reconfigure"),
    ("SelectType=select/linear", "restart all", "reconfigure"),
    ("GresTypes=gpu", "restart all", "reconfigure"),
    ("PluginDir=/x", "restart all", "reconfigure"),
    ("CoreSpecPlugin=core_spec/none", "restart slurmd", None),
    ("AuthType=auth/none", "refuse while jobs run", "refuse while jobs run"),
    ("SwitchType=switch/none", "refuse while jobs run", "refuse while jobs run"),
    ("JobAcctGatherType=jobacct_gather/linux", "refuse while jobs run", "refuse while jobs run"),
    ("SlurmdSpoolDir=/x", "refuse while jobs run", "refuse while jobs run"),
    ("ClusterName=other", "refuse while jobs run", "refuse while jobs run"),
    ("NodeName=n9", "restart all", "reconfigure"),
    ("PartitionName=p Nodes=n1", "reconfigure", "reconfigure"),
]


@pytest.mark.parametrize(("line", "old", "new"), PLANS)
def test_what_a_change_needs(line, old, new):
    for version, action in ((OLD, old), (NEW, new)):
        before = {"slurm.conf": "NodeName=n1 CPUs=2\n"}
        after = {"slurm.conf": f"NodeName=n1 CPUs=2\n{line}\n"}
        for one, other in ((before, after), (after, before)):
            planned = slurm_conf.plan(one, other, version)
            if action:
                assert planned["action"] == action
                assert [change["action"] for change in planned["changes"]] == [action]
                assert "(" in planned["changes"][0]["source"]


def test_a_node_that_is_resized():
    one, other = ({"slurm.conf": f"NodeName=n1 CPUs={n}\n"} for n in (2, 4))
    assert slurm_conf.plan(one, other, OLD)["action"] == "restart all"
    assert slurm_conf.plan(one, other, NEW)["action"] == "reconfigure"


def test_the_other_files_need_their_own():
    def planned(name, old, new, version=OLD):
        return slurm_conf.plan({name: old}, {name: new}, version)

    dbd = planned("slurmdbd.conf", "DebugLevel=1", "DebugLevel=2")
    assert (dbd["action"], dbd["slurmdbd"]) == ("nothing", True)
    assert planned("cgroup.conf", "", "ConstrainCores=yes")["action"] == "reconfigure"
    assert planned("acct_gather.conf", "", "EnergyIPMIFrequency=3")["action"] == "restart all"
    topology = planned("topology.conf", "SwitchName=a Nodes=n1", "SwitchName=a Nodes=n2")
    assert topology["action"] == "reconfigure"


def test_no_change_needs_nothing_and_two_daemons_are_all():
    same = {"slurm.conf": GOOD}
    assert slurm_conf.plan(same, same, OLD) == {
        "action": "nothing",
        "slurmdbd": False,
        "changes": [],
    }
    more = {"slurm.conf": GOOD + "CoreSpecPlugin=core_spec/none\nMaxJobCount=9\n"}
    assert slurm_conf.plan(same, more, OLD)["action"] == "restart all"


def test_a_version_that_nobody_knows_is_refused():
    with pytest.raises(SaltInvocationError, match="99"):
        slurm_conf.plan({"slurm.conf": ""}, {"slurm.conf": "A=1"}, "99.99")


# --- check ---


@pytest.fixture
def judges(monkeypatch, tmp_path):
    """Stand for Slurm's programs: what each answers, and what it was asked."""
    asked = []
    answers: dict = {}

    def run_all(argv, env, **kwargs):
        folder = Path(env["SLURM_CONF"]).parent
        asked.append(
            {
                "argv": argv,
                "mode": folder.stat().st_mode & 0o777,
                "files": {p.name: p.read_text() for p in folder.iterdir()},
                "folder": folder,
                "quiet": kwargs["output_loglevel"],
            }
        )
        answer = answers.get(Path(argv[0]).name, {})
        return {"retcode": 0, "stdout": "", "stderr": "", **answer}

    monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/bin/{name}")
    monkeypatch.setitem(slurm_conf.__salt__, "cmd.run_all", run_all)
    monkeypatch.setitem(slurm_conf.__salt__, "slurm.version", lambda: "22.05.8")
    return answers, asked


SET = {"slurm.conf": GOOD, "cgroup.conf": "", "slurmdbd.conf": "StoragePass=secret\n"}


def test_check_asks_every_judge_on_a_private_copy(judges):
    _, asked = judges
    checked = slurm_conf.check(SET)
    assert checked == {
        "result": True,
        "judges": ["lint", "scontrol show hostnames", "slurmd -G"],
        "absent": {},
        "findings": [],
    }
    assert asked[0]["argv"] == ["/usr/bin/scontrol", "show", "hostnames", "n1"]
    assert asked[1]["argv"][3:] == ["-N", "n1", "-G"]
    for one in asked:
        assert one["mode"] == 0o700
        assert set(one["files"]) == {"slurm.conf", "cgroup.conf"}
        assert one["quiet"] == "quiet"
        assert not one["folder"].exists()


def test_check_reports_what_a_program_says(judges):
    answers, _ = judges
    said = "slurmd: error: Parse error in file /etc/x line 7: x\nslurmd: fatal: no"
    answers["slurmd"] = {"retcode": 1, "stderr": said}
    answers["scontrol"] = {"retcode": 1, "stderr": "Killed"}
    checked = slurm_conf.check(SET)
    assert checked["result"] is False
    assert [(f["judge"], f["code"], f["line"], f["message"]) for f in checked["findings"]] == [
        ("scontrol show hostnames", "SC901", 0, "Killed"),
        ("slurmd -G", "SC902", 7, "Parse error in file /etc/x line 7: x"),
        ("slurmd -G", "SC902", 0, "no"),
    ]


def test_check_names_the_judges_that_are_not_there(judges, monkeypatch):
    answers, _ = judges
    munge = "slurmd: error: Munge encode failed: Failed to access\nslurmd: fatal: x"
    answers["slurmd"] = {"retcode": 1, "stderr": munge}
    assert list(slurm_conf.check(SET)["absent"]) == ["slurmd -G"]
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    checked = slurm_conf.check(SET)
    assert checked["judges"] == ["lint"]
    assert checked["absent"]["slurmd -G"] == "slurmd is not installed"


def test_check_does_not_wait_for_a_missing_include(judges):
    checked = slurm_conf.check({"slurm.conf": GOOD + "Include none.conf\n"})
    assert checked["judges"] == ["lint"]
    assert "Slurm would wait" in checked["absent"]["slurmd -G"]


def test_check_without_slurm_and_of_a_directory(judges, monkeypatch, tmp_path):
    def none():
        raise CommandExecutionError("no Slurm")

    monkeypatch.setitem(slurm_conf.__salt__, "slurm.version", none)
    _, asked = judges
    (tmp_path / "slurm.conf").write_text("Include nodes.conf\n" + GOOD.replace("NodeName", "#"))
    (tmp_path / "nodes.conf").write_text("NodeName=n[1-4]\n")
    assert slurm_conf.check(str(tmp_path))["result"] is True
    assert set(asked[0]["files"]) == {"slurm.conf", "nodes.conf"}


def test_check_refuses_a_name_outside_its_directory(judges):
    with pytest.raises(SaltInvocationError, match="is no name of a file"):
        slurm_conf.check({"slurm.conf": GOOD, "../x.conf": ""})


def test_ten_thousand_nodes_of_three_kinds_fold_into_three_lines():
    kinds: list[dict] = [{"CPUs": 64}, {"CPUs": 128, "Gres": "gpu:4"}, {"CPUs": 64, "Weight": 9}]
    nodes = [{"NodeName": f"node{n}", **kinds[n // 4000]} for n in range(10_000)]
    assert slurm_conf.fold(nodes) == [
        {"NodeName": "node[0-3999]", **kinds[0]},
        {"NodeName": "node[4000-7999]", **kinds[1]},
        {"NodeName": "node[8000-9999]", **kinds[2]},
    ]


def test_lines_whose_order_has_a_meaning_do_not_fold():
    nodes = [
        {"NodeName": "DEFAULT", "CPUs": 2},
        {"NodeName": "n1", "NodeAddr": "10.0.0.2"},
        {"NodeName": "n2", "NodeAddr": "10.0.0.2"},
    ]
    assert slurm_conf.fold(nodes) == nodes
    assert slurm_conf.fold([{"nodename": "n[1-2]"}, {"NodeName": "n3"}]) == [{"nodename": "n[1-3]"}]
