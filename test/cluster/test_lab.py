"""test/lab as a newcomer uses it: the command, its output and its exit status."""

import re
import subprocess

import pytest
from engine import STATE, LabError, docker, ensure_engine
from lab import LABEL, Lab, name_for_tests
from loading import TREE

NAME = name_for_tests("lab")


def run(*argv, **options):
    """Run test/lab under a name of its own."""
    command = [TREE / "test/lab", "--name", NAME, *argv]
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def up():
    """Bring the default topology up and return what that printed."""
    run("down")
    done = run("up")
    yield done
    run("down")


def test_up_ends_with_a_first_job_of_galaxys_and_what_to_try(up):
    assert up.returncode == 0, up.stdout + up.stderr
    assert re.search(r"Its job 1 was job 1 of Slurm, ran on node[12]", up.stdout)
    assert re.search(r"Galaxy: http://[\d.]+:8080  log in as admin@lab.test with \S+", up.stdout)
    assert f"test/lab --name {NAME} exec head -- srun -N2 hostname" in up.stdout
    done = run("exec", "head", "--", "srun", "-N2", "hostname")
    assert sorted(done.stdout.split()) == ["node1", "node2"]


def test_a_second_up_changes_nothing(up):
    again = run("up")
    assert again.returncode == 0
    counts = [line.split() for line in again.stdout.splitlines() if " succeeded" in line]
    assert [(words[0], words[3]) for words in counts] == [
        (f"{name}.lab.test", "0") for name in ("galaxy", "head", "node1", "node2")
    ]


def test_exec_passes_input_output_and_status_through(up):
    script = "cat; echo aside >&2; exit 7"
    done = run("exec", "node1.lab.test", "--", "sh", "-c", script, input="given\n")
    assert (done.stdout, done.stderr, done.returncode) == ("given\n", "aside\n", 7)


def test_status_names_every_host_and_its_roles(up):
    done = run("status")
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows] == [
        (name, "running") for name in ("salt", "head", "galaxy", "node1", "node2")
    ]


def test_logs_show_the_journal(up):
    assert "slurmctld" in run("logs", "head").stdout


def test_a_problem_fails_the_apply_and_shows_its_sentence(up):
    pillar = '{"slurm_galaxy": {"slurm": {"config": {"ClusterName": "x"}}}}'
    done = run("apply", "head*", "--", f"pillar={pillar}")
    assert done.returncode == 1
    assert "slurm:config:ClusterName: comes from cluster" in done.stdout
    assert f"test/lab --name {NAME} logs head" in done.stdout


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (
            ["up", "--suite", "trixie"],
            f"up with suite bookworm, not trixie; run `test/lab --name {NAME} down`",
        ),
        (["up", "--topology", "single"], "up with topology default, not single"),
        (["exec", "nobody", "--", "true"], f"no host 'nobody' in lab {NAME}: salt, head, galaxy"),
    ],
)
def test_a_mistake_gets_one_sentence(up, argv, says):
    done = run(*argv)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_down_leaves_nothing_behind(up, tmp_path):
    assert run("down").returncode == 0
    with (tmp_path / "log").open("w") as log:
        ensure_engine(log)  # `down` has ended it where the lab had started it
    assert docker("ps", "-aq", "--filter", f"label={LABEL}={NAME}") == ""
    for kind in ("network", "volume"):
        assert docker(kind, "ls", "-q", "--filter", f"label={LABEL}={NAME}") == ""
    assert not (STATE / NAME).exists()


def test_an_unknown_topology_names_those_that_there_are():
    with pytest.raises(LabError, match="known: default, single, slurm"):
        _ = Lab("test-none", "nowhere").hosts
