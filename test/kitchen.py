"""What Test Kitchen and kitchen-salt would do with kitchen.yml, where no Ruby gem can be had."""

from __future__ import annotations

import difflib
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from host import merge
from loading import TREE

CONFIG: dict[str, Any] = yaml.safe_load((TREE / "kitchen.yml").read_text())
ROOT = "/tmp/kitchen"  # noqa: S108 # Test Kitchen's own default, on a host of its own
PLATFORMS = ["debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "rockylinux-9"]

# The documented options of each plugin by type: kitchen-salt 0.7.2 (docs/provisioner_options.md),
# kitchen-docker 3.2 (README), Test Kitchen 4.1 (lib/kitchen/verifier/shell.rb).
OPTIONS: dict[str, dict[type, str]] = {
    "provisioner": {
        bool: """
            dry_run is_file_root state_top_from_file pip_editable install_after_init_environment
            require_chef run_salt_call salt_force_color
            """,
        str: """
            formula state_collection local_salt_root log_level salt_env vendor_path pillar_env
            salt_install salt_version salt_bootstrap_url salt_bootstrap_options salt_apt_repo
            salt_apt_repo_key salt_ppa salt_yum_rpm_key salt_yum_repo salt_yum_repo_key
            salt_yum_repo_latest pip_pkg pip_index_url pip_bin gpg_home gpg_key init_environment
            bootstrap_url chef_bootstrap_url pre_salt_command salt_call_command salt_config
            salt_minion_config salt_minion_config_template salt_minion_id salt_file_root
            salt_pillar_root salt_state_top
            """,
        list: """
            vendor_repo dependencies pillars_from_directories pip_extra_index_url salt_copy_filter
            salt_minion_config_dropin_files
            """,
        dict: "remote_states state_top grains pillars pillars_from_files salt_minion_extra_config",
    },
    "driver": {
        bool: """
            disable_upstart use_cache use_sudo remove_images privileged publish_all build_context
            use_internal_docker_network
            """,
        str: """
            binary socket image isolation platform run_command hostname dockerfile instance_name
            docker_platform build_tempdir http_proxy https_proxy provision_command
            """,
        int: "memory cpu",
        list: """
            volume volumes_from mount tmpfs dns forward cap_add cap_drop security_opt links devices
            """,
        dict: "env_variables build_options run_options",
    },
    "verifier": {bool: "remote_exec", str: "command", int: "sleep", dict: "shellout_opts"},
}
PLUGINS = {"provisioner": "salt_solo", "driver": "docker", "verifier": "shell"}
# kitchen-salt 0.7.2: lib/kitchen-salt/states.rb
DYNAMIC = "_modules _states _grains _renderers _returners _runners _utils".split()


def section(config: dict[str, Any], name: str, platform: str, suite: str) -> dict[str, Any]:
    """Return one plugin's options for an instance: common, platform, suite, the last one wins."""
    options = config.get(name, {})
    for kind, wanted in (("platforms", platform), ("suites", suite)):
        (found,) = (one for one in config[kind] if one["name"] == wanted)
        options = merge(options, found.get(name, {}))
    return options


def problems(config: dict[str, Any]) -> Iterator[str]:
    """Yield what Test Kitchen and its plugins would stumble over, or pass over in silence."""
    yield from check_names("", config, {*OPTIONS, "platforms", "suites"})
    yield from check_options("", config)
    for name, plugin in PLUGINS.items():
        if config[name].get("name") != plugin:
            yield f"{name}:name: is {config[name].get('name')}, not {plugin}"
    for kind in ("platforms", "suites"):
        for one in config[kind]:
            where = f"{kind}:{one['name']}:"
            yield from check_names(where, one, {*OPTIONS, "name"})
            yield from check_options(where, one)
    here = [platform["name"] for platform in config["platforms"]]
    yield from (f"platforms: {name} is missing" for name in PLATFORMS if name not in here)
    for word in config["verifier"].get("command", "").split():
        if "/" in word and not word.startswith(("-", ".venv/")):
            yield from check_path("verifier:command", word)
    for suite in config["suites"]:
        for platform in here:
            yield from check_suite(section(config, "provisioner", platform, suite["name"]))


def check_names(where: str, mapping: dict[str, Any], known: Iterable[str]) -> Iterator[str]:
    """Yield the keys of a mapping that are not known."""
    for key in mapping.keys() - set(known):
        near = difflib.get_close_matches(key, known, 1)
        yield f"{where}{key}: unknown" + f"; did you mean {near[0]}?" * bool(near)


def check_options(where: str, place: dict[str, Any]) -> Iterator[str]:
    """Yield options that a plugin does not document, and values of another type."""
    for plugin, documented in OPTIONS.items():
        types = {option: kind for kind, text in documented.items() for option in text.split()}
        options = {key: value for key, value in place.get(plugin, {}).items() if key != "name"}
        yield from check_names(f"{where}{plugin}:", options, types)
        for option in options.keys() & types:
            value, wanted = options[option], types[option]
            if type(value) is not wanted:
                yield f"{where}{plugin}:{option}: is {value!r}, and takes {wanted.__name__}"


def check_path(where: str, path: str) -> Iterator[str]:
    """Yield a path that is not in the repository."""
    if not (TREE / path).exists():
        yield f"{where}: {path} does not exist"


def check_suite(options: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the files of a suite, and with who its host is."""
    formula = options["formula"]
    yield from check_path("provisioner:formula", formula)
    for names in options["state_top"].get("base", {}).values():
        for name in names:
            if name.partition(".")[0] != formula:
                yield f"provisioner:state_top: {name} is not of the formula {formula}"
    files = options["pillars_from_files"]
    for path in files.values():
        yield from check_path("provisioner:pillars_from_files", path)
    for names in options["pillars"]["top.sls"]["base"].values():
        for name in names:
            if f"{name}.sls" not in files:
                yield f"provisioner:pillars:top.sls: {name} is no file of pillars_from_files"
    hosts: set[str] = set()
    for path in filter(Path.exists, map(TREE.joinpath, files.values())):
        hosts |= set(yaml.safe_load(path.read_text())["slurm_galaxy"].get("hosts", {}))
    if options.get("salt_minion_id") not in hosts:
        known = ", ".join(sorted(hosts))
        yield (
            f"provisioner:salt_minion_id: {options.get('salt_minion_id')} has no row in the "
            f"pillar's hosts: {known}"
        )


def sandbox(options: dict[str, Any]) -> dict[str, bytes]:
    """Return the files that kitchen-salt would copy to the host, by their path below ROOT.

    kitchen-salt 0.7.2: lib/kitchen-salt/{states,pillars}.rb and lib/kitchen/provisioner/minion.erb,
    with its default paths.
    """
    files: dict[str, bytes] = {}
    for folder in (options["formula"], *DYNAMIC):
        for path in (TREE / folder).rglob("*"):
            below = path.relative_to(TREE)
            if path.is_file() and not set(below.parts) & set(options["salt_copy_filter"]):
                files[f"srv/salt/{below}"] = path.read_bytes()
    for name, path in options["pillars_from_files"].items():
        files[f"srv/pillar/{name}"] = (TREE / path).read_bytes()
    made: dict[str, Any] = {f"srv/pillar/{name}": data for name, data in options["pillars"].items()}
    made["srv/salt/top.sls"] = options["state_top"]
    made["etc/salt/minion"] = {
        "local": True,
        "state_top": "top.sls",
        "root_dir": ROOT,
        "file_roots": {"base": [f"{ROOT}/srv/salt", f"{ROOT}/srv/spm/salt"]},
        "pillar_roots": {"base": [f"{ROOT}/srv/pillar", f"{ROOT}/srv/spm/pillar"]},
    }
    return files | {path: yaml.safe_dump(data).encode() for path, data in made.items()}


def salt_call(options: dict[str, Any]) -> list[str]:
    """Return the command that kitchen-salt 0.7.2 converges a host with (salt_solo.rb)."""
    return [
        *("salt-call", "--state-output=changes", f"--config-dir={ROOT}/etc/salt"),
        *("state.highstate", f"--id={options['salt_minion_id']}", "--retcode-passthrough"),
    ]


def verify(suite: str, container: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier's command as Test Kitchen does: on this machine, for one container."""
    facts = {"KITCHEN_SUITE": suite, "KITCHEN_CONTAINER_ID": container}
    command = ["sh", "-c", CONFIG["verifier"]["command"]]
    return subprocess.run(
        command, cwd=TREE, env=os.environ | facts, check=False, capture_output=True, text=True
    )
