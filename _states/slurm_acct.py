"""
Bring Slurm's accounting to what is wanted: QOS, accounts, users and their limits.

.. code-block:: yaml

    Accounts, users and limits are as the pillar has them:
      slurm_acct.managed:
        - name: galaxy
        - qos:
            high: {Priority: 100, MaxTRESPerUser: {cpu: 4}}
        - accounts:
            physics: {Description: the physics lab, QOS: [normal, high]}
        - users:
            ada: {DefaultAccount: physics, accounts: {physics: {MaxJobs: 5}}}
        - absent: {users: [bob]}
        - wait: 60
"""

import time
from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

__opts__: dict[str, Any]
__salt__: dict[str, Any]

POLL = 0.5  # seconds
NOW = "Accounting is as wanted"


def managed(
    name: str,
    qos: dict[str, Any] | None = None,
    accounts: dict[str, Any] | None = None,
    users: dict[str, Any] | None = None,
    absent: dict[str, Any] | None = None,
    wait: int = 60,
) -> dict[str, Any]:
    """
    Add and change QOS, accounts and users, and remove what is named as absent.

    name
        The cluster, as ClusterName has it.

    qos
        QOS to its parameters. Slurm's QOS belong to every cluster of the slurmdbd.

    accounts
        Account to its parameters, Parent among them; without one, a new account is below root.

    users
        User to DefaultAccount, AdminLevel and accounts: the accounts that the user is in, each with
        its limits; ``account:partition`` is for one partition.

    absent
        Names below users, accounts and qos, and below associations, the accounts of each user.

    wait
        Seconds to wait until slurmdbd answers and has the cluster.

    What exists and is not mentioned is left alone. The whole is checked before anything is changed:
    a wrong value, a name that leads nowhere, and a removal while jobs are in the queue are each one
    sentence, and then nothing is changed. Source: sacctmgr(1).
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": False, "comment": ""}
    wanted = {"qos": qos, "accounts": accounts, "users": users}
    try:
        problems = __salt__["slurm_acct.check"](wanted, absent)["problems"]
        current = None if problems else _current(name, wait)
        plan = {"problems": problems}
        if current:
            plan = __salt__["slurm_acct.plan"](wanted, current, absent)
        problems = plan["problems"]
        if not problems and plan["removals"]:
            jobs = __salt__["slurm.squeue"]()
            problems = __salt__["slurm_acct.jobs_of"](plan["removals"], jobs)
        if problems:
            ret["comment"] = "Nothing was changed: " + "\n".join(problems)
            return ret
        if not plan["changes"]:
            ret["result"], ret["comment"] = True, NOW
            return ret
        count = len(plan["changes"])
        if __opts__["test"]:
            ret.update(result=None, changes=plan["changes"])
            ret["comment"] = f"{count} of QOS, accounts and users would be changed"
            return ret
        try:
            __salt__["slurm_acct.apply"](plan["steps"])
        finally:
            left = __salt__["slurm_acct.plan"](wanted, __salt__["slurm_acct.read"](name), absent)
            ret["changes"] = _made(plan["changes"], left["changes"])
        if left["changes"]:
            raise CommandExecutionError(
                f"slurmdbd took the orders, and still differs in {', '.join(left['changes'])}"
            )
        ret["result"] = True
        ret["comment"] = f"{count} of QOS, accounts and users were changed"
    except (CommandExecutionError, SaltInvocationError) as err:
        # Under test=True an earlier state of the run may be what installs and starts slurmdbd.
        ret["result"] = None if __opts__["test"] else False
        ret["comment"] = str(err)
    return ret


def database_present(name: str, user: str = "slurm") -> dict[str, Any]:
    """
    Make slurmdbd's database on this host, and an account that logs in by MariaDB's socket.

    name
        The database, as StorageLoc has it.

    user
        The account of this host, and of MariaDB, that owns it; it has no password.

    A database that is there keeps what it holds. Less room on its disk than MariaDB needs to go on
    is a failure, before anything is changed. Source: accounting.html, MySQL configuration;
    MariaDB, Authentication Plugin - Unix Socket.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": False, "comment": ""}
    try:
        found = __salt__["slurm_acct.database"](name, user)
        if not found["answers"] and __opts__["test"]:
            ret["result"] = None
            ret["comment"] = f"{name} would be made if it is not there: {found['said']}"
            return ret
        if not found["answers"]:
            raise CommandExecutionError(f"MariaDB: {found['said']}; see: journalctl -u mariadb")
        if found["present"]:
            ret["result"], ret["comment"] = True, f"{user} has the database {name}"
            return ret
        ret["changes"] = {name: {"old": None, "new": f"of {user}, by MariaDB's socket"}}
        if __opts__["test"]:
            ret["result"], ret["comment"] = None, f"{user} would get the database {name}"
            return ret
        __salt__["slurm_acct.create_database"](name, user)
        ret["result"], ret["comment"] = True, f"{user} got the database {name}"
    except (CommandExecutionError, SaltInvocationError) as err:
        ret["changes"] = {}
        ret["comment"] = str(err)
    return ret


def qos_present(name: str, cluster: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """
    Add a QOS, or change its parameters.

    name
        The QOS.

    cluster
        A cluster of the slurmdbd.

    settings
        Its parameters, as below ``qos`` of :py:func:`managed`.
    """
    return {**managed(cluster, qos={name: settings}), "name": name}


def qos_absent(name: str, cluster: str) -> dict[str, Any]:
    """
    Remove a QOS that no job in the queue has.

    name
        The QOS.

    cluster
        A cluster of the slurmdbd.
    """
    return {**managed(cluster, absent={"qos": [name]}), "name": name}


def account_present(
    name: str, cluster: str, settings: dict[str, Any] | None = None
) -> dict[str, Any]:
    """
    Add an account, or change its parameters.

    name
        The account.

    cluster
        The cluster.

    settings
        Its parameters, as below ``accounts`` of :py:func:`managed`.
    """
    return {**managed(cluster, accounts={name: settings}), "name": name}


def account_absent(name: str, cluster: str) -> dict[str, Any]:
    """
    Remove an account that no job in the queue has, and that is nobody's default.

    name
        The account.

    cluster
        The cluster.
    """
    return {**managed(cluster, absent={"accounts": [name]}), "name": name}


def user_present(name: str, cluster: str, settings: dict[str, Any]) -> dict[str, Any]:
    """
    Add a user to accounts, or change limits.

    name
        The user.

    cluster
        The cluster.

    settings
        Parameters, as below ``users`` of :py:func:`managed`.
    """
    return {**managed(cluster, users={name: settings}), "name": name}


def user_absent(name: str, cluster: str) -> dict[str, Any]:
    """
    Remove a user who has no job in the queue, from every account.

    name
        The user.

    cluster
        The cluster.
    """
    return {**managed(cluster, absent={"users": [name]}), "name": name}


def _current(cluster, wait):
    """Read what there is; wait for slurmdbd, and for slurmctld to register the cluster there."""
    deadline = time.monotonic() + (0 if __opts__["test"] else wait)
    while True:
        try:
            return __salt__["slurm_acct.read"](cluster)
        except CommandExecutionError as err:
            if time.monotonic() >= deadline:
                late = "" if __opts__["test"] else f"Not after {wait} seconds: "
                raise CommandExecutionError(f"{late}{err}") from err
        time.sleep(POLL)


def _made(planned, left):
    """Keep of the planned changes what is no longer missing."""
    made = {}
    for entity, change in planned.items():
        rest = left.get(entity, {})
        if "old" in change and "new" in change:  # a whole entity was added or removed
            if "old" not in rest or (change["old"] is None and rest["old"] is not None):
                made[entity] = change
            continue
        kept = {} if "old" in rest else {k: v for k, v in change.items() if k not in rest}
        if kept:
            made[entity] = kept
    return made
