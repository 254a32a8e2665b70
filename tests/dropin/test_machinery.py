"""Old names are importable only when asked for, and can be taken back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wirespeed import dropin
from wirespeed.errors import ConfigError


def run(*arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, done.stderr
    return done


def test_names_and_folders() -> None:
    assert "wcs" in dropin.available()
    assert (Path(dropin.folder("wcs")) / "wcs" / "__init__.py").is_file()
    for function in (dropin.folder, dropin.differences, dropin.install, dropin.uninstall):
        with pytest.raises(ConfigError, match="nothing"):
            function("nothing")


@pytest.mark.parametrize("name", [*dropin.available(), "librocketmqclientpython"])
def test_every_drop_in_lists_its_differences(name: str) -> None:
    text = dropin.differences(name)
    assert text.startswith("# ")
    assert name in text.splitlines()[0]
    done = run("-m", "wirespeed.dropin", "differences", name)
    assert done.stdout == dropin.differences(name)


def test_install_and_uninstall() -> None:
    run(
        "-c",
        """
import sys
import wirespeed.dropin as dropin
try:
    import wcs
except ImportError:
    pass
else:
    raise SystemExit("wcs is importable unasked")
assert dropin.installed() == ()
dropin.install("wcs")
dropin.install("wcs")
assert dropin.installed() == ("wcs",)
assert sys.path.count(dropin.folder("wcs")) == 1 and sys.path[-1] == dropin.folder("wcs")
import wcs, wcs.services.sliceupload
assert wcs.SliceUpload is wcs.services.sliceupload.SliceUpload
assert wcs.SliceUpload.__module__ == "wcs.services.sliceupload"
dropin.uninstall()
assert dropin.installed() == ()
assert not [name for name in sys.modules if name.partition(".")[0] == "wcs"]
try:
    import wcs
except ImportError:
    pass
else:
    raise SystemExit("wcs is importable after uninstall")
dropin.install()
assert dropin.installed() == dropin.available()
""",
    )


@pytest.fixture
def original(tmp_path: Path) -> Path:
    (tmp_path / "wcs.py").write_text("ORIGINAL = True\n")
    return tmp_path


def test_a_real_original_wins_unless_replaced(original: Path) -> None:
    script = "import wirespeed.dropin as d; d.install('wcs'{}); import wcs; print(wcs.__file__)"
    path = str(original)
    assert run("-c", script.format(""), PYTHONPATH=path).stdout.startswith(path)
    ours = run("-c", script.format(", replace=True"), PYTHONPATH=path).stdout
    assert ours.startswith(dropin.folder("wcs"))
    late = "import wirespeed.dropin as d, wcs; d.install('wcs', replace=True)"
    assert "imported already" in run("-c", late, PYTHONPATH=path, code=1).stderr


def test_run_a_program(tmp_path: Path, original: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "import sys, helper\n"
        "from wcs.commons.util import etag\n"
        "if __name__ == '__main__':\n"
        "    print(sys.argv[1:], etag(sys.argv[0]) != '', helper.here)\n"
    )
    (tmp_path / "helper.py").write_text("here = 'yes'\n")
    for options in ([], ["--names", "wcs"], ["--names=wcs"]):
        done = run("-m", "wirespeed.dropin", *options, str(script), "-x", "path")
        assert done.stdout == "['-x', 'path'] True yes\n"
        assert "`import wcs` is served by the drop-in" in done.stderr
    path = run("-m", "wirespeed.dropin", "path", "wcs")
    assert path.stdout.strip() == dropin.folder("wcs")
    assert "differences wcs" in path.stderr
    done = run(str(script), PYTHONPATH=path.stdout.strip(), code=1)
    assert "wcs.commons" in done.stderr, "beside the script, its own wcs.py is found first"
    os.remove(original / "wcs.py")
    assert run(str(script), "a", PYTHONPATH=path.stdout.strip()).stdout == "['a'] True yes\n"


def test_run_a_module(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys, wcs; print(wcs.__version__, sys.argv[1:])\n")
    done = subprocess.run(
        [sys.executable, "-m", "wirespeed.dropin", "-m", "program", "a"],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
    )
    assert done.stdout == "2.0.11 ['a']\n"


def test_a_program_keeps_its_exit_code_and_traceback(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text("import sys\nsys.exit(7)\n")
    run("-m", "wirespeed.dropin", str(script), code=7)
    script.write_text("raise KeyError('mine')\n")
    assert "mine" in run("-m", "wirespeed.dropin", str(script), code=1).stderr
    script.write_text("from wirespeed.errors import ConfigError\nraise ConfigError('mine')\n")
    failed = run("-m", "wirespeed.dropin", str(script), code=1).stderr
    assert failed.endswith("wirespeed.errors.ConfigError: mine\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "app.py"),
        (["-m"], "app.py"),
        (["--nonsense"], "app.py"),
        (["absent.py"], "no file 'absent.py'"),
        (["--names", "nothing", "x.py"], "no drop-in is named 'nothing'"),
        (["path", "nothing"], "no drop-in is named 'nothing'"),
        (["differences", "nothing"], "no drop-in is named 'nothing'"),
        (["differences"], "app.py"),
    ],
)
def test_senseless_command_lines(arguments: list[str], says: str) -> None:
    assert says in run("-m", "wirespeed.dropin", *arguments, code=2).stderr
    assert "app.py" in run("-m", "wirespeed.dropin", "--help").stdout
