"""
Wait for a running Galaxy, and prove, where that is asked for, that its jobs run through Slurm.

.. code-block:: yaml

    Galaxy takes jobs:
      galaxy.ready:
        - wait: 300

    A job runs through Galaxy and Slurm:
      galaxy.job_runs: []

    Every exec node sees what Galaxy writes:
      galaxy.shared_dirs_visible:
        - paths: [/srv/galaxy/venv, /srv/galaxy/jobs]

The proofs submit jobs, so a formula's own run has none of them: a site includes them, or calls
``state.single``. None of these states changes anything.
"""

from typing import Any

from salt.exceptions import CommandExecutionError, SaltInvocationError

__opts__: dict[str, Any]
__salt__: dict[str, Any]

URL = "http://127.0.0.1:8080"


def ready(
    name: str,
    url: str = URL,
    wait: int = 300,
    handlers: list[str] | None = None,
) -> dict[str, Any]:
    """
    Wait until Galaxy's web server answers and its handlers say that they run.

    name
        A sentence that says so; it has no other meaning.

    url
        Address of Galaxy's web server.

    wait
        Seconds to wait at most.

    handlers
        Names of the handlers' units; default: all.

    Under ``test=True`` it looks once, and a Galaxy that is not ready is not an error yet.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    try:
        found = __salt__["galaxy.ready"](
            url=url, wait=0 if __opts__["test"] else wait, handlers=handlers
        )
    except (CommandExecutionError, SaltInvocationError) as err:
        found = {"ready": False, "problem": str(err)}
    if found["ready"]:
        running = ", ".join(found["handlers"]) or "no handler of its own"
        ret["comment"] = f"Galaxy {found['web']} answers at {url}, with {running}"
    else:
        ret["result"] = None if __opts__["test"] else False
        ret["comment"] = f"Galaxy is not ready: {found['problem']}"
    return ret


def job_runs(
    name: str,
    tool: str | None = None,
    inputs: dict[str, Any] | None = None,
    wait: int = 300,
    url: str = URL,
    key_file: str = "/etc/galaxy/check_user.key",
    config: str = "/etc/galaxy/galaxy.yml",
    venv: str = "/srv/galaxy/venv",
    user: str = "galaxy",
) -> dict[str, Any]:
    """
    Run a job through Galaxy, and prove that Slurm ran it to a good end.

    name
        A sentence that says so; it has no other meaning.

    tool, inputs
        Id and inputs of a tool; default: a line of text is uploaded.

    wait
        Seconds to wait at most for its end.

    url, key_file, config, venv, user
        As for the function ``galaxy.run_job``.

    Nothing is run under ``test=True``.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    if __opts__["test"]:
        ret["comment"] = "No job was run: this is a test run"
        return ret
    try:
        found = __salt__["galaxy.run_job"](
            tool=tool,
            inputs=inputs,
            wait=wait,
            url=url,
            key_file=key_file,
            config=config,
            venv=venv,
            user=user,
        )
    except (CommandExecutionError, SaltInvocationError) as err:
        found = {"ok": False, "problem": str(err)}
    if found["ok"]:
        ret["comment"] = (
            f"Galaxy's job {found['job']} ran as Slurm's job {found['slurm_job']} on "
            f"{found['node']} in {found['seconds']} s"
        )
    else:
        ret["result"] = False
        ret["comment"] = f"No job runs through Galaxy and Slurm: {found['problem']}"
    return ret


def shared_dirs_visible(
    name: str,
    paths: list[str],
    nodes: str | list[str] | None = None,
    user: str = "galaxy",
    wait: int = 60,
    partition: str | None = None,
) -> dict[str, Any]:
    """
    Prove, with a job on every exec node, that it sees the directories as the Galaxy host does.

    name
        A sentence that says so; it has no other meaning.

    paths
        The directories.

    nodes
        Which nodes (hostlist, or list of names); default: all.

    user
        Galaxy's system user.

    wait
        Seconds for which a node's job may wait for its start.

    partition
        Partition of the jobs; default: the default one where it has the node.

    Nothing is run under ``test=True``.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    if __opts__["test"]:
        ret["comment"] = "No job was run: this is a test run"
        return ret
    try:
        found = __salt__["galaxy.shared_dirs"](
            paths, nodes=nodes, user=user, wait=wait, partition=partition
        )
    except (CommandExecutionError, SaltInvocationError) as err:
        found = {"ok": False, "problems": [str(err)]}
    if found["ok"]:
        names = __salt__["slurm.hostlist_fold"](list(found["nodes"]), sort=True)
        ret["comment"] = f"{names} see {', '.join(paths)} as this host does"
    else:
        ret["result"] = False
        problems = found["problems"] or ["Slurm has no node"]
        ret["comment"] = "Not every node sees what Galaxy writes:\n" + "\n".join(problems)
    return ret
