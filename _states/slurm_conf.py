"""
Keep Slurm's configuration files as the pillar has them.

.. code-block:: yaml

    Slurm's configuration is in place:
      slurm_conf.managed:
        - name: /etc/slurm
        - files:
            slurm.conf:
              settings: {ClusterName: galaxy, SlurmctldHost: [head]}
              nodes: [{NodeName: 'node[1-2]', CPUs: 2}]
              partitions: [{PartitionName: main, Nodes: ALL, Default: true}]
            cgroup.conf:
              settings: {}
"""

from typing import Any

__salt__: dict[str, Any]
__states__: dict[str, Any]


def managed(name: str, files: dict[str, Any]) -> dict[str, Any]:
    """
    Write the set of files, each owned by root and readable by all.

    name
        The configuration directory, which exists.

    files
        File name to what ``slurm_conf.render`` takes: ``settings``, ``nodes``, ``partitions``.

    The first file that cannot be written ends the state. Source of the modes: slurm.conf(5),
    FILE AND DIRECTORY PERMISSIONS.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": True, "comment": ""}
    comments = []
    for filename, data in files.items():
        path = f"{name}/{filename}"
        written = __states__["file.managed"](
            path,
            contents=__salt__["slurm_conf.render"](**data),
            user="root",
            group="root",
            mode="0644",
        )
        if written["changes"]:
            ret["changes"][path] = written["changes"]
        said = written["comment"]
        comments.append(said if path in said else f"{path}: {said}")
        if written["result"] is not True:
            ret["result"] = written["result"]
        if written["result"] is False:
            break
    ret["comment"] = "\n".join(comments)
    return ret
