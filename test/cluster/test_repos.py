"""A signed repository of the test's own: taken with its key, refused with any other."""

import json

import pytest
from lab import Lab, name_for_tests
from reports import changed, failed

PORT = 8099
URL = f"http://127.0.0.1:{PORT}"
NAMES = ("site", "stranger")
# What the formula writes for the repository called proof, and what apt makes of it.
TRACES = (
    "cat /etc/apt/sources.list.d/slurm-galaxy-* /etc/apt/keyrings/slurm-galaxy-* 2>/dev/null; "
    f"ls /var/lib/apt/lists | grep {PORT}; true"
)
MAKE = f"""
set -eu
export DEBIAN_FRONTEND=noninteractive GNUPGHOME=/root/keys
apt-get update -qq
apt-get install -qq -y --no-install-recommends gnupg apt-utils >/dev/null
install -d -m 700 $GNUPGHOME
for name in {" ".join(NAMES)}; do
    gpg --batch --quiet --passphrase '' --quick-generate-key $name@lab.test rsa2048 sign never
    gpg --batch --armor --export $name@lab.test >/root/$name.asc
done
mkdir -p /srv/repo /root/proof/DEBIAN
cd /root/proof
printf '%s\\n' 'Package: slurm-galaxy-proof' 'Version: 1.0' 'Architecture: all' \\
    'Maintainer: site <site@lab.test>' 'Description: proof' >DEBIAN/control
dpkg-deb --build . /srv/repo/slurm-galaxy-proof.deb >/dev/null
cd /srv/repo
apt-ftparchive packages . >Packages
apt-ftparchive release . >/root/Release
mv /root/Release .
gpg --batch --local-user site@lab.test --clearsign -o InRelease Release
gpg --batch --local-user site@lab.test --armor --detach-sign -o Release.gpg Release
systemd-run --quiet --unit=repo python3 -m http.server -d /srv/repo {PORT}
until bash -c '</dev/tcp/127.0.0.1/{PORT}' 2>/dev/null; do :; done
"""


class Host:
    """A host that serves the repository to itself."""

    def __init__(self, lab):
        self.lab = lab
        self.sh(MAKE)
        self.keys = {name: self.sh(f"cat /root/{name}.asc") for name in NAMES}
        self.fingerprints = {
            name: next(
                line.split(":")[9]
                for line in self.sh(
                    f"gpg --homedir /root/keys --with-colons --show-keys /root/{name}.asc"
                ).splitlines()
                if line.startswith("fpr:")
            )
            for name in NAMES
        }

    def sh(self, script, check=True):
        """Run a shell script and return what it prints."""
        done = self.lab.exec("single", ["bash", "-c", script], check=check, timeout=600)
        return done.stdout

    def apply(self, repo, *args, sls="slurm_galaxy.repos"):
        """Apply an SLS with one repository of the pillar's."""
        pillar = json.dumps({"slurm_galaxy": {"repos": {"proof": repo}}})
        words = ("state.apply", sls, f"pillar={pillar}", *args)
        return self.lab.salt("*", *words)["single.lab.test"]

    def repo(self, key="site", fingerprint=None):
        """Describe the repository with one of the keys."""
        return {
            "uri": URL,
            "suite": "./",
            "key": self.keys[key],
            "fingerprint": fingerprint or self.fingerprints[key],
        }

    def install(self):
        """Try to install the package, and tell whether it is there."""
        self.sh("apt-get install -y slurm-galaxy-proof", check=False)
        return self.sh("dpkg-query -W -f '${db:Status-Status}' slurm-galaxy-proof", check=False)


@pytest.fixture(
    scope="module",
    params=["bookworm", *(pytest.param(s, marks=pytest.mark.slow) for s in ("trixie", "sid"))],
)
def host(request):
    """Return a fresh host: gpgv judges signatures on Debian 12, sqv on 13 and sid."""
    lab = Lab(name_for_tests(f"repos-{request.param}"), "single", request.param)
    lab.down()
    lab.up(apply=False)
    yield Host(lab)
    lab.down()


@pytest.mark.parametrize("test", ["True", "False"])
def test_a_key_with_another_fingerprint_is_refused_before_anything_is_written(host, test):
    repo = host.repo("stranger", host.fingerprints["site"])
    (said, *others) = failed(host.apply(repo, f"test={test}"))
    assert (
        f"its fingerprint is {host.fingerprints['stranger']}, "
        f"and {host.fingerprints['site']} was expected"
    ) in said
    assert all("requisite failed" in other for other in others)
    assert host.sh(TRACES) == ""


def test_a_second_key_beside_the_pinned_one_is_refused(host):
    repo = host.repo() | {"key": host.keys["site"] + host.keys["stranger"]}
    assert "was not trusted: its fingerprint is" in failed(host.apply(repo))[0]
    assert host.sh(TRACES) == ""


def test_a_test_run_tells_of_all_three_and_writes_none(host):
    states = host.apply(host.repo(), "test=True")
    assert failed(states) == []
    assert len(changed(states)) == 3
    assert host.sh(TRACES) == ""


def test_a_repository_that_another_key_has_signed_is_refused_each_time(host):
    for _ in range(2):
        said = failed(host.apply(host.repo("stranger"), sls="slurm_galaxy"))
        assert (
            "apt trusts the repository proof: Nothing is installed from this repository: its "
            "signature is none of the key that is pinned for it. apt says: "
        ) in said[0]
        assert any(one.startswith("MUNGE is installed: ") for one in said)
        assert host.sh(f"ls /var/lib/apt/lists | grep {PORT}; true") == ""
    assert host.install() == ""
    assert host.sh("command -v munged; true") == ""


def test_with_its_key_the_repository_is_trusted(host):
    assert failed(host.apply(host.repo())) == []
    again = host.apply(host.repo())
    assert failed(again) + changed(again) == []
    assert failed(host.apply(host.repo(), "test=True")) == []
    assert changed(host.apply(host.repo(), "test=True")) == []
    assert host.install() == "installed"


def test_another_key_on_a_converged_host_ends_the_trust(host):
    host.sh("apt-get purge -y slurm-galaxy-proof")
    for _ in range(2):
        assert "its signature is none of the key" in failed(host.apply(host.repo("stranger")))[0]
    assert "slurm-galaxy-proof" not in host.sh("apt-cache pkgnames")
    assert host.install() == ""


def test_a_changed_package_list_under_an_old_signature_is_refused(host):
    host.sh("cd /srv/repo && cp Packages /root && sed -i s/1.0/2.0/ Packages")
    said = failed(host.apply(host.repo()))
    host.sh("mv /root/Packages /srv/repo/Packages")
    assert "Nothing is installed from this repository: it cannot be fetched. apt says" in said[0]
    assert host.install() == ""


def test_without_a_signature_it_takes_the_word_unsigned(host):
    host.sh("cd /srv/repo && mkdir /root/signed && mv InRelease Release.gpg /root/signed")
    said = failed(host.apply(host.repo()))
    assert "its signature is none of the key" in said[0]
    states = host.apply({"uri": URL, "suite": "./", "signed": False}, sls="slurm_galaxy.repos")
    assert failed(states) == []
    assert host.install() == "installed"
    host.sh("mv /root/signed/* /srv/repo")


def test_a_formula_without_repositories_adds_none(host):
    assert failed(host.lab.salt("*", "state.apply", "slurm_galaxy")["single.lab.test"]) == []
