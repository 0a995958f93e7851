"""galaxy_jobconf.py held against Galaxy's own parser, from PyPI."""

import copy
from typing import Any

import oracle
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loading import TREE, load

FIXTURES = TREE / "test/fixtures/galaxy_jobconf"
jobconf = load(
    "_modules/galaxy_jobconf.py",
    __salt__={
        "drmaa.parse_native": load("_modules/drmaa.py").parse_native,
        "slurm.parse_options": load("_modules/slurm.py").parse_options,
    },
)
# Errors that Galaxy meets only when a handler or a job starts: its parser is silent.
LATER = set("GJ102 GJ103 GJ104 GJ105 GJ106 GJ304 GJ305 GJ306 GJ309 GJ311 GJ314 GJ403 GJ015".split())


# Errors of ours that Galaxy does not share: it expands entities.
HOSTILE = {"GJ006", "GJ008"}


@pytest.fixture(scope="module")
def galaxy():
    """Return Galaxy's parser, which answers question by question."""
    process = oracle.Oracle()
    yield process
    process.close()


def errors(text, format, path=None):
    findings = jobconf.validate(path=path, text=text, format=format)
    return [finding for finding in findings if finding["level"] == "error"]


def agree(galaxy, text, format, directory=None):
    """Hold our errors against Galaxy's verdict, and return the verdict."""
    path = str(directory / "job_conf") if directory else None
    ours = errors(text, format, path)
    theirs = galaxy.ask(text, format, directory)
    codes = {finding["code"] for finding in ours}
    if theirs["verdict"] != "accepted":
        assert codes, f"{theirs} and we are silent:\n{text}"
    elif theirs["dangling"]:
        assert codes & LATER, f"{theirs['dangling']} and we are silent:\n{text}"
    else:
        assert codes <= (LATER | HOSTILE) - {"GJ304", "GJ403"}, (
            f"accepted, and we say {ours}:\n{text}"
        )
    return theirs


def shipped(kind):
    return sorted((oracle.venv() / "lib").glob(f"python*/site-packages/galaxy/config/{kind}"))


def form(path):
    return "xml" if ".xml" in path.name else "yaml"


def test_the_samples_that_galaxy_ships(galaxy):
    samples = shipped("sample/job_conf*")
    assert len(samples) >= 3
    for path in samples:
        agree(galaxy, path.read_text(), form(path))


def test_the_basic_sample_has_no_finding_at_all():
    (basic,) = shipped("sample/job_conf*basic")
    assert jobconf.validate(text=basic.read_text(), format="xml") == []


def test_every_key_of_the_schema_that_galaxy_ships_is_known():
    (path,) = shipped("schemas/job_config_schema.yml")
    schema = yaml.safe_load(path.read_text())["mapping"]
    assert set(schema) <= set(jobconf.TOP)
    (environment,) = schema["execution"]["mapping"]["environments"]["mapping"].values()
    known = {*jobconf.ENVIRONMENT, *jobconf.PARAMETERS["any"]}
    assert set(environment["mapping"]) <= known
    probe = {
        "runners": {"local": {"load": "local"}},
        "execution": {"environments": {"local": {"runner": "local"}}},
    }
    for section in ("tools", "limits"):
        keys = schema[section]["sequence"][0]["mapping"]
        probe[section] = [dict.fromkeys(keys, "local")]
    unknown = [f for f in jobconf.validate(text=jobconf.render(probe)) if f["code"] == "GJ010"]
    assert unknown == []


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("GJ*")), ids=lambda path: path.name)
def test_our_fixtures_of_mistakes(galaxy, path):
    agree(galaxy, path.read_text(), form(path), FIXTURES)


GOOD = sorted(path for path in (FIXTURES / "good").iterdir() if path.is_file())


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_our_fixtures_of_what_is_right_have_no_finding(galaxy, path):
    assert jobconf.validate(str(path)) == []
    verdict = agree(galaxy, path.read_text(), form(path), FIXTURES / "good")
    assert verdict["verdict"] == "accepted"


def reads_the_same(galaxy, text, format, path=None):
    """Convert a text both ways; Galaxy must read the same from each."""
    directory = path.parent if path else None
    first = galaxy.ask(text, format, directory)["conf"]
    assert first
    where = str(path) if path else None
    for to in ("xml", "yaml"):
        there = jobconf.convert(path=where, text=text, format=format, to=to)
        assert galaxy.ask(there, to)["conf"] == first, there
        assert errors(there, to) == []
        back = jobconf.convert(text=there, format=to, to=format)
        assert galaxy.ask(back, format)["conf"] == first, back


@pytest.mark.parametrize("name", ["macros.xml", "bare.xml", "list.yml", "tutorial.yml"])
def test_a_conversion_is_read_by_galaxy_as_the_original_is(galaxy, name):
    path = FIXTURES / "good" / name
    reads_the_same(galaxy, path.read_text(), form(path), path)


# Configurations at random, and single mistakes in them.
WORDS = st.sampled_from(["a", "b", "small", "large", "slurm", "x-1"])
LOADS = st.sampled_from(["galaxy.jobs.runners.slurm:SlurmJobRunner", "local", "drmaa"])
RUNNERS = st.dictionaries(
    WORDS,
    st.fixed_dictionaries({"load": LOADS}, optional={"workers": st.integers(1, 9)}),
    min_size=1,
)
LIMITS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("registered_user_concurrent_jobs"), "value": st.integers(1, 99)}
        ),
        st.fixed_dictionaries({"type": st.just("walltime"), "value": st.just("24:00:00")}),
        st.fixed_dictionaries(
            {"type": st.just("output_size"), "value": st.sampled_from(["10GB", "4 KiB", "1.5e3"])}
        ),
    )
)


@st.composite
def configurations(draw):
    """Draw a configuration without a mistake."""
    runners = draw(RUNNERS)
    environment = st.fixed_dictionaries(
        {"runner": st.sampled_from(sorted(runners))},
        optional={
            "tags": st.lists(st.sampled_from(["t1", "t2", "t3"]), min_size=1, unique=True),
            "env": st.lists(
                st.one_of(
                    st.fixed_dictionaries(
                        {"name": WORDS, "value": WORDS}, optional={"raw": st.booleans()}
                    ),
                    st.fixed_dictionaries({"file": WORDS}),
                    st.fixed_dictionaries({"execute": WORDS}),
                ),
                min_size=1,
            ),
            "docker_enabled": st.booleans(),
            "submit_note": st.one_of(WORDS, st.integers(0, 9), st.booleans()),
        },
    )
    environments = draw(st.dictionaries(WORDS, environment, min_size=1, max_size=4))
    ids = sorted(environments)
    conf: dict[str, Any] = {
        "runners": runners,
        "execution": {"default": draw(st.sampled_from(ids)), "environments": environments},
    }
    tool = st.fixed_dictionaries(
        {"id": st.from_regex("[a-z]{3,9}", fullmatch=True), "environment": st.sampled_from(ids)}
    )
    if draw(st.booleans()):
        conf["tools"] = draw(st.lists(tool, unique_by=lambda each: each["id"]))
    if draw(st.booleans()):
        conf["limits"] = draw(LIMITS)
    if draw(st.booleans()):
        conf["handling"] = {
            "assign": draw(st.lists(st.sampled_from(jobconf.ASSIGN), min_size=1)),
            "processes": {"handler0": {"tags": ["h"]}},
            "ready_window_size": draw(st.integers(1, 9)),
        }
    return conf


def places(value, path=()):
    """List the paths of all values below a value."""
    pairs: Any = enumerate(value) if isinstance(value, list) else ()
    for key, child in value.items() if isinstance(value, dict) else pairs:
        yield (*path, key)
        yield from places(child, (*path, key))


JUNK = st.sampled_from([None, [], {}, "", "nonsense", 7, -1, 1.5, True, ["x"], {"x": "y"}, "a,b"])
EXAMPLES = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@EXAMPLES
@given(conf=configurations())
def test_what_is_right_has_no_error_and_is_read_the_same_from_both_formats(galaxy, conf):
    text = jobconf.render(conf)
    assert agree(galaxy, text, "yaml")["verdict"] == "accepted"
    assert errors(text, "yaml") == []
    xml = jobconf.render(conf, "xml")
    assert errors(xml, "xml") == []
    assert galaxy.ask(xml, "xml")["conf"] == galaxy.ask(text, "yaml")["conf"]


@EXAMPLES
@given(data=st.data(), conf=configurations(), junk=JUNK)
def test_a_value_that_is_replaced_is_judged_as_galaxy_judges_it(galaxy, data, conf, junk):
    conf = copy.deepcopy(conf)
    path = data.draw(st.sampled_from(list(places(conf))))
    parent = conf
    for key in path[:-1]:
        parent = parent[key]
    if data.draw(st.booleans()):
        parent[path[-1]] = junk
    elif isinstance(parent, dict):
        parent[f"{path[-1]}x"] = parent.pop(path[-1])
    agree(galaxy, yaml.safe_dump(conf, sort_keys=False), "yaml")


@EXAMPLES
@given(data=st.data(), conf=configurations())
def test_a_text_that_is_damaged_is_judged_as_galaxy_judges_it(galaxy, data, conf):
    format = data.draw(st.sampled_from(["xml", "yaml"]))
    lines = jobconf.render(conf, format).splitlines()
    place = data.draw(st.integers(0, len(lines) - 1))
    kind = data.draw(st.sampled_from(["cut", "double", "swap", "character"]))
    if kind == "cut":
        del lines[place]
    elif kind == "double":
        lines.insert(place, lines[place])
    elif kind == "swap":
        lines[place - 1], lines[place] = lines[place], lines[place - 1]
    else:
        line = lines[place] or " "
        column = data.draw(st.integers(0, len(line) - 1))
        character = data.draw(st.sampled_from("abc:'\"<>-{}[]&%! "))
        lines[place] = line[:column] + character + line[column + 1 :]
    agree(galaxy, "\n".join(lines), format)
