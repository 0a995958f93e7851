"""Ask MUNGE whether it works."""

from typing import Any

from salt.exceptions import CommandExecutionError

__salt__: dict[str, Any]


def check() -> dict[str, str]:
    """
    Encode a credential and decode it again, as every Slurm command does.

    CLI Example:

    .. code-block:: bash

        salt '*' munge.check

    Returns what unmunge says of the credential: STATUS, ENCODE_HOST, CIPHER and the others.
    Raises CommandExecutionError with MUNGE's own words.
    """
    credential = _run(["munge", "--no-input"])
    # The credential goes through standard input: an argument would show in the process list.
    lines = _run(["unmunge"], stdin=credential).splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _run(argv, stdin=None):
    try:
        done = __salt__["cmd.run_all"](
            argv, stdin=stdin, python_shell=False, timeout=10, output_loglevel="quiet"
        )
    except CommandExecutionError as err:
        raise CommandExecutionError(f"{argv[0]} cannot be run: {err}") from err
    if done["retcode"]:
        raise CommandExecutionError(f"{argv[0]}: {done['stderr'] or done['stdout']}")
    return done["stdout"]
