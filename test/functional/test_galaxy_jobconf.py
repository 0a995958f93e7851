"""_states/galaxy_jobconf.py on a real host, and the second judge: Galaxy's own parser."""

import json
import re
import subprocess

import oracle
import pytest
import yaml
from loading import TREE

FIXTURES = TREE / "test/fixtures/galaxy_jobconf"
GOOD = yaml.safe_load((FIXTURES / "good/tutorial.yml").read_text())


def fixture(name):
    """Return a fixture without its mark: Salt does not parse an argument that holds a #."""
    return re.sub("  # GJ[0-9]+", "", (FIXTURES / name).read_text())


BAD = fixture("GJ304.yml")
NAME = "/srv/jobconf/job_conf.yml"


@pytest.fixture
def place(minion):
    """Return the host with an empty directory for the file."""
    minion.sh("rm -rf /srv/jobconf; mkdir -p /srv/jobconf")
    return minion


def managed(place, test=False, name=NAME, **kwargs):
    return place.state("galaxy_jobconf.managed", name, test=test, user="nobody", **kwargs)


def test_managed_writes_a_mapping_once_and_only_for_galaxy(place):
    planned = managed(place, test=True, conf=GOOD)
    assert planned["result"] is None
    assert place.sh("ls /srv/jobconf") == ""

    written = managed(place, conf=GOOD)
    assert written["result"] is True
    assert "diff" in written["changes"]
    assert yaml.safe_load(place.sh(f"cat {NAME}")) == GOOD
    assert place.sh(f"stat -c '%U %G %a' {NAME}") == "root nogroup 640\n"
    assert place.run("runuser", "-u", "nobody", "--", "cat", NAME).returncode == 0

    for test in (True, False):
        again = managed(place, test=test, conf=GOOD)
        assert (again["result"], again["changes"]) == (True, {})


def test_managed_writes_xml_where_the_name_says_so(place):
    conf = yaml.safe_load((FIXTURES / "good/list.yml").read_text())
    name = "/srv/jobconf/job_conf.xml"
    assert managed(place, name=name, conf=conf)["result"] is True
    assert place.sh(f"cat {name}").startswith('<?xml version="1.0"?>\n<job_conf>')
    assert place.state("galaxy_jobconf.valid", name)["result"] is True


@pytest.mark.parametrize("test", [True, False])
def test_a_mistake_leaves_the_file_as_it_is(place, test):
    assert managed(place, conf=GOOD)["result"] is True
    before = place.sh(f"stat -c '%i %Y' {NAME}; cat {NAME}")
    refused = managed(place, test=test, contents=BAD)
    assert (refused["result"], refused["changes"]) == (False, {})
    assert refused["comment"] == (
        f"{NAME} was not written, it would have 1 error\n"
        f"  error GJ304, {NAME} line 5, column 21: "
        'environment "local": runner "locla" is not a runner; did you mean "local"?; its jobs fail'
    )
    assert place.sh(f"stat -c '%i %Y' {NAME}; cat {NAME}") == before


def test_warnings_are_told_and_do_not_fail(place):
    text = fixture("GJ505.yml")
    written = managed(place, contents=text)
    assert written["result"] is True
    assert "warning GJ505" in written["comment"]
    assert "GJ505" not in managed(place, contents=text, ignore=["GJ505"])["comment"]


def test_a_code_that_the_site_ignores_does_not_fail(place):
    assert managed(place, contents=BAD, ignore=["GJ304"])["result"] is True


def test_a_secret_is_not_in_the_changes(place):
    conf = json.loads(json.dumps(GOOD))
    conf["runners"]["pulsar"] = {
        "load": "galaxy.jobs.runners.pulsar:PulsarMQJobRunner",
        "amqp_url": "amqp://galaxy:hunter2@mq.example.org//",
    }
    for test in (True, False):
        assert "hunter2" not in json.dumps(managed(place, test=test, conf=conf))
    assert "hunter2" in place.sh(f"cat {NAME}")


def test_a_stale_sibling_that_galaxy_reads_first_is_reported(place):
    place.sh(f"touch {NAME}")
    conf = yaml.safe_load((FIXTURES / "good/list.yml").read_text())
    written = managed(place, name="/srv/jobconf/job_conf.xml", conf=conf)
    assert written["warnings"] == [
        f"{NAME} exists, and Galaxy reads it before /srv/jobconf/job_conf.xml: remove it"
    ]


def test_a_source_is_rendered_with_its_context(place):
    place.sh("mkdir -p /srv/salt-test")
    template = (
        (FIXTURES / "good/tutorial.yml").read_text().replace("workers: 4", "workers: {{ n }}")
    )
    place.run("sh", "-c", "cat > /srv/jobconf/source.j2", input=template)
    arguments = {"source": "/srv/jobconf/source.j2", "template": "jinja"}
    assert managed(place, **arguments, context={"n": 7})["result"] is True
    assert yaml.safe_load(place.sh(f"cat {NAME}"))["runners"]["local_runner"]["workers"] == 7


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({}, "give exactly one of conf, source and contents"),
        ({"conf": {}, "contents": ""}, "give exactly one of conf, source and contents"),
        ({"conf": [1]}, "a job configuration is a mapping, not a list"),
        ({"source": "salt://no/such/file"}, "the source salt://no/such/file cannot be fetched"),
        ({"contents": "a: 1", "format": "toml"}, 'format "toml" is unknown'),
    ],
)
def test_arguments_that_cannot_be_meant_are_one_sentence(place, kwargs, words):
    report = managed(place, **kwargs)
    assert report["result"] is False
    assert report["comment"].startswith(f"{NAME} was not written: ")
    assert words in report["comment"]


def test_valid_fails_with_the_findings_and_changes_nothing(place):
    place.run("sh", "-c", f"cat > {NAME}", input=BAD)
    for test in (True, False):
        report = place.state("galaxy_jobconf.valid", NAME, test=test)
        assert (report["result"], report["changes"]) == (False, {})
        assert report["comment"].startswith(f"{NAME} has 1 error\n  error GJ304, {NAME} line 5")


# Galaxy's own parser, on this machine: a minion without a master in a directory of its own.


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return the directory of a minion on this machine."""
    home = tmp_path_factory.mktemp("minion")
    for path in (home, home.parent, home.parent.parent):
        path.chmod(0o755)  # Galaxy's user comes through
    for name in ("_modules", "_states"):
        (home / name).symlink_to(TREE / name)
    (home / "minion").write_text(
        json.dumps(
            {
                "root_dir": str(home),
                "file_client": "local",
                "file_roots": {"base": [str(home)]},
                "id": "here",
            }
        )
    )

    call(home, "saltutil.sync_all")
    return home


def call(home, *words):
    argv = [f"{TREE}/.venv/bin/salt-call", "--local", f"--config-dir={home}", "--out=json", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["local"]


@pytest.fixture
def ask(home):
    """Return a way to validate a file with Galaxy's parser, which runs as nobody."""

    def ask(path, venv=None):
        words = [f"venv={venv or oracle.venv()}", "user=nobody"]
        return call(home, "galaxy_jobconf.validate", str(path), *words)

    return ask


def answers(home):
    return sorted(home.rglob("galaxy_jobconf/*"))


def test_galaxy_is_asked_and_the_finding_says_who_found_it(ask, home):
    path = home / "job_conf.yml"
    path.write_text("runners: {local: {load: local}}\nexecution: {default: x, environments: {}}\n")
    path.chmod(0o644)
    judges = {(f["code"], f["judge"]) for f in ask(path)}
    assert ("GJ801", f"galaxy {oracle.VERSION}") in judges
    assert ("GJ303", "rules") in judges


def test_galaxy_is_asked_again_only_when_the_file_has_changed(ask, home):
    path = home / "kept.yml"
    path.write_text((FIXTURES / "good/tutorial.yml").read_text())
    path.chmod(0o644)
    assert ask(path) == []
    known = answers(home)
    # An answer that is changed comes back: Galaxy has not been asked.
    newest = max(known, key=lambda file: file.stat().st_mtime_ns)
    newest.write_text(json.dumps({"verdict": "refused", "words": "from the cache"}))
    (finding,) = ask(path)
    assert finding["message"].endswith("from the cache")
    path.write_text(path.read_text() + "\n")
    assert ask(path) == []
    assert len(answers(home)) == len(known) + 1


def test_a_file_that_galaxys_user_cannot_read_is_found(ask, home):
    path = home / "secret.yml"
    path.write_text((FIXTURES / "good/tutorial.yml").read_text())
    path.chmod(0o600)
    (finding,) = ask(path)
    assert finding["code"] == "GJ802"
    assert "nobody would silently run every job locally" in finding["message"]


def test_a_venv_without_galaxy_is_a_warning(ask, home, tmp_path):
    path = home / "plain.yml"
    path.write_text((FIXTURES / "good/tutorial.yml").read_text())
    (finding,) = ask(path, venv=tmp_path)
    assert (finding["code"], finding["level"]) == ("GJ803", "warning")
