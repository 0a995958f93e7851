"""The lab's hosts for the cluster tests, fresh for every session and gone after it."""

import json

import pytest
import yaml
from lab import ADMIN, Lab, name_for_tests
from reports import failures

SUITES = ["bookworm", *(pytest.param(name, marks=pytest.mark.slow) for name in ("trixie", "sid"))]


@pytest.fixture(scope="session", params=SUITES)
def fresh(request):
    """Return the default topology's hosts: minions of a master, with nothing applied."""
    lab = Lab(name_for_tests(f"cluster-{request.param}"), "slurm", suite=request.param)
    lab.down()
    lab.up(apply=False)
    yield lab
    lab.down()


@pytest.fixture(scope="session")
def first_run(fresh):
    """Apply the formula once to all the fresh hosts at the same time; return what each said."""
    return fresh.salt("*", "state.apply", "slurm_galaxy")


@pytest.fixture(scope="session")
def cluster(fresh, first_run):
    """Return the lab of the cluster that the first run has made."""
    return fresh


@pytest.fixture(scope="session")
def call(cluster):
    """Return a way to call a function of Salt on one host; an error is answered as its text."""

    def call(function, *args, host="head", **kwargs):
        def word(value):
            # As YAML reads it, which has no pairs of escapes for what lies beyond 16 bits.
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

        words = [*map(word, args), *(f"{key}={word(value)}" for key, value in kwargs.items())]
        return cluster.salt(f"{host}.lab.test", function, *words)[f"{host}.lab.test"]

    return call


# Two tools of the tests: one writes down where it runs and stays for a while, one takes memory too.
TOOL = """<tool id="{id}" name="{id}" version="1" profile="24.0">
  <command><![CDATA[
    echo HOST=\\$(uname -n) >'$out' && echo SLURM_JOB_ID=\\$SLURM_JOB_ID >>'$out' &&
    python3 -c 'import time; held = b"x" * {mebibytes} * 2**20; time.sleep($seconds)'
  ]]></command>
  <inputs><param name="seconds" type="integer" value="1"/></inputs>
  <outputs><data name="out" format="txt"/></outputs>
  <help>of the tests</help>
</tool>
"""
TOOLS = {"lab_stay": ("slurm", 1), "lab_brief": ("brief", 1), "lab_big": ("tiny", 800)}
CLI = {"runner": "slurm", "shell_plugin": "LocalShell", "job_plugin": "Slurm"}
ENVIRONMENTS = {
    "brief": {**CLI, "job_time": "00:01:00"},
    "tiny": {**CLI, "job_--mem": "450"},
    "large": {**CLI, "job_ncpus": "2", "job_--mem": "600"},
}


@pytest.fixture(scope="session")
def fresh_galaxy():
    """Return the default topology's hosts, with tools of the tests, and nothing applied."""
    lab = Lab(name_for_tests("galaxy"), "default")
    lab.down()
    lab.up(apply=False)
    folder = "/srv/galaxy/lab_tools"
    toolbox = "".join(f'<tool file="{folder}/{tool}.xml"/>' for tool in TOOLS)
    files = {"tool_conf": f"<toolbox>{toolbox}</toolbox>"}
    files |= {id: TOOL.format(id=id, mebibytes=size) for id, (_, size) in TOOLS.items()}
    for name, text in files.items():
        script = f"mkdir -p {folder}; cat >{folder}/{name}.xml"
        lab.exec("galaxy", ["sh", "-c", script], input=text)
    mapped = [{"id": tool, "environment": where} for tool, (where, _) in TOOLS.items()]
    conf = {"execution": {"environments": ENVIRONMENTS}, "tools": mapped}
    # Without the tools that Galaxy brings, it starts sooner.
    own = {"tool_config_file": ["/etc/galaxy/tool_conf.xml", f"{folder}/tool_conf.xml"]}
    amend(lab, "galaxy", {"galaxy": {"job_conf": conf, "config": {"galaxy": own}}})
    # Without cgroups it is slurmd's accounting that ends a job over its memory.
    gather = {"JobAcctGatherType": "jobacct_gather/linux", "JobAcctGatherFrequency": "task=2"}
    gather |= {"JobAcctGatherParams": "OverMemoryKill", "SelectTypeParameters": "CR_Core_Memory"}
    amend(lab, "munge", {"slurm": {"config": {**gather, "DefMemPerCPU": 450}}})
    yield lab
    lab.down()


def amend(lab, name, data):
    """Add to a pillar file of the lab's, which goes to the hosts that it names."""
    file = lab.state / f"secrets/{name}.sls"
    pillar = yaml.safe_load(file.read_text())
    pillar["slurm_galaxy"] = {**data, **pillar["slurm_galaxy"]} | {
        key: {**value, **pillar["slurm_galaxy"].get(key, {})} for key, value in data.items()
    }
    file.write_text(yaml.safe_dump(pillar))


@pytest.fixture(scope="session")
def galaxy(fresh_galaxy):
    """Return the lab with Galaxy, made by one run on all of its hosts at the same time."""
    assert failures(fresh_galaxy.salt("*", "state.apply", "slurm_galaxy")) == {}
    return fresh_galaxy


@pytest.fixture(scope="session")
def admin(galaxy):
    """Return the administrator of the lab's Galaxy: mail, password and key."""
    pillar = yaml.safe_load((galaxy.state / "secrets/galaxy.sls").read_text())
    return {"mail": ADMIN, **pillar["slurm_galaxy"]["galaxy"]["admins"][ADMIN]}
