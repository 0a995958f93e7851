"""Role dbd on real hosts: slurmdbd and MariaDB, from a fresh host to every fault of theirs."""

import json
import time

import pytest
from engine import wait_for
from reports import changed, failed, state

CONF = "/etc/slurm/slurmdbd.conf"
USER = "games"  # an ordinary user that every host has; 26.05 finds no association for nobody
RECORDS = ["sacct", "--noheader", "--parsable2", "--allocations"]


def apply(cluster, dbd=None, test=False, wait=30):
    """Apply the formula to the dbd host; return what it reports."""
    override = json.dumps({"slurm_galaxy": {"slurm": {"wait": wait, "dbd": dbd or {}}}})
    words = ("state.apply", "slurm_galaxy", f"pillar={override}", f"test={test}")
    return cluster.salt("head.lab.test", *words)["head.lab.test"]


def remote(cluster, password, given):
    """Make an account with a password, and the pillar that logs in to it over TCP."""
    sql = (
        f"CREATE OR REPLACE USER acct@'%' IDENTIFIED BY '{password}';"
        "GRANT ALL ON slurm_acct_db.* TO acct@'%'"
    )
    cluster.exec("head", ["mariadb", f"--execute={sql}"])
    return {
        "database": {"managed": False, "host": "127.0.0.1", "user": "acct", "password": given},
    }


def submit(cluster, seconds=0):
    """Submit a job as an ordinary user; return its id."""
    argv = ["runuser", "-u", USER, "--", "sbatch", "--parsable", "--chdir=/tmp"]
    wrap = f"--wrap=sleep {seconds}"
    return cluster.exec("head", [*argv, "--output=/dev/null", wrap]).stdout.strip()


def recorded(cluster, job, host="head"):
    """Return the state that accounting has of a job, as the user sees it."""
    argv = ["runuser", "-u", USER, "--", *RECORDS, f"--jobs={job}", "--format=State"]
    return cluster.exec(host, argv, check=False).stdout.strip()


def gone(cluster, *jobs):
    """Tell whether slurmctld has ended these jobs."""
    argv = ["squeue", "--noheader", f"--jobs={','.join(jobs)}", "--format=%T"]
    return cluster.exec("head", argv, check=False).stdout == ""


def since(cluster, unit):
    """Return when a unit was started, in microseconds since the boot."""
    name = "ExecMainStartTimestampMonotonic"
    shown = cluster.exec("head", ["systemctl", "show", "--value", f"--property={name}", unit])
    return int(shown.stdout)


@pytest.fixture
def converged(cluster):
    """Leave the dbd host as the formula makes it."""
    yield
    assert failed(apply(cluster)) == []
    assert changed(apply(cluster)) == []


def test_slurmdbd_is_ready_before_slurmctld_starts(cluster):
    # slurmctld writes this once it has told slurmdbd of its cluster, and an error if it can't.
    log = cluster.exec("head", ["cat", "/var/log/slurm/slurmctld.log"]).stdout
    assert "slurmdbd" not in "".join(line for line in log.splitlines() if "error:" in line)
    assert since(cluster, "mariadb") < since(cluster, "slurmdbd") < since(cluster, "slurmctld")


def test_the_cluster_is_registered_under_its_own_name(cluster):
    shown = cluster.exec("head", ["sacctmgr", "-nP", "show", "cluster", "format=Cluster"])
    assert shown.stdout.split() == ["lab"]


def test_the_configuration_is_slurms_alone_and_holds_no_password(cluster):
    found = cluster.exec("head", ["stat", "--format=%a %U %G", CONF]).stdout.strip()
    assert found == "600 slurm slurm"
    assert "StoragePass" not in cluster.exec("head", ["cat", CONF]).stdout
    assert cluster.exec("node1", ["ls", CONF], check=False).returncode != 0


def test_slurm_logs_in_by_the_socket_and_nobody_else_does(cluster):
    query = ["mariadb", "--batch", "--execute=SELECT 1", "slurm_acct_db"]
    for user, works in (("slurm", True), (USER, False)):
        done = cluster.exec("head", ["runuser", "-u", user, "--", *query], check=False)
        assert (done.returncode == 0) is works, done.stderr
    as_slurm = ["runuser", "-u", USER, "--", *query[:1], "--user=slurm", *query[1:]]
    assert "Access denied" in cluster.exec("head", as_slurm, check=False).stderr


def test_mariadb_has_what_slurm_asks_of_it(cluster):
    names = ("innodb_buffer_pool_size", "innodb_lock_wait_timeout", "max_allowed_packet")
    query = "SELECT " + ", ".join(f"@@{name}" for name in names)
    shown = cluster.exec("head", ["mariadb", "-BN", f"--execute={query}"]).stdout.split()
    assert shown == [str(4 * 2**30), "900", str(16 * 2**20)]
    log = cluster.exec("head", ["cat", "/var/log/slurm/slurmdbd.log"]).stdout
    assert "not recommended values" not in log


@pytest.mark.parametrize("host", ["head", "node1"])
def test_an_ordinary_user_reads_a_jobs_record(cluster, host):
    job = submit(cluster)
    wait_for("the record is complete", lambda: recorded(cluster, job, host) == "COMPLETED")


def test_a_minute_without_slurmdbd_loses_no_record(cluster, converged):
    cluster.exec("head", ["systemctl", "stop", "slurmdbd"])
    stopped, jobs = time.monotonic(), [submit(cluster, 50)]
    while time.monotonic() < stopped + 60:
        jobs.append(submit(cluster, 3))
        wait_for("a job ends without slurmdbd", lambda: gone(cluster, jobs[-1]))
    wait_for("the long one ends as well", lambda: gone(cluster, jobs[0]))
    assert len(jobs) > 3
    done = apply(cluster)
    assert failed(done) == []
    assert state(done, "slurmdbd is running")["changes"] == {"slurmdbd": True}
    everyone = ",".join(jobs)
    whole = ["COMPLETED"] * len(jobs)
    wait_for("all are on record", lambda: recorded(cluster, everyone).split() == whole)


def test_a_running_slurmctld_takes_its_configuration_without_slurmdbd(cluster, converged):
    # As on a controller of its own: the host of slurmdbd is away.
    cluster.exec("head", ["systemctl", "stop", "slurmdbd"])
    words = ("state.single", "slurm.accounting_up", "name=head", "wait=60", "unit=slurmctld")
    (told,) = cluster.salt("head.lab.test", *words)["head.lab.test"].values()
    assert (told["result"], told["changes"]) == (True, {})
    (warning,) = told["warnings"]
    assert warning.startswith("slurmdbd on head, port 6819, does not answer: Connection refused;")
    assert "slurmctld keeps the records meanwhile" in warning


def test_mariadb_restarted_goes_on(cluster, converged):
    before = since(cluster, "slurmdbd")
    cluster.exec("head", ["systemctl", "restart", "mariadb"])
    job = submit(cluster)
    wait_for("the record is complete", lambda: recorded(cluster, job) == "COMPLETED")
    assert changed(apply(cluster)) == []
    assert since(cluster, "slurmdbd") == before


def test_mariadb_stopped_is_started(cluster, converged):
    cluster.exec("head", ["systemctl", "stop", "mariadb"])
    done = apply(cluster)
    assert failed(done) == []
    assert [line.split(":")[0] for line in changed(done)] == ["MariaDB is running"]


def test_a_full_disk_of_mariadb_is_one_sentence_and_then_heals(cluster, converged):
    data, fill = "/var/lib/mysql", "/var/lib/mysql/fill"
    cluster.exec(
        "head",
        [
            "sh", "-ec",
            "systemctl stop mariadb; mkdir /root/full; cp -a $0/. /root/full;"
            "mount -t tmpfs -o size=400m,mode=755 tmpfs $0; chown mysql: $0; cp -a /root/full/. $0;"
            "systemctl start mariadb; fallocate -l $(df --output=avail -B1 $0 | tail -n1) $1",
            data, fill,
        ],
    )  # fmt: skip
    try:
        state_id = "The slurm account has its database, and logs in by its socket"
        for test in (True, False):
            told = state(apply(cluster, test=test), state_id)
            assert (told["result"], told["changes"]) == (False, {})
            assert told["comment"].startswith("there is no room in /var/lib/mysql/ for MariaDB")
        cluster.exec("head", ["rm", fill])
        assert failed(apply(cluster)) == []
        job = submit(cluster)
        wait_for("the record is complete", lambda: recorded(cluster, job) == "COMPLETED")
    finally:
        script = (
            "systemctl stop mariadb; rm -rf /root/full/*; rm -f $0/fill; cp -a $0/. /root/full;"
            "umount $0; find $0 -mindepth 1 -delete; cp -a /root/full/. $0; rm -r /root/full;"
            "systemctl start mariadb"
        )
        cluster.exec("head", ["sh", "-ec", script, data])


def test_a_wrong_password_is_one_sentence_and_the_old_login_stays(cluster, converged):
    before = cluster.exec("head", ["cat", CONF]).stdout
    wrong = remote(cluster, "r1ght-One", "wr0ng-One")
    done = apply(cluster, wrong, wait=15)
    told = state(done, "slurmdbd runs with its configuration")
    assert told["result"] is False
    assert "1045 Access denied for user 'acct'@" in told["comment"]
    assert f"its last good files are back, and slurmdbd runs with them: {CONF}" in told["comment"]
    assert cluster.exec("head", ["cat", CONF]).stdout == before
    assert "wr0ng-One" not in json.dumps(done)
    right = remote(cluster, "r1ght-One", "r1ght-One")
    done = apply(cluster, right)
    assert failed(done) == []
    assert "r1ght-One" not in json.dumps(done)
    assert changed(apply(cluster, right)) == []
    job = submit(cluster)
    wait_for("the record is complete", lambda: recorded(cluster, job) == "COMPLETED")


def test_a_wrong_password_of_a_fresh_slurmdbd_is_its_own_words(cluster, converged):
    purge = f"apt-get -qq -y purge slurmdbd; rm -f {CONF}"
    cluster.exec("head", ["sh", "-ec", purge])
    done = apply(cluster, remote(cluster, "r1ght-One", "wr0ng-One"), wait=15)
    assert failed(done) != []
    assert "1045 Access denied for user 'acct'@" in "".join(failed(done))


def test_a_configuration_that_others_can_read_is_one_sentence_and_then_heals(cluster, converged):
    cluster.exec("head", ["chmod", "0644", CONF])
    words = ("slurm_daemon.bring", "slurmdbd", "restart", "wait=20")
    told = cluster.salt("head.lab.test", *words)["head.lab.test"]
    assert "should be 600 is 644 accessible for group or others" in told
    assert "\n" not in told
    done = apply(cluster)
    assert failed(done) == []
    assert state(done, "Slurm's configuration is in place")["changes"] == {CONF: {"mode": "0600"}}


def test_a_changed_parameter_restarts_slurmdbd_and_nothing_else(cluster, converged):
    others = ("mariadb", "slurmctld", "munge")
    before = {unit: since(cluster, unit) for unit in (*others, "slurmdbd")}
    dbd = {"config": {"DebugLevel": "verbose"}}
    planned, done = apply(cluster, dbd, test=True), apply(cluster, dbd)
    assert failed(done) == []
    ids = ["Slurm's configuration is in place", "slurmdbd runs with its configuration"]
    for run in (planned, done):
        assert [line.split(":")[0] for line in changed(run)] == ids
    after = {unit: since(cluster, unit) for unit in before}
    assert {unit for unit in before if after[unit] != before[unit]} == {"slurmdbd"}


def test_a_wrong_parameter_changes_nothing(cluster, converged):
    before = since(cluster, "slurmdbd"), cluster.exec("head", ["cat", CONF]).stdout
    done = apply(cluster, {"config": {"PurgeJobAftr": "12months"}})
    told = state(done, "Slurm's configuration is in place")
    assert (told["result"], told["changes"]) == (False, {})
    assert "slurmdbd.conf" in told["comment"]
    assert "PurgeJobAfter" in told["comment"]
    assert (since(cluster, "slurmdbd"), cluster.exec("head", ["cat", CONF]).stdout) == before
