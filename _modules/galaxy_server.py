"""
Install Galaxy from PyPI and run it by gravity's systemd units: what the role ``galaxy`` needs.

What is asked of a running Galaxy is in the module ``galaxy``.
"""

import hashlib
import json
import pathlib
import re
import secrets

import yaml
from salt.exceptions import CommandExecutionError, SaltInvocationError

__salt__: dict
__opts__: dict

# galaxy: the metapackage; the other is what an installation without it has at least.
_DISTRIBUTIONS = ("galaxy", "galaxy_web_apps")
_INSTALL_BOUND = 3600  # seconds, for a slow index and a slow disk
_BOUND = 300
_UNITS = "/etc/systemd/system"  # where gravity, run by root, writes

# pip's options by the keys of galaxy:pip. Source: pip-install(1).
_PIP = {
    "constraint": "--constraint",
    "index_url": "--index-url",
    "extra_index_url": "--extra-index-url",
    "find_links": "--find-links",
    "cert": "--cert",
}

# What the scripts galaxy-dependencies and galaxy-manage-db of an installed Galaxy are; a git
# checkout has no such scripts.
_DEPENDENCIES = "from galaxy.dependencies.script import main; main()"
_MANAGE_DB = "from galaxy.model.orm.scripts import manage_db; manage_db()"
# Runs in Galaxy's own Python, as Galaxy's user; reads what is wanted from its standard input, so
# that no password and no key is on a command line.
_USERS = """
import json, sys
from types import SimpleNamespace

asked = json.load(sys.stdin)
from sqlalchemy import select
from galaxy.config import GalaxyAppConfiguration
from galaxy.model import APIKeys, User
from galaxy.model.mapping import init_models_from_config
from galaxy.util.properties import load_app_properties

properties = load_app_properties(config_file=asked["config"])
config = GalaxyAppConfiguration(config_file=asked["config"], override_tempdir=False, **properties)
mapping = init_models_from_config(config)
session = mapping.session
User.use_pbkdf2 = config.use_pbkdf2
changes = {}
for one in asked["users"]:
    done = []
    user = session.scalars(select(User).filter_by(email=one["email"])).first()
    if user is None or user.deleted:
        done.append("user")
    known = None
    if one["key"]:
        known = session.scalars(select(APIKeys).filter_by(key=one["key"])).first()
        if known is not None and (user is None or known.user_id != user.id):
            sys.exit("the key of " + one["email"] + " is or was another user's: choose another")
        if known is None or known.deleted:
            done.append("key")
    if done and not asked["test"]:
        if user is None:
            user = User(email=one["email"], username=one["username"])
            user.active = True
            if one["password"]:
                user.set_password_cleartext(one["password"])
            else:
                user.set_random_password()
            session.add(user)
            mapping.security_agent.create_user_role(user, SimpleNamespace(config=config))
        user.deleted = False
        if "key" in done:
            for old in session.scalars(select(APIKeys).filter_by(user_id=user.id, deleted=False)):
                old.deleted = True
            if known is None:
                known = APIKeys(user_id=user.id, key=one["key"])
                session.add(known)
            known.deleted = False
        session.commit()
    if done:
        changes[one["email"]] = done
print("RESULT " + json.dumps(changes))
"""


# --- the virtual environment ----------------------------------------------------------------------


def installed(venv):
    """
    Tell which Galaxy a virtual environment has.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.installed /srv/galaxy/venv

    venv
        Path of the virtual environment (string).

    Returns the version (string), or None where there is none, or none for the Python that the
    environment has now. No Python is run for it: the name of the distribution's own directory says
    it.

    Source: Recording installed projects (PyPA specifications), the .dist-info directory.
    """
    have = _distributions(venv)
    return next((have[name] for name in _DISTRIBUTIONS if name in have), None)


def install(venv, version, python="/usr/bin/python3", pip=None):
    """
    Install one exact version of Galaxy into a virtual environment of root's.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.install /srv/galaxy/venv 26.1.1

    venv
        Path of the virtual environment (string); made where it is missing.
    version
        Of the distribution ``galaxy`` (string).
    python
        The interpreter that the environment is made with (path).
    pip
        Mapping with any of ``packages`` (list of further requirements), ``constraint``,
        ``index_url``, ``extra_index_url``, ``find_links``, ``cert`` (strings) and ``no_index``
        (boolean).

    Returns the version that is installed now.

    Raises CommandExecutionError with pip's last words when it fails, and when pip installed
    another version than the one that was asked for.
    """
    pip = pip or {}
    _make(venv, python)
    _pip(venv, [f"galaxy=={version}", *pip.get("packages", [])], pip)
    found = installed(venv)
    if found != version:
        raise CommandExecutionError(
            f"{venv}: Galaxy {version} was asked for, and pip installed {found or 'none'}; look at "
            "galaxy:pip, whose constraint or packages may say so"
        )
    return found


def missing(venv, config, user="galaxy"):
    """
    Ask Galaxy what its configuration needs beside Galaxy, and tell what of it is not installed.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.missing /srv/galaxy/venv /etc/galaxy/galaxy.yml

    venv, config
        Paths of the virtual environment and of galaxy.yml (strings).
    user
        The user that Galaxy runs as (string).

    Returns a list of requirements (strings), as ``galaxy-dependencies`` words them.

    Raises CommandExecutionError when Galaxy cannot read the configuration.

    Source: galaxy/dependencies/__init__.py, ConditionalDependencies.
    """
    argv = [f"{venv}/bin/python", "-c", _DEPENDENCIES, "-c", config, "--freeze"]
    what = "Galaxy was asked what its configuration needs"
    lines = _run(argv, user=user, what=what, env=_path(config)).splitlines()
    have = _distributions(venv)
    needed = []
    for line in lines:
        match = re.match(r"([A-Za-z0-9][\w.-]*)(?:\[.*?\])?\s*(?:==\s*([\w.]+))?", line)
        if match and not line.startswith(("#", "Trying")):
            found = have.get(_normal(match[1]))
            if found is None or (match[2] and found != match[2]):
                needed.append(line.strip())
    return needed


def install_missing(venv, requirements, pip=None):
    """
    Install what :py:func:`missing` has named.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.install_missing /srv/galaxy/venv '[psycopg2-binary]'

    venv
        Path of the virtual environment (string).
    requirements
        List of requirements (strings).
    pip
        As for :py:func:`install`.

    Returns True.

    Raises CommandExecutionError with pip's last words when it fails.
    """
    _pip(venv, requirements, pip or {})
    return True


def _make(venv, python):
    """Make a virtual environment where there is none, or none that works."""
    if pathlib.Path(f"{venv}/bin/python").exists():
        # Half made, or made with a Python that the system has no more, it has no pip.
        pip = [f"{venv}/bin/python", "-m", "pip", "--version"]
        asked = __salt__["cmd.run_all"](
            pip, python_shell=False, cwd="/", ignore_retcode=True, output_loglevel="quiet",
            timeout=_BOUND,
        )  # fmt: skip
        if asked["retcode"] == 0:
            return
    _run([python, "-m", "venv", "--clear", venv], what=f"{venv} was to be made")


def _pip(venv, requirements, pip):
    """Install requirements, and compile them on all cores: the Galaxy user cannot write there."""
    unknown = {*pip} - {*_PIP, "no_index", "packages"}
    if unknown:
        raise SaltInvocationError(f"galaxy:pip has no key {', '.join(sorted(unknown))}")
    options = [word for key, flag in _PIP.items() if key in pip for word in (flag, pip[key])]
    if wrong := [word for word in [*options, *requirements] if not isinstance(word, str)]:
        raise SaltInvocationError(f"galaxy:pip: {wrong[0]!r} is no text")
    options += ["--no-index"] if pip.get("no_index") else []
    argv = [f"{venv}/bin/python", "-m", "pip", "install", "--no-input", "--no-compile"]
    argv += ["--disable-pip-version-check", "--progress-bar=off", *options, *requirements]
    _run(argv, what=f"pip was to install {', '.join(requirements)}", bound=_INSTALL_BOUND)
    compiler = [f"{venv}/bin/python", "-m", "compileall", "-q", "-j", "0", f"{venv}/lib"]
    # Some distributions carry files of Python 2, which do not compile and are never imported.
    __salt__["cmd.run_all"](
        compiler, python_shell=False, cwd="/", umask="022", ignore_retcode=True,
        output_loglevel="quiet", timeout=_INSTALL_BOUND,
    )  # fmt: skip


def _distributions(venv):
    """Return the distributions of a virtual environment, name to version."""
    found: dict[str, str] = {}
    python = pathlib.Path(f"{venv}/bin/python")
    if not python.exists():
        return found
    # After an upgrade of the system the link leads to another Python, which does not see the old.
    own = re.fullmatch(r"python3\.\d+", python.resolve().name)
    library = own[0] if own else "python3*"
    for path in pathlib.Path(venv).glob(f"lib/{library}/site-packages/*.dist-info"):
        name, _, version = path.name.removesuffix(".dist-info").rpartition("-")
        found[_normal(name)] = version
    return found


def _normal(name):
    """Normalise a distribution's name as its directory does."""
    return re.sub(r"[-_.]+", "_", name).lower()


# --- the tools of the checks ----------------------------------------------------------------------


def tool_conf(tools, folder):
    """
    Write down the toolbox that holds the tools of ``galaxy.destination_check``.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.tool_conf '{slurm_galaxy_check_slurm: slurm}' /etc/galaxy/tools

    tools
        Mapping of tool id to the environment of the job configuration in which it runs.
    folder
        Where the files of the tools are (path).

    Returns the text of a tool_conf.xml (string).

    Source: galaxy/config/sample/tool_conf.xml.sample.
    """
    lines = [f'    <tool file="{folder}/{tool}.xml" hidden="true"/>' for tool in sorted(tools)]
    return "\n".join(
        [
            "<!-- Managed by Salt (slurm_galaxy): what galaxy.destination_check runs. -->",
            f'<toolbox tool_path="{folder}">',
            '  <section id="slurm_galaxy" name="Checks of slurm_galaxy">',
            *lines,
            "  </section>",
            "</toolbox>",
            "",
        ]
    )


# --- the processes --------------------------------------------------------------------------------


def units(config="/etc/galaxy/galaxy.yml"):
    """
    List the systemd units that gravity has written.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.units

    config
        Path of galaxy.yml (string).

    Returns a mapping of unit to ``{active: boolean, invocation: string, started: seconds since the
    epoch or None}``, empty where gravity has written none.

    Source: gravity/process_manager/systemd.py.
    """
    gravity = _gravity_of(config)
    prefix = "galaxy-" + (f"{gravity['instance_name']}-" if gravity.get("instance_name") else "")
    names = sorted(
        path.name
        for path in pathlib.Path(_UNITS).glob(f"{prefix}*.service")
        if path.is_file()
        and "maintained by Gravity" in path.read_text(encoding="utf-8", errors="replace")
    )
    if not names:
        return {}
    shown = _run(
        ["systemctl", "show", "--property=Id,ActiveState,InvocationID,ActiveEnterTimestamp",
         "--timestamp=unix", *names],
        what="systemd was asked for Galaxy's units",
    )  # fmt: skip
    found = {}
    for block in shown.split("\n\n"):
        facts = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if not {"Id", "ActiveState", "InvocationID"} <= {*facts}:
            raise CommandExecutionError(f"systemd says nothing of Galaxy's units: {block!r:.60}")
        since = facts.get("ActiveEnterTimestamp", "").removeprefix("@")
        found[facts["Id"]] = {
            "active": facts["ActiveState"] == "active",
            "invocation": facts["InvocationID"],
            "started": int(since) if since.isdigit() else None,
        }
    return found


def update_units(venv, config):
    """
    Have gravity write its systemd units, enable them, and have systemd read them.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.update_units /srv/galaxy/venv /etc/galaxy/galaxy.yml

    venv, config
        Paths of the virtual environment and of galaxy.yml (strings).

    Returns True.

    Raises CommandExecutionError with gravity's words when it fails.
    """
    _gravity(venv, config, "update")
    _run(["systemctl", "daemon-reload"], what="systemd was told of Galaxy's units")
    if names := list(units(config)):
        _run(["systemctl", "enable", *names], what="Galaxy's units were enabled")
    return True


def needs(config, files, venv):
    """
    Tell what Galaxy's processes need, to run with what they read.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.needs /etc/galaxy/galaxy.yml '[]' /srv/galaxy/venv

    config
        Path of galaxy.yml (string).
    files
        List of the other files that a process reads when it starts (paths).
    venv
        Path of the virtual environment (string).

    Returns ``{action, changed}``: ``start`` where a unit does not run, ``restart`` where one was
    started before what it reads has changed, else ``nothing``; ``changed`` names what has, and for
    ``start`` Galaxy alone, where it is not of the version that ran last.
    Nothing is guessed from the changes of one run, so a restart that could not be made is made by
    the next.
    """
    found = units(config)
    now, then = _digests(config, files, venv), _loaded()
    read = then["digests"]
    if not found or not all(unit["active"] for unit in found.values()):
        other = read.get("Galaxy") not in (None, now["Galaxy"])
        return {"action": "start", "changed": ["Galaxy"] if other else []}
    started = {name: unit["invocation"] for name, unit in found.items()}
    if then["units"] == started:
        changed = [name for name in now if now[name] != read.get(name)]
        return {"action": "restart" if changed else "nothing", "changed": changed}
    # Started by somebody else: with what is there now, if that is older.
    since = min(unit["started"] or 0 for unit in found.values())
    changed = [name for name in now if name.startswith("/") and _mtime(name) >= since]
    return {"action": "restart" if changed else "nothing", "changed": changed}


def remember(config, files, venv):
    """
    Keep what Galaxy's processes have read, by digest.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.remember /etc/galaxy/galaxy.yml '[]' /srv/galaxy/venv

    config, files, venv
        As for :py:func:`needs`.

    Returns True.
    """
    started = {name: unit["invocation"] for name, unit in units(config).items()}
    record = {"units": started, "digests": _digests(config, files, venv)}
    return _keep("loaded", record)


def act(action, venv, config):
    """
    Start, stop or restart Galaxy.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.act restart /srv/galaxy/venv /etc/galaxy/galaxy.yml

    action
        ``start``, ``stop`` or ``restart`` (string). Galaxy's jobs in Slurm go on in both cases.
    venv, config
        Paths of the virtual environment and of galaxy.yml (strings).

    Returns True.

    Raises CommandExecutionError with gravity's words when it fails.
    """
    if action not in ("start", "stop", "restart"):
        raise SaltInvocationError(f"{action!r} is not one of start, stop, restart")
    # gravity's graceful leaves a handler alone that cannot take a change without a restart.
    _gravity(venv, config, action)
    return True


def upgrade_database(venv, config, user="galaxy"):
    """
    Bring Galaxy's database to the schema of the Galaxy that is installed.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.upgrade_database /srv/galaxy/venv /etc/galaxy/galaxy.yml

    venv, config
        Paths of the virtual environment and of galaxy.yml (strings).
    user
        The user that Galaxy runs as (string).

    Returns True. Galaxy must not run meanwhile.

    Raises CommandExecutionError with its words when it fails.

    Source: galaxy/model/orm/scripts.py, manage_db.
    """
    # Not the arguments of manage_db.sh: this one takes Alembic's, and its -c is Alembic's too.
    argv = [f"{venv}/bin/python", "-c", _MANAGE_DB, "--galaxy-config", config, "upgrade", "heads"]
    what = "Galaxy's database was to be upgraded"
    _run(argv, user=user, what=what, bound=_INSTALL_BOUND, env=_path(config))
    return True


def _gravity(venv, config, verb):
    return _run(
        [f"{venv}/bin/galaxyctl", "-c", config, verb], what=f"galaxyctl {verb}", bound=_BOUND
    )


def _digests(config, files, venv):
    """Digest what the processes read when they start."""
    paths = [config, *files]
    digests = {path: _digest(path) for path in paths}
    digests["Galaxy"] = _version(config, venv)
    return digests


def _digest(path):
    try:
        return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def _mtime(path):
    try:
        return pathlib.Path(path).stat().st_mtime
    except OSError:
        return 0


def _loaded():
    """Return what the processes have read, with nothing in it where no record says so."""
    record = _recall("loaded")
    kept = record if isinstance(record, dict) else {}
    parts = {part: kept.get(part) for part in ("units", "digests")}
    return {part: found if isinstance(found, dict) else {} for part, found in parts.items()}


def _recall(name):
    """Read a record of ours below the minion's cache; None where there is none that can be read."""
    try:
        return json.loads(_record(name).read_text())
    except (OSError, ValueError):
        return None


def _keep(name, record):
    """Write a record of ours, whole or not at all."""
    path = _record(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(record))
    new.replace(path)
    return True


def _record(name):
    return pathlib.Path(__opts__["cachedir"]) / "galaxy_server" / f"{name}.json"


# --- what was asked of Galaxy before --------------------------------------------------------------


def asked(question, config, files, venv, given=None):
    """
    Tell whether a question was answered for just this configuration and version.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.asked dependencies /etc/galaxy/galaxy.yml '[]' /srv/galaxy/venv

    question
        A word of one's own (string).
    config, files, venv
        As for :py:func:`needs`.
    given
        What else the answer depends on: anything that JSON can say. Its digest is kept.

    Returns True or False. Each question takes Galaxy seconds, so it is put again only when what it
    depends on has changed.
    """
    return _recall(question) == _question(config, files, venv, given)


def answered(question, config, files, venv, given=None):
    """
    Keep that a question was answered; see :py:func:`asked`.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.answered dependencies /etc/galaxy/galaxy.yml '[]' /srv/galaxy/venv

    question, config, files, venv, given
        As for :py:func:`asked`.

    Returns True.
    """
    return _keep(question, _question(config, files, venv, given))


def _question(config, files, venv, given):
    """Digest what the answer to a question depends on."""
    digests = _digests(config, files, venv)
    if given is not None:
        text = json.dumps(given, sort_keys=True)
        digests["given"] = hashlib.sha256(text.encode()).hexdigest()
    return digests


# --- PostgreSQL -----------------------------------------------------------------------------------


def database(name="galaxy", admin="postgres"):
    """
    Tell whether PostgreSQL on this host has a role and its database, both of one name.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.database

    name
        Of the role and of the database (string).
    admin
        The system user that PostgreSQL knows as its superuser (string).

    Returns ``{"role": boolean, "database": boolean}``, or None where PostgreSQL is not installed.

    Raises CommandExecutionError when it does not answer.
    """
    if not __salt__["cmd.which"]("psql"):
        return None
    known = _plain(name)
    query = (  # as SQL only a plain name comes through
        f"SELECT (SELECT count(*) FROM pg_roles WHERE rolname = '{known}'), "  # noqa: S608
        f"(SELECT count(*) FROM pg_database WHERE datname = '{known}')"
    )
    argv = ["psql", "--no-psqlrc", "-tA", "-F", " ", "-c", query]
    said = _run(argv, user=admin, what="PostgreSQL was asked for the database of Galaxy")
    role, there = said.split()
    return {"role": role == "1", "database": there == "1"}


def make_database(name="galaxy", admin="postgres"):
    """
    Make what :py:func:`database` misses: a role without a password, and its database in UTF-8.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.make_database

    name, admin
        As for :py:func:`database`.

    Returns the list of what was made, of ``role`` and ``database``.

    Raises CommandExecutionError with PostgreSQL's words when it refuses.

    Source: createuser(1), createdb(1); the system user of that name logs in by the socket (peer).
    """
    have = database(name, admin) or {}
    made = {
        "role": ["createuser", name],
        # template0: a cluster of another encoding takes a database in UTF-8 from it alone.
        "database": ["createdb", "-O", name, "-E", "UTF8", "-T", "template0", name],
    }
    missing = [what for what in made if not have.get(what)]
    for what in missing:
        _run(made[what], user=admin, what=f"PostgreSQL was to make the {what} {name}")
    return missing


def _plain(name):
    """Let only a name through that needs no quotes in SQL."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        raise SaltInvocationError(f"{name} is no name of a role: use lower case letters, digits, _")
    return name


# --- users ----------------------------------------------------------------------------------------


def users(venv, config, users, test=False, user="galaxy"):
    """
    Make users of Galaxy, with their passwords and API keys.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.users /srv/galaxy/venv /etc/galaxy/galaxy.yml '[{email: a@b.org}]'

    venv, config
        Paths of the virtual environment and of galaxy.yml (strings).
    users
        List of ``{email, password, key}``; a user without a password has a random one that nobody
        knows. The password is for a new user only: it is theirs to change. The key replaces any
        other that the user has.
    test
        Only tell what would be done (boolean).
    user
        The user that Galaxy runs as (string).

    Returns a mapping of each user that was changed to a list of ``user`` and ``key``.

    Raises CommandExecutionError when Galaxy's database cannot be used, and when a key is another
    user's; SaltInvocationError when a user has no ``email``. No message repeats a secret.

    Source: galaxy/managers/users.py, UserManager.create.
    """
    if wrong := [one for one in users if not isinstance(one, dict) or "email" not in one]:
        raise SaltInvocationError(f"user {users.index(wrong[0]) + 1} of {len(users)} has no email")
    wanted = [
        {
            "email": one["email"],
            "username": re.sub(r"[^a-z0-9-]+", "-", one["email"].lower()).strip("-"),
            "password": one.get("password"),
            "key": one.get("key"),
        }
        for one in users
    ]
    given = json.dumps({"config": config, "users": wanted, "test": bool(test)})
    said = _run(
        [f"{venv}/bin/python", "-c", _USERS],
        user=user,
        what="Galaxy's users were looked at",
        stdin=given,
        env=_path(config),
        secrets_given=[one[kind] for one in wanted for kind in ("password", "key") if one[kind]],
    )
    line = next((li for li in said.splitlines() if li.startswith("RESULT ")), None)
    if line is None:
        raise CommandExecutionError("Galaxy's users were looked at, and Galaxy said nothing")
    return json.loads(line.removeprefix("RESULT "))


def new_key():
    """
    Make an API key.

    CLI Example:

    .. code-block:: bash

        salt '*' galaxy_server.new_key

    Returns 32 hexadecimal digits (string), the most that Galaxy keeps.

    Source: galaxy/model/__init__.py, APIKeys.
    """
    return secrets.token_hex(16)


# --- helpers --------------------------------------------------------------------------------------


def _read(config):
    """Read galaxy.yml."""
    try:
        loaded = yaml.safe_load(pathlib.Path(config).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CommandExecutionError(f"{config} cannot be read: {error}") from error
    return loaded if isinstance(loaded, dict) else {}


def _gravity_of(config):
    """Return what galaxy.yml tells gravity."""
    found = _read(config).get("gravity")
    return found if isinstance(found, dict) else {}


def _checkout(config):
    """Return where a git checkout keeps Galaxy's Python; None for one that pip has installed."""
    library = pathlib.Path(str(_gravity_of(config).get("galaxy_root"))) / "lib"
    return library if (library / "galaxy/config/__init__.py").exists() else None


def _path(config):
    """Return the environment in which Galaxy's own Python finds Galaxy."""
    library = _checkout(config)
    return {"PYTHONPATH": str(library)} if library else None


def _version(config, venv):
    """Return the version of Galaxy that galaxy.yml leads to."""
    library = _checkout(config)
    if not library:
        return installed(venv)
    files = [library / "galaxy/version/__init__.py", library / "galaxy/version.py"]
    text = next((file.read_text() for file in files if file.exists()), "")
    parts = re.findall(r'^VERSION_M(?:AJOR|INOR)\b.*= *"(.+)"', text, re.MULTILINE)
    return ".".join(parts) or None


def _run(argv, what, user=None, bound=_BOUND, stdin=None, env=None, secrets_given=()):
    """Run a program and return what it printed; raise with its last words when it fails."""
    options = {"runas": user} if user else {}
    if stdin is not None:
        options["stdin"] = stdin
    if env:
        options["env"] = env
    try:
        done = __salt__["cmd.run_all"](
            argv,
            python_shell=False,
            cwd="/",
            umask="022",
            timeout=bound,
            ignore_retcode=True,
            output_loglevel="quiet",
            **options,
        )
    except CommandExecutionError as error:
        reason = str(error)
        if argv[0].startswith("/") and not pathlib.Path(argv[0]).exists():
            reason = f"there is no {argv[0]}"
        elif stdin is not None:  # which Salt may repeat
            reason = f"{argv[0]} could not be run as {user}"
        raise CommandExecutionError(f"{what}, and that failed: {reason}") from None
    if done["retcode"]:
        said = [line for line in f"{done['stdout']}\n{done['stderr']}".splitlines() if line.strip()]
        # The exception itself, where there is one: SQLAlchemy's goes on for many lines.
        raised = [n for n, line in enumerate(said) if re.match(r"[\w.]*(Error|Exception): ", line)]
        words = " / ".join(said[raised[-1] :][:4] if raised else said[-4:])
        for secret in secrets_given:  # SQLAlchemy names the values of a statement that failed
            words = words.replace(secret, "…")
        raise CommandExecutionError(f"{what}, and that failed ({done['retcode']}): {words}")
    return done["stdout"]
