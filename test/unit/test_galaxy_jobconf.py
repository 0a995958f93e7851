"""_modules/galaxy_jobconf.py: what it finds, and where."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loading import TREE, load
from salt.exceptions import CommandExecutionError, SaltInvocationError

FIXTURES = TREE / "test/fixtures/galaxy_jobconf"
drmaa = load("_modules/drmaa.py")
slurm = load("_modules/slurm.py")
jobconf = load(
    "_modules/galaxy_jobconf.py",
    __salt__={
        "drmaa.parse_native": drmaa.parse_native,
        "slurm.parse_options": slurm.parse_options,
    },
)

# Codes of what a file of one format cannot say, and of what is no matter of the text.
ONLY_XML = {
    "GJ009",
    "GJ014",
    "GJ021",
    "GJ022",
    "GJ023",
    "GJ024",
    "GJ025",
    "GJ026",
    "GJ108",
}
ONLY_YAML = {"GJ005", "GJ013", "GJ101", "GJ102", "GJ301", "GJ313", "GJ401", "GJ501"}
ELSEWHERE = {"GJ001", "GJ002", "GJ004", *(code for code in jobconf.CODES if code >= "GJ8")}


def found(path):
    return [(f["code"], f["line"]) for f in jobconf.validate(str(path))]


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("GJ*")), ids=lambda path: path.name)
def test_each_mistake_is_found_on_its_line_and_nothing_else(path):
    """A fixture marks the lines of its mistakes with their code."""
    expected = [
        (code, number)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for code in re.findall(r"(?:#|<!--) (GJ\d+)", line)
    ]
    assert expected
    assert found(path) == expected


def test_every_code_has_a_fixture_in_each_format_that_can_have_it():
    here = {path.name for path in FIXTURES.glob("GJ*")}
    codes = set(jobconf.CODES) - ELSEWHERE
    assert {f"{code}.yml" for code in codes - ONLY_XML} <= here
    assert {f"{code}.xml" for code in codes - ONLY_YAML} <= here


def test_every_message_names_the_thing_and_says_enough():
    for path in FIXTURES.glob("GJ*"):
        for finding in jobconf.validate(str(path)):
            assert len(finding["message"]) > 25, finding
            assert finding["level"] == jobconf.CODES[finding["code"]]
            assert finding["file"].startswith(str(FIXTURES))
            assert finding["column"] >= 1
            assert finding["judge"] == "rules"


def test_every_code_is_documented_with_its_level():
    text = (TREE / "docs/galaxy-jobconf-codes.rst").read_text()
    documented = re.findall(r"^(GJ\d{3}) \((error|warning)\)$", text, re.MULTILINE)
    assert dict(documented) == jobconf.CODES
    assert [code for code, _ in documented] == sorted(jobconf.CODES)


def one(text, format="yaml"):
    """Return the only finding of a text."""
    (finding,) = jobconf.validate(text=text, format=format)
    return finding


def xml(body):
    return (
        '<job_conf>\n<plugins><plugin id="local" type="runner" load="local"/></plugins>\n'
        f"{body}\n</job_conf>"
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("GJ304.yml", 'environment "local": runner "locla" is not a runner; did you mean "local"?'),
        ("GJ304.xml", 'destination "local": runner "locla" is not a plugin; did you mean "local"?'),
        ("GJ103.xml", 'Galaxy has no runner module "slum"; did you mean "slurm"?'),
        ("GJ201.yml", 'assignment method "db-skip-lock" is unknown; Galaxy does not start; did'),
        ("GJ313.yml", "YAML reads job_time: 2:00:00 as the number 7200; quote it"),
        ("GJ312.yml", 'did you mean "native_specification"?'),
        ("GJ311.yml", "slurm-drmaa knows no option --gpus"),
        ("GJ311.xml", "sbatch knows no option --share; did you mean --oversubscribe?"),
    ],
)
def test_a_message_says_what_is_nearly_right(path, message):
    (finding,) = jobconf.validate(str(FIXTURES / path))[:1]
    assert message in finding["message"]


@pytest.mark.parametrize("format", ["xml", "yaml"])
def test_a_file_that_is_not_there_is_one_error(tmp_path, format):
    (finding,) = jobconf.validate(str(tmp_path / "job_conf"), format=format)
    assert finding["code"] == "GJ001"
    assert "run every job locally" in finding["message"]


@pytest.mark.parametrize("text", ["", " \n", "\ufeff"])
@pytest.mark.parametrize("format", ["xml", "yaml"])
def test_an_empty_file_is_one_error(format, text):
    assert one(text, format)["code"] == "GJ002"


def test_a_file_of_comments_is_an_empty_one():
    assert one("# nothing\n---\n")["code"] == "GJ002"


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("latin.yml", b"runners:\n  local: {load: 'caf\xe9'}\n", 2),
        ("wide.yml", "runners: {}\n".encode("utf-16"), 1),
        ("odd.xml", b"<?xml version='1.0' encoding='nonsense'?>\n<job_conf/>", 1),
    ],
)
def test_an_encoding_that_galaxy_cannot_read_is_an_error(tmp_path, name, data, line):
    (tmp_path / name).write_bytes(data)
    (finding,) = jobconf.validate(str(tmp_path / name))
    assert (finding["code"], finding["line"]) in {("GJ004", line), ("GJ003", line)}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_that_galaxy_reads_are_right(tmp_path, encoding):
    declared = "iso-8859-1" if encoding.startswith("iso") else encoding.removesuffix("-sig")
    body = xml('<destinations><destination id="local" runner="local"/></destinations>')
    text = f"<?xml version='1.0' encoding='{declared}'?>\n<!-- \u00e9 -->{body}"
    (tmp_path / "job_conf.xml").write_bytes(text.encode(encoding))
    assert jobconf.validate(str(tmp_path / "job_conf.xml")) == []


def test_a_byte_order_mark_in_yaml_is_right(tmp_path):
    good = (FIXTURES / "good/tutorial.yml").read_bytes()
    (tmp_path / "job_conf.yml").write_bytes(b"\xef\xbb\xbf" + good)
    assert jobconf.validate(str(tmp_path / "job_conf.yml")) == []


def test_xml_under_a_name_that_galaxy_reads_as_yaml_is_told(tmp_path):
    (tmp_path / "job_conf").write_text("<job_conf/>")
    (finding,) = jobconf.validate(str(tmp_path / "job_conf"))
    assert finding["code"] == "GJ005"
    assert "its name must contain .xml" in finding["message"]


# Macros: a mistake is where somebody wrote it.


def test_a_value_that_an_expand_gave_is_wrong_where_it_was_given(tmp_path):
    (tmp_path / "job_conf.xml").write_text(
        """<job_conf>
<macros><import>m.xml</import></macros>
<plugins><plugin id="local" type="runner" load="local"/></plugins>
<destinations default="a">
<expand macro="d" id="a" runner="local"/>
<expand macro="d" id="b"
        runner="lokal"/>
</destinations>
</job_conf>"""
    )
    macros = tmp_path / "m.xml"
    macros.write_text(
        '<macros>\n<xml name="d" tokens="id,runner">\n'
        '<destination id="@ID@" runner="@RUNNER@"/>\n</xml>\n</macros>'
    )
    (finding,) = jobconf.validate(str(tmp_path / "job_conf.xml"))
    assert (finding["code"], finding["line"], finding["column"]) == ("GJ304", 7, 9)
    assert finding["file"] == str(tmp_path / "job_conf.xml")

    macros.write_text(macros.read_text().replace("@RUNNER@", "lokal"))
    findings = jobconf.validate(str(tmp_path / "job_conf.xml"))
    assert {(f["code"], Path(f["file"]).name, f["line"]) for f in findings} == {
        ("GJ304", "m.xml", 3)
    }


def test_a_token_is_wrong_where_it_stands():
    text = (
        '<job_conf>\n<macros>\n<token name="@R@">lokal</token>\n</macros>\n'
        '<plugins><plugin id="local" type="runner" load="local"/></plugins>\n'
        '<destinations><destination id="d" runner="@R@"/></destinations>\n</job_conf>'
    )
    assert (one(text, "xml")["code"], one(text, "xml")["line"]) == ("GJ304", 3)


def test_an_attribute_of_a_tag_of_several_lines_has_its_own_place():
    text = xml('<destinations>\n<destination\n  id="d"\n  runner="lokal"/>\n</destinations>')
    finding = one(text, "xml")
    assert (finding["line"], finding["column"]) == (6, 3)


# galaxy.yml


def galaxy_yml(tmp_path, galaxy):
    (tmp_path / "galaxy.yml").write_text(galaxy)
    return jobconf.validate(str(tmp_path / "galaxy.yml"))


INLINE = """galaxy:
  job_config:
    runners:
      local: {load: 'galaxy.jobs.runners.local:LocalJobRunner'}
    execution:
      environments:
        local: {runner: lokal}
"""


def test_an_inline_job_config_is_read(tmp_path):
    (finding,) = galaxy_yml(tmp_path, INLINE)
    assert (finding["code"], finding["line"]) == ("GJ304", 7)


def test_an_inline_job_config_makes_a_file_useless(tmp_path):
    codes = {f["code"] for f in galaxy_yml(tmp_path, INLINE + "  job_config_file: job_conf.yml\n")}
    assert codes == {"GJ304", "GJ016"}


@pytest.mark.parametrize("named", ["  job_config_file: job_conf.yml\n", "  brand: here\n"])
def test_the_file_that_galaxy_would_read_is_read(tmp_path, named):
    (tmp_path / "job_conf.yml").write_text((FIXTURES / "GJ304.yml").read_text())
    (tmp_path / "job_conf.xml").write_text("<job_conf/>")
    (finding,) = galaxy_yml(tmp_path, "galaxy:\n" + named)
    assert (finding["code"], Path(finding["file"]).name) == ("GJ304", "job_conf.yml")


def test_a_galaxy_yml_that_leads_to_no_job_configuration_is_an_error(tmp_path):
    (finding,) = galaxy_yml(tmp_path, "galaxy:\n  brand: here\n")
    assert finding["code"] == "GJ001"


# Hostile input


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)


@pytest.mark.parametrize(
    ("text", "format", "code"),
    [
        (BOMB, "yaml", "GJ006"),
        ("a: " + "[" * 100_000, "yaml", "GJ006"),
        ("&a [*a]", "yaml", "GJ006"),
        ("a: !!python/object/apply:os.system ['touch /tmp/owned']", "yaml", "GJ008"),
        ("<a>" * 100_000, "xml", "GJ006"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "xml", "GJ008"),
        ('<!DOCTYPE a [<!ENTITY % x SYSTEM "http://h/x.dtd"> %x;]><a/>', "xml", "GJ008"),
        ('<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>', "xml", "GJ006"),
        (
            f'<!DOCTYPE a [<!ENTITY x "{"y" * 60_000}">]><a>{"&x;" * 2000}</a>',
            "xml",
            "GJ006",
        ),
        (
            '<job_conf><macros><xml name="a"><x/><x/>'
            + '</xml><xml name="m0"><expand macro="a"/></xml>'
            + "".join(
                f'<xml name="m{i + 1}">{f"<expand macro={chr(34)}m{i}{chr(34)}/>" * 9}</xml>'
                for i in range(9)
            )
            + '</macros><expand macro="m9"/></job_conf>',
            "xml",
            "GJ006",
        ),
        (
            '<job_conf><macros><token name="@A@">xxxxxxxxxx</token>'
            + "".join(
                f'<token name="@{chr(66 + i)}@">{f"@{chr(65 + i)}@" * 9}</token>' for i in range(20)
            )
            + "</macros></job_conf>",
            "xml",
            "GJ006",
        ),
    ],
    ids=range(11),
)
def test_hostile_input_ends_soon_with_one_error(text, format, code):
    findings = jobconf.validate(text=text, format=format)
    assert [f["code"] for f in findings if f["level"] == "error"] == [code]


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "job_conf.yml"
    with path.open("wb") as file:
        file.truncate(jobconf.MAX_BYTES + 1)
    (finding,) = jobconf.validate(str(path))
    assert finding["code"] == "GJ006"


@given(st.one_of(st.binary(), st.text().map(str.encode)))
@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_bytes_are_findings_and_never_an_exception(data):
    for format in ("yaml", "xml"):
        assert jobconf.validate(text=data, format=format)


# Writing


def test_what_xml_cannot_say_is_refused():
    conf = yaml.safe_load((FIXTURES / "good/anchors.yml").read_text())
    with pytest.raises(CommandExecutionError, match="shell cannot be written as XML"):
        jobconf.render(conf, "xml")
    with pytest.raises(CommandExecutionError, match="takes its value from the environment"):
        jobconf.convert(str(FIXTURES / "good/tutorial.xml"))
    with pytest.raises(SaltInvocationError, match="is unknown"):
        jobconf.render({}, "toml")


def test_a_time_stays_a_string_when_it_is_rendered():
    conf = {"limits": [{"type": "walltime", "value": "24:00:00"}]}
    assert yaml.safe_load(jobconf.render(conf)) == conf


def test_neither_path_nor_text_is_an_error_of_the_caller():
    with pytest.raises(SaltInvocationError):
        jobconf.validate()


def test_destinations_are_listed_with_what_is_known_of_them():
    listed = {d["id"]: d for d in jobconf.destinations(str(FIXTURES / "good/tutorial.xml"))}
    slurm = listed["slurm"]
    assert slurm["family"] == "slurm-drmaa"
    assert slurm["params"]["nativeSpecification"] == "-p main -n 2 --mem=4000 -t 2:00:00"
    assert slurm["runner_params"]["drmaa_library_path"].endswith("libdrmaa.so.1")
    assert slurm["tags"] == ["cluster", "big"]
    assert (listed["local"]["family"], listed["local"]["line"]) == ("local", 20)
    tpv = jobconf.destinations(str(FIXTURES / "good/tpv.yml"))
    assert [(d["id"], d["family"], d["dynamic"]) for d in tpv] == [
        ("tpv_dispatcher", "dynamic", True)
    ]


def test_a_code_that_the_site_ignores_is_left_out():
    assert jobconf.validate(str(FIXTURES / "GJ304.yml"), ignore=["GJ304"]) == []


# --- check_cluster --------------------------------------------------------------------------------


PARTITION = {
    "name": "main", "default": True, "state": "UP", "nodes": ["node1", "node2"],
    "max_time": 86400, "max_nodes": None, "max_cpus_per_node": None, "max_memory_per_node": None,
    "allow_groups": None, "allow_accounts": None, "allow_qos": None, "deny_accounts": [],
    "deny_qos": [],
}  # fmt: skip
NODE = {
    "state": "IDLE",
    "flags": [],
    "cpus": {"total": 4},
    "memory": 8000,
    "gres": "gpu:a100:2(S:0-1)",
}


@pytest.fixture
def check(monkeypatch):
    """Return check_cluster on a stand-in for Slurm, with what it was asked and what it answers."""

    def judge(spec=None, loads=True, **parameters):
        params = parameters if spec is None else {"native_specification": spec}
        runners = {
            "cli": {"load": "galaxy.jobs.runners.cli:ShellJobRunner"},
            "slurm": {"load": "galaxy.jobs.runners.slurm:SlurmJobRunner"},
        }
        environment = (
            {"runner": "slurm", **params}
            if spec is not None
            else {"runner": "cli", "shell_plugin": "LocalShell", "job_plugin": "Slurm", **params}
        )
        answers = {
            "slurm.partitions": lambda *_: [PARTITION, *check.partitions],
            "slurm.nodes": lambda **_: [{**NODE, "name": name} for name in ("node1", "node2")],
            "slurm.config": lambda *_: check.config,
            "slurm.test_only": test_only,
            "user.info": lambda name: {"name": name} if name == "galaxy" else {},
            "user.list_groups": lambda name: [name],
            "drmaa.info": lambda *_, **__: {"problem": None if loads else "it is broken"},
        }
        for name, function in answers.items():
            monkeypatch.setitem(jobconf.__salt__, name, function)
        text = {"runners": runners, "execution": {"environments": {"only": environment}}}
        return jobconf.check_cluster(text=yaml.safe_dump(text), user=check.user)

    def test_only(options, user, timeout):
        check.asked.append(options)
        return {"ok": not check.refusal, "message": check.refusal}

    check: Any = judge
    check.asked, check.refusal, check.partitions, check.user = [], "", [], "galaxy"
    check.config = {"SLURM_VERSION": "24.11.5", "AccountingStorageEnforce": "associations"}
    return check


def test_a_destination_that_fits_is_asked_of_slurm_in_sbatchs_words(check):
    fits = {"checked": ["only"], "not_checked": [], "findings": []}
    assert check(job_partition="main", job_ncpus="2", **{"job_--mem": "4G"}) == fits
    assert check("-p main -c 4 --mem=8000 -t 1-2T23:59:30 -s -N 1- -J x --gres=gpu:2") == fits
    assert check.asked == [
        {"partition": "main", "cpus-per-task": "2", "mem": "4G"},
        {"partition": "main", "cpus-per-task": "4", "mem": "8000", "time": "23:59:00",
         "oversubscribe": True, "nodes": "1", "gres": "gpu:2"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ("-p mian", "GJ901", 'there is no partition "mian"; did you mean "main"?'),
        ("-p closed", "GJ901", 'partition "closed" is DOWN'),
        ("-p closed,main", None, ""),
        ("-p staff", "GJ902", "admits the groups staff, and galaxy is in none"),
        ("-p paid -A lab", "GJ902", 'does not admit the account "lab"; it admits rich'),
        ("-p paid -A rich --qos=slow", "GJ902", 'does not admit the QOS "slow"'),
        ("-c 5", "GJ903", "it wants 5 CPUs"),
        ("--mem=8001", "GJ903", "it wants 8001 MiB of memory"),
        ("--mem-per-cpu=3000 -c 3", "GJ903", "it wants 9000 MiB of memory"),
        ("--gres=gpu:3", "GJ903", "it wants gres gpu:3"),
        ("--time=24:01", "GJ904", "above the limit"),
        ("--mem=4G", "GJ311", "write 4096"),
        ("--gpus=1", "GJ311", "--gres=gpu:NUMBER"),
    ],
)
def test_a_destination_that_does_not_fit_is_found(check, spec, code, words):
    other = {**PARTITION, "default": False}
    check.partitions = [
        {**other, "name": "closed", "state": "DOWN"},
        {**other, "name": "staff", "allow_groups": ["staff"]},
        {**other, "name": "paid", "allow_accounts": ["rich"], "deny_qos": ["slow"]},
    ]
    findings = check(spec)["findings"]
    assert [finding["code"] for finding in findings] == ([code] if code else [])
    assert all(words in finding["message"] for finding in findings)
    assert all(finding["judge"] == "slurm" for finding in findings)


def test_what_slurm_refuses_is_said_in_its_words(check):
    check.refusal = "allocation failure: Invalid qos specification"
    [finding] = check("--qos=x")["findings"]
    assert finding["code"] == "GJ905"
    assert finding["message"].endswith("Slurm refuses it: " + check.refusal)


def test_a_library_that_is_broken_is_found(check):
    [finding] = check("-p main", loads=False)["findings"]
    assert (finding["code"], "it is broken" in finding["message"]) == ("GJ906", True)
    assert check(job_partition="main", loads=False)["findings"] == []


def test_options_are_those_of_the_release_that_runs(check):
    [finding] = check(**{"job_--power": "level"})["findings"]
    assert "--power is not known to Slurm 24.11" in finding["message"]


def test_accounts_that_slurm_does_not_look_at_are_not_checked(check):
    check.config["AccountingStorageEnforce"] = None
    paid = {**PARTITION, "name": "paid", "default": False, "allow_accounts": ["rich"]}
    check.partitions = [paid]
    [unknown] = check("-A lab --qos=x")["not_checked"]
    assert unknown["why"].startswith('account "lab" and QOS "x": this Slurm takes any')
    assert check("-p paid -A rich")["not_checked"] == []
    answer = check("-M far -p nowhere")
    assert (answer["checked"], answer["findings"]) == ([], [])
    assert "another cluster, far" in answer["not_checked"][0]["why"]


def test_a_user_that_is_none_is_an_error(check):
    check.user = "glaxy"
    with pytest.raises(CommandExecutionError, match='no user "glaxy"'):
        check("-p main")


# --- requests -------------------------------------------------------------------------------------


def test_what_destinations_ask_for_is_told_in_numbers(monkeypatch):
    slurm, drmaa = load("_modules/slurm.py"), load("_modules/drmaa.py")
    monkeypatch.setitem(jobconf.__salt__, "slurm.parse_options", slurm.parse_options)
    monkeypatch.setitem(jobconf.__salt__, "drmaa.parse_native", drmaa.parse_native)
    cli = {"runner": "cli", "shell_plugin": "LocalShell", "job_plugin": "Slurm"}
    text = {
        "runners": {
            "local": {"load": "galaxy.jobs.runners.local:LocalJobRunner"},
            "cli": {"load": "galaxy.jobs.runners.cli:ShellJobRunner"},
            "slurm": {"load": "galaxy.jobs.runners.slurm:SlurmJobRunner"},
        },
        "execution": {
            "default": "here",
            "environments": {
                "here": {"runner": "local"},
                "plain": cli,
                "small": {
                    **cli,
                    "job_partition": "main",
                    "job_ncpus": 2,
                    "job_time": "00:10:00",
                    "job_--mem": "2G",
                },
                "native": {
                    "runner": "slurm",
                    "native_specification": "-p big --ntasks=4 --mem-per-cpu=500 --time=1:30",
                },
                "wrong": {"runner": "slurm", "native_specification": "--gpus=1"},
                "open": {"runner": "slurm", "native_specification": "{{ spec }}"},
            },
        },
    }
    found = {row["id"]: row for row in jobconf.requests(text=yaml.safe_dump(text))}
    kept = {
        name: tuple(row[key] for key in ("cpus", "memory", "partition", "time"))
        for name, row in found.items()
    }
    assert kept == {
        "here": (None,) * 4, "plain": (None,) * 4, "small": (2, 2048, "main", 600),
        "native": (4, 2000, "big", 5400), "wrong": (None,) * 4, "open": (None,) * 4,
    }  # fmt: skip
    assert "is not Slurm's" in found["here"]["why"] and "templated" in found["open"]["why"]
    assert [name for name, row in found.items() if row["why"]] == ["here", "open"]
    assert "--gpus" in found["wrong"]["problems"][0] and found["native"]["problems"] == []
