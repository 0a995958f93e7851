"""What the images of the lab take over from the machine that makes them."""

import pytest
from images import pip_settings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Return a way to say a pip.conf of the machine's and get what the images make of it."""

    def said(text):
        (tmp_path / "pip.conf").write_text(text)
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
        return pip_settings()

    return said


def test_a_file_of_constraints_is_mounted_where_pip_looks_for_it(tmp_path, settings):
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("six<2\n")
    text, mounts = settings(f"[global]\nconstraint = {constraints}\n")
    assert f"constraint = {constraints}" in text
    assert str(constraints) in mounts


def test_a_folder_of_wheels_and_all_below_it_is_mounted_once(tmp_path, settings):
    (tmp_path / "wheels/simple").mkdir(parents=True)
    wheels = tmp_path / "wheels"
    _, mounts = settings(f"[global]\nextra-index-url = file://{wheels}/simple\nno-index = true\n")
    assert [path for path in mounts if path.startswith(str(tmp_path))] == [str(wheels)]


def test_what_is_not_there_is_not_mounted(tmp_path, settings):
    gone = str(tmp_path / "gone")
    assert gone not in settings(f"[global]\nbuild = {gone}\n")[1]
