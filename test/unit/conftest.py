"""What every unit test needs before it is collected."""

import sys

import salt  # noqa: F401

# Salt installs an importer of the protocol before find_spec, which pytest's importlib mode calls.
sys.meta_path[:] = [each for each in sys.meta_path if hasattr(each, "find_spec")]
