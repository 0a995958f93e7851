"""
Keep Galaxy's job configuration valid: a mistake changes nothing and is told with its line.

.. code-block:: yaml

    Galaxy's job configuration is in place:
      galaxy_jobconf.managed:
        - name: /etc/galaxy/job_conf.yml
        - conf:
            runners:
              local: {load: 'galaxy.jobs.runners.local:LocalJobRunner', workers: 4}
              slurm: {load: 'galaxy.jobs.runners.slurm:SlurmJobRunner'}
            execution:
              default: slurm
              environments:
                slurm: {runner: slurm, native_specification: '--partition=main --mem=4000'}
                local: {runner: local}
        - venv: /srv/galaxy/venv
        - check_cluster: True

    The job configuration that somebody else writes is valid:
      galaxy_jobconf.valid:
        - name: /srv/galaxy/config/job_conf.xml
"""

import pathlib
import re
from typing import Any

import yaml
from salt.exceptions import CommandExecutionError, SaltInvocationError

__opts__: dict[str, Any]
__salt__: dict[str, Any]
__states__: dict[str, Any]

# Parameters of runners and destinations whose values must not reach a diff.
SECRET = re.compile(
    r"amqp_url|message_queue_url|password|secret|private_token|relay_username|\bkey\b|token", re.I
)


def valid(
    name: str,
    format: str | None = None,
    ignore: list[str] | None = None,
    venv: str | None = None,
    user: str = "galaxy",
    config: str | None = None,
    check_cluster: bool = False,
) -> dict[str, Any]:
    """
    Fail when a job configuration has errors; never change anything.

    name
        Path of a job_conf.yml, job_conf.xml or galaxy.yml.

    format, ignore, venv, user, config
        As for ``galaxy_jobconf.validate``: yaml or xml; codes to leave out; Galaxy's virtual
        environment, whose parser is asked too; the user that Galaxy runs as; path of galaxy.yml.

    check_cluster
        Hold the destinations against the running Slurm as well (boolean).
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": False, "comment": ""}
    try:
        findings, notes = _judge(name, None, format, ignore, venv, user, config, check_cluster)
    except (CommandExecutionError, SaltInvocationError) as error:
        ret["comment"] = f"{name} was not checked: {error}"
        return ret
    errors = _count(findings, "error")
    ret["result"] = not errors
    verdict = f"{name} has {_many(errors, 'error')}" if errors else f"{name} is valid"
    ret["comment"] = _block([verdict, *notes], findings)
    return ret


def managed(
    name: str,
    conf: dict[str, Any] | None = None,
    source: str | None = None,
    contents: str | None = None,
    format: str | None = None,
    template: str | None = None,
    context: dict[str, Any] | None = None,
    ignore: list[str] | None = None,
    venv: str | None = None,
    user: str = "galaxy",
    config: str | None = None,
    check_cluster: bool = False,
    mode: str = "0640",
) -> dict[str, Any]:
    """
    Write a job configuration that has no error; leave the file as it is when there is one.

    name
        Path of the file, whose directory exists. Galaxy reads it as XML when the path contains
        ``.xml``.

    conf, source, contents
        One of: a mapping in Galaxy's YAML structure, rendered in the file's format; a ``salt://``
        file; the text itself.

    format
        ``yaml`` or ``xml``; default: by the path, as Galaxy does.

    template, context
        The renderer of ``source`` (such as ``jinja``) and its variables.

    ignore, venv, config, check_cluster
        As for ``valid``.

    user
        The user that Galaxy runs as; the file is root's, readable by this user's group.

    mode
        The file's mode. A configuration may hold passwords, so others cannot read it.

    Source: galaxy/jobs/__init__.py, JobConfiguration: what Galaxy reads first.
    """
    ret: dict[str, Any] = {"name": name, "changes": {}, "result": False, "comment": ""}
    try:
        text = _candidate(name, conf, source, contents, format, template, context)
        account = __salt__["user.info"](user)
        if not account and not __opts__["test"]:
            raise CommandExecutionError(f'there is no user "{user}", who must read it')
        if not account or (venv and __opts__["test"] and not pathlib.Path(venv).exists()):
            venv, check_cluster = None, False  # what the same run will make cannot judge yet
        findings, notes = _judge(name, text, format, ignore, venv, user, config, check_cluster)
    except (CommandExecutionError, SaltInvocationError) as error:
        ret["comment"] = f"{name} was not written: {error}"
        return ret
    errors = _count(findings, "error")
    if errors:
        verdict = f"{name} was not written, it would have {_many(errors, 'error')}"
        ret["comment"] = _block([verdict, *notes], findings)
        return ret
    if not account:
        ret.update(result=None, comment=_block([f"{name} would be written", *notes], findings))
        ret["changes"] = {name: "new"}
        return ret
    group = __salt__["file.gid_to_group"](account["gid"])
    written = __states__["file.managed"](
        name,
        contents=text,
        user="root",
        group=group,
        mode=mode,
        show_changes=not SECRET.search(text),
    )
    ret.update(changes=written["changes"], result=written["result"])
    if written["result"] and not __opts__["test"]:
        readable = __salt__["cmd.retcode"](
            ["test", "-r", name], runas=user, cwd="/", python_shell=False, ignore_retcode=True
        )
        if readable != 0:
            ret["result"] = False
            notes = [f"{user} cannot read it: look at the modes of the directories", *notes]
    ret["comment"] = _block([written["comment"], *notes], findings)
    stale = _read_first(name, config)
    if stale:
        ret["warnings"] = [stale]
    return ret


def _candidate(name, conf, source, contents, format, template, context):
    """Return the text that the file would get."""
    if sum(given is not None for given in (conf, source, contents)) != 1:
        raise SaltInvocationError("give exactly one of conf, source and contents")
    if conf is not None:
        return __salt__["galaxy_jobconf.render"](
            conf, format or ("xml" if ".xml" in name else "yaml")
        )
    if contents is not None:
        if not isinstance(contents, str):
            raise SaltInvocationError("contents is no string; a mapping belongs into conf")
        return contents if contents.endswith("\n") else contents + "\n"
    if template is None:
        text = __salt__["cp.get_file_str"](source)
    else:
        path = __salt__["cp.get_template"](source, "", template=template, **(context or {}))
        text = path and pathlib.Path(path).read_text(encoding="utf-8")
    if not isinstance(text, str):
        raise CommandExecutionError(f"the source {source} cannot be fetched")
    return text


def _judge(name, text, format, ignore, venv, user, config, check_cluster):
    """Return the findings of all judges, and what was not checked, as sentences."""
    findings = __salt__["galaxy_jobconf.validate"](
        path=name,
        text=text,
        format=format,
        ignore=ignore or (),
        venv=venv,
        user=user,
        config=config,
    )
    if not check_cluster or _count(findings, "error"):
        return findings, []
    answer = __salt__["galaxy_jobconf.check_cluster"](
        path=name, text=text, format=format, user=user
    )
    findings += [each for each in answer["findings"] if each["code"] not in (ignore or ())]
    notes = [f"checked with Slurm: {', '.join(map(str, answer['checked'])) or 'nothing'}"]
    notes += [
        f"not checked with Slurm: {each['id']} ({each['why']})" for each in answer["not_checked"]
    ]
    return findings, notes


def _read_first(name, config):
    """Return a sentence when Galaxy would read something else than this file, or None."""
    path = pathlib.Path(name)
    settings: dict[str, Any] = {}
    if config and pathlib.Path(config).is_file():
        try:
            loaded = yaml.safe_load(pathlib.Path(config).read_text(encoding="utf-8"))
            settings = loaded.get("galaxy") or {}
        except (OSError, ValueError, AttributeError, yaml.YAMLError):
            settings = {}
    if "job_config" in settings:
        return f"{config} has job_config inline, so Galaxy does not read {name}: remove it there"
    named = settings.get("job_config_file")
    if named:
        if pathlib.Path(config).parent / str(named) == path:
            return None
        return f"{config} names {named} as job_config_file, so Galaxy does not read {name}"
    sibling = path.with_name("job_conf.yml")
    if path.name == "job_conf.xml" and sibling.exists():
        return f"{sibling} exists, and Galaxy reads it before {name}: remove it"
    return None


def _count(findings, level):
    return sum(finding["level"] == level for finding in findings)


def _many(count, word):
    return f"{count} {word}{'s' if count != 1 else ''}"


def _block(sentences, findings):
    """Return sentences, and below them one line for each finding."""
    lines = [
        f"  {each['level']} {each['code']}, {each['file']} line {each['line']}, column "
        f"{each['column']}{'' if each['judge'] == 'rules' else ' (' + each['judge'] + ')'}: "
        f"{each['message']}"
        for each in sorted(findings, key=lambda each: each["level"])
    ]
    return "\n".join([*sentences, *lines])
