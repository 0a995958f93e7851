"""Render Slurm's configuration files from data."""

from typing import Any

HEADER = "# Managed by Salt (slurm_galaxy): change the pillar, not this file.\n"

# slurm.conf(5): parameters that are given once for each of their values.
REPEATED = frozenset({"slurmctldhost"})


def render(
    settings: dict[str, Any],
    nodes: list[dict[str, Any]] | None = None,
    partitions: list[dict[str, Any]] | None = None,
) -> str:
    """
    Render one of Slurm's files.

    CLI Example:

    .. code-block:: bash

        salt-call --local slurm_conf.render '{ClusterName: galaxy}' '[{NodeName: "n[1-2]"}]'

    settings
        Parameter to value. True and False become YES and NO, a list becomes its items joined by
        commas (or a line each, for SlurmctldHost), None leaves the parameter out.

    nodes, partitions
        Mappings for the lines that begin with NodeName and PartitionName, in this order, those
        named DEFAULT first.

    Returns the text of the file. Source: slurm.conf(5), DESCRIPTION.
    """
    lines = [HEADER]
    for key in sorted(settings, key=str.lower):
        value = settings[key]
        repeated = key.lower() in REPEATED and isinstance(value, list)
        lines += [
            f"{key}={_text(item)}\n"
            for item in (value if repeated else [value])
            if item is not None
        ]
    for first, entries in (("NodeName", nodes), ("PartitionName", partitions)):
        lines += sorted(
            (_line(first, entry) for entry in entries or []),
            key=lambda line: line.split()[0].upper() != f"{first}=DEFAULT".upper(),
        )
    return "".join(lines)


def _line(first, entry):
    """Render a mapping as one line that begins with its name."""
    name = next(key for key in entry if key.lower() == first.lower())
    others = sorted((key for key in entry if key != name), key=str.lower)
    pairs = [(first, entry[name])] + [(key, entry[key]) for key in others]
    return " ".join(f"{key}={_text(value)}" for key, value in pairs if value is not None) + "\n"


def _text(value):
    """Render a value, quoted where it holds a space; an unquoted # would begin a comment."""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    text = str(value).replace("#", r"\#")
    return f'"{text}"' if any(char.isspace() for char in text) else text
