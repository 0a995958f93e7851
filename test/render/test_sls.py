"""Every SLS, rendered for every host of every topology and of pillar.example."""

import copy
import inspect

import lab
import pytest
import salt.state
import salt.states.pkg
import yaml
from loading import TREE, load
from rendering import DEBIAN_12, Minion, grains_of

KEY = {"munge": {"key": "c29tZSByYW5kb20gYnl0ZXMgZm9yIHRoZSByZW5kZXIgdGVzdHM"}}
# As the pillar's top file of the lab and of README has it: for the Galaxy host alone.
GALAXY = {
    "id_secret": "3f7ab0c1d2e4958677",
    "admins": {"ada@lab.test": {"password": "correct horse", "key": "0a1b2c3d"}},
}
SECRETS = ("3f7ab0c1d2e4958677", "correct horse", "0a1b2c3d")
OURS = {path.stem for path in (TREE / "_states").glob("*.py")}
# dnf's module is not loaded on this machine.
ABSENT = {"pkg": salt.states.pkg}
# Arguments that a state function takes through **kwargs, so that its signature says nothing.
THROUGH_KWARGS = {"pkg.installed": {"install_recommends"}, "file.directory": {"mode"}}
REQUISITES = {f"{kind}{way}" for kind in ("require", "watch", "onchanges") for way in ("", "_in")}


def clusters():
    """List every cluster that the project describes, with the hosts that are in it."""
    for name in lab.topologies():
        folder = TREE / "test/pillar" / name
        hosts = [host for host in lab.read_topology(folder) if host.kind != "master"]
        yield name, yaml.safe_load((folder / "cluster.sls").read_text()), hosts
    example = yaml.safe_load((TREE / "pillar.example").read_text())
    table = {
        "head": ("dbd", "controller"),
        "galaxy": ("galaxy",),
        "node07": ("exec",),
        "gpu1": ("exec",),
    }
    hosts = [lab.Host(f"{name}.example.org", name, roles) for name, roles in table.items()]
    yield "pillar.example", example, hosts
    example = copy.deepcopy(example)
    example["slurm_galaxy"]["galaxy"] |= {
        "runner": "drmaa",
        "containers": True,
        "check": True,
        "database": {"managed": True},
        "shared": {"jobs": {"device": "nas:/jobs", "fstype": "nfs4", "opts": ["rw", "hard"]}},
    }
    example["slurm_galaxy"]["drmaa"] = {"config": {"cache_job_state": 60}}
    yield "all of Galaxy", example, [host for host in hosts if host.name in ("galaxy", "node07")]


SYSTEMS = {
    "single": (DEBIAN_12, grains_of("ubuntu-24.04"), grains_of("rocky-9")),
    "all of Galaxy": (grains_of("rocky-9"),),
}
HOSTS = [
    pytest.param((cluster, host, grains), id=f"{name}-{host.name}-{grains['osfinger']}")
    for name, cluster, hosts in clusters()
    for grains in SYSTEMS.get(name, (DEBIAN_12,))
    for host in hosts
]


@pytest.fixture(scope="module", params=HOSTS)
def minion(request, tmp_path_factory):
    """Return a Minion for each host; the scope makes pytest finish one before the next."""
    cluster, host, grains = request.param
    pillar = {"slurm_galaxy": {**cluster["slurm_galaxy"], **KEY}}
    if "galaxy" in host.roles:
        pillar["slurm_galaxy"]["galaxy"] = {**pillar["slurm_galaxy"]["galaxy"], **GALAXY}
    return Minion(tmp_path_factory.mktemp(host.name), host, pillar, grains)


class TestEveryHost:
    def test_renders_its_roles_in_the_fixed_order(self, minion):
        low = minion.show("show_low_sls", "slurm_galaxy")
        order = list(dict.fromkeys(chunk["__sls__"].rpartition(".")[2] for chunk in low))
        fixed = ["repos", "munge", "common", "shared", "logrotate"]
        fixed += ["dbd", "controller", "exec", "submit", "drmaa", "galaxy"]
        apt_alone = minion.opts["grains"]["os"] == "Debian"
        daemons = {"dbd", "controller", "exec"} & {*minion.host.roles}
        here = {"munge", "common", *minion.host.roles}
        here |= set() if apt_alone else {"repos"}
        here |= {"logrotate"} if daemons else set()
        pillar = minion.opts["pillar"]["slurm_galaxy"]
        if "galaxy" in here:
            here |= {"submit"}
            here |= {"drmaa"} if pillar["galaxy"].get("runner") == "drmaa" else set()
        if any("galaxy" in row["roles"] for row in pillar["hosts"].values()):
            here |= {"shared"}
        warned = [sls for sls in order if sls != "slurm_galaxy"]
        assert warned == [sls for sls in fixed if sls in here]

    def test_every_role_renders_alone_with_all_that_it_requires(self, minion):
        for role in minion.host.roles:
            low = minion.show("show_low_sls", f"slurm_galaxy.{role}")
            assert {"slurm_galaxy.munge", "slurm_galaxy.common", f"slurm_galaxy.{role}"} <= {
                chunk["__sls__"] for chunk in low
            }

    def test_what_is_shared_renders_alone_with_all_that_it_requires(self, minion):
        low = minion.show("show_low_sls", "slurm_galaxy.shared")
        wanted = {
            requisite["sls"]
            for chunk in low
            for requisite in chunk.get("require", [])
            if "sls" in requisite
        }
        assert wanted <= {chunk["__sls__"] for chunk in low}

    def test_every_argument_is_one_that_its_state_takes(self, minion):
        for chunk in minion.show("show_low_sls", "slurm_galaxy"):
            function = f"{chunk['state']}.{chunk['fun']}"
            if chunk["state"] in OURS:
                states = load(f"_states/{chunk['state']}.py")
                signature = inspect.signature(getattr(states, chunk["fun"]))
            elif chunk["state"] in ABSENT:
                signature = inspect.signature(getattr(ABSENT[chunk["state"]], chunk["fun"]))
            else:
                signature = inspect.signature(minion.states[function])
            known = set(signature.parameters) | THROUGH_KWARGS.get(function, set())
            given = {key for key in chunk if not key.startswith("__")}
            unknown = given - known - salt.state.STATE_INTERNAL_KEYWORDS - {"fun", "name"}
            assert not unknown, f"{chunk['__id__']}: {function} takes no {unknown}"

    def test_every_requisite_names_a_state_of_the_run(self, minion):
        low = minion.show("show_low_sls", "slurm_galaxy")
        targets = {(chunk["state"], chunk["__id__"]) for chunk in low}
        targets |= {("sls", chunk["__sls__"]) for chunk in low}
        wanted = {
            (chunk["__id__"], *target)
            for chunk in low
            for kind in REQUISITES & set(chunk)
            for requisite in chunk[kind]
            for target in requisite.items()
        }
        assert wanted
        assert not [want for want in wanted if want[1:] not in targets]

    def test_no_state_says_a_requisite_twice(self, minion):
        high = minion.show("show_sls", "slurm_galaxy")
        for state_id, state in high.items():
            for arguments in (value for value in state.values() if isinstance(value, list)):
                keys = [key for item in arguments if isinstance(item, dict) for key in item]
                assert len(keys) == len(set(keys)), f"{state_id}: {keys}"

    def test_a_secret_is_in_no_id_and_no_name(self, minion):
        low = minion.show("show_low_sls", "slurm_galaxy")
        assert any(KEY["munge"]["key"] in str(chunk) for chunk in low)
        for chunk in low:
            assert KEY["munge"]["key"] not in f"{chunk['__id__']} {chunk['name']}"

    def test_galaxys_secrets_are_on_its_own_host_in_no_id_no_name_and_no_diff(self, minion):
        low = minion.show("show_low_sls", "slurm_galaxy")
        for secret in SECRETS:
            holding = [chunk for chunk in low if secret in str(chunk)]
            assert bool(holding) == ("galaxy" in minion.host.roles)
            for chunk in holding:
                assert secret not in f"{chunk['__id__']} {chunk['name']}"
                assert chunk["state"] == "galaxy_server" or chunk["show_changes"] is False

    def test_the_daemons_packages_come_after_key_account_and_configuration(self, minion):
        low = minion.show("show_low_sls", "slurm_galaxy")
        at = {(c["state"], c["fun"], c["__sls__"]): place for place, c in enumerate(low)}
        installed = [place for (_, fun, _), place in at.items() if fun == "installed"]
        assert at["munge", "key_managed", "slurm_galaxy.munge"] < min(installed)
        slurm = [
            place
            for (_, fun, sls), place in at.items()
            if fun == "installed" and "munge" not in sls
        ]
        before = at["slurm_conf", "managed", "slurm_galaxy.common"]
        assert at["munge", "works", "slurm_galaxy.munge"] < before < min(slurm)


@pytest.fixture
def render(tmp_path):
    """Return a function that renders an SLS for a host of the default topology."""

    def render(change, host="node1", sls="slurm_galaxy"):
        pillar = yaml.safe_load((TREE / "test/pillar/slurm/cluster.sls").read_text())
        pillar["slurm_galaxy"] |= copy.deepcopy(KEY)
        change(pillar["slurm_galaxy"])
        minion = Minion(tmp_path, lab.Host(f"{host}.lab.test", host), pillar, DEBIAN_12)
        return minion.show("show_low_sls", sls)

    return render


def the_problem(low):
    """Return what the only state says, which fails."""
    (only,) = low
    assert (only["fun"], only["result"]) == ("configurable_test_state", False)
    return only["comment"]


def test_with_a_problem_one_failing_state_is_all_there_is(render):
    low = render(lambda pillar: pillar.pop("munge"))
    assert the_problem(low).startswith("munge:key: hosts of one cluster share a MUNGE key")


def test_a_role_applied_to_another_host_is_a_problem(render):
    low = render(lambda pillar: None, sls="slurm_galaxy.controller")
    assert the_problem(low).startswith(
        "slurm_galaxy.controller was applied to node1.lab.test, whose roles are exec"
    )


def test_a_minion_that_no_row_matches_gets_nothing_else(render):
    assert "no row matches web.lab.test" in the_problem(render(lambda pillar: None, host="web"))


def test_a_warning_does_not_keep_the_roles_from_being_applied(render):
    low = render(lambda p: p["slurm"]["nodes"].append({"NodeName": "gpu1"}), host="head")
    (warning,) = [chunk for chunk in low if chunk["fun"] == "configurable_test_state"]
    assert warning["result"] is True
    assert warning["warnings"][0].startswith("slurm:nodes: gpu1 is a node of Slurm")
    assert any(chunk["fun"] == "controller_up" for chunk in low)


ACCOUNTING = {"qos": {"high": {"MaxJobsPerUser": 1}}, "absent": {"users": ["bob"]}}


def accounting(pillar):
    pillar["hosts"]["head.lab.test"]["primary"] = True
    pillar["hosts"]["spare.lab.test"] = {"roles": ["controller"]}
    pillar["slurm"]["accounting"] = ACCOUNTING


def test_the_primary_controller_brings_accounting_about_last(render):
    low = render(accounting, host="head")
    *_, last = [chunk for chunk in low if chunk["__sls__"].endswith("controller")]
    assert (last["state"], last["fun"], last["name"]) == ("slurm_acct", "managed", "lab")
    assert {key: last[key] for key in ACCOUNTING} == ACCOUNTING
    assert last["wait"] == 90


@pytest.mark.parametrize("host", ["spare", "node1"])
def test_no_other_host_touches_accounting(render, host):
    low = render(accounting, host=host)
    assert low
    assert not [chunk for chunk in low if chunk["state"] == "slurm_acct"]


def test_a_misspelt_key_of_accounting_is_a_problem(render):
    low = render(lambda pillar: pillar["slurm"].update(accounting={"qoz": {}}), host="head")
    assert the_problem(low) == ("slurm:accounting:qoz: there is no such key; did you mean qos?")


def galaxy(pillar):
    pillar["hosts"]["galaxy.lab.test"] = {"roles": ["galaxy"]}
    pillar["galaxy"] = {
        **GALAXY, "version": "26.10", "root": "/data/gx", "check": True,
        "shared": {"venv": "/fast/venv"},
    }  # fmt: skip


def test_a_version_that_looks_like_a_number_stays_text(render):
    low = render(galaxy, host="galaxy")
    (installed,) = [c for c in low if (c["state"], c["fun"]) == ("galaxy_server", "installed")]
    assert installed["version"] == "26.10"


def test_every_state_of_galaxys_knows_where_its_environment_is(render):
    low = render(galaxy, host="galaxy")
    by = {f"{chunk['state']}.{chunk['fun']}": chunk for chunk in low}
    for name in ("galaxy_server.installed", "galaxy_server.dependencies_installed"):
        assert by[name]["name"] == "/fast/venv"
    for name in ("galaxy_server.current", "galaxy_server.users_present", "galaxy.job_runs"):
        assert by[name]["venv"] == "/fast/venv"
    assert by["galaxy.job_runs"]["config"] == "/etc/galaxy/galaxy.yml"
    assert "/fast/venv" in by["galaxy.shared_dirs_visible"]["paths"]
