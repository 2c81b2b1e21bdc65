"""Pack the course for a room without internet: ``python -m utils.pack``, or ``python -m utils.pack --help``."""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

from utils.files import REPO, CourseError, require, shown, write_aside

WHEELS = REPO / "wheels"
PACKED = "packed-for.txt"  # in the folder of the wheels, once all are there: `make` installs from there if it finds it
PYTHONS = ("3.11", "3.12", "3.13")
# What pip calls the machines of a system, and what the markers in requirements.lock are to find there.
SYSTEMS = {
    "windows": (["win_amd64"], {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"}),
    "mac": (["macosx_12_0_arm64"], {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"}),
    "linux": (
        ["manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in range(17, 35))],
        {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
    ),
}
MACHINES = [f"{system}-{python}" for system in SYSTEMS for python in PYTHONS]


def locked(environment: dict[str, str]) -> list[str]:
    """The packages of requirements.lock, such as ``"numpy==2.4.6"``, that belong on a machine with these markers.

    pip itself would look at the markers of the machine that it runs on, also when it downloads for another.
    """
    lines = (REPO / "requirements.lock").read_text(encoding="utf-8").splitlines()
    packages = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [
        f"{package.name}{package.specifier}"
        for package in packages
        if package.marker is None or package.marker.evaluate(environment)
    ]


def download_commands(machine: str | None = None, wheels: Path = WHEELS) -> list[list[str]]:
    """The calls of pip that download every wheel for ``machine``, such as ``"windows-3.12"``; for this one if None.

    The second one is of the packages that only an early release of that Python needs, such as 3.11.2.
    """
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(wheels)]
    if machine is None:
        return [command + locked({})]
    system, python = machine.split("-")
    tags, markers = SYSTEMS[system]
    command += [part for tag in tags for part in ("--platform", tag)]
    late, early = (
        f"{python}.99",
        f"{python}.0",
    )  # pip takes a plain "3.11" for 3.11.0, and refuses what needs a later one
    packages, for_early = (
        locked(markers | {"python_version": python, "python_full_version": release}) for release in (late, early)
    )
    calls = [[*command, "--python-version", late, *packages]]
    if more := [package for package in for_early if package not in packages]:
        calls.append([*command, "--python-version", early, *more])
    return calls


def this_machine() -> str:
    """What this machine is, in the words of ``packed-for.txt``: ``"Linux x86_64, Python 3.12"``."""
    return f"{platform.system()} {platform.machine()}, Python {'.'.join(platform.python_version_tuple()[:2])}"


def download(machines: Sequence[str], wheels: Path = WHEELS) -> None:
    """Download the wheels for this machine and for ``machines``; what is there already is not fetched again.

    Raises:
        CourseError: pip could not get all of them.
    """
    packed = wheels / PACKED
    before = packed.read_text(encoding="utf-8").splitlines() if packed.exists() else []
    done = set(before) & set(MACHINES)  # other names are of Pythons that were there then
    packed.unlink(missing_ok=True)  # a packing that is interrupted is not taken for a whole one
    for machine in dict.fromkeys((None, *machines, *sorted(done))):  # the lock may have changed
        name = machine or this_machine()
        print(f"Packages for {name}", flush=True)
        for command in download_commands(machine, wheels):
            whole = subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
            require(whole, f"The packages for {name} are not all there: see pip's words above, then run this again.")
        done.add(name)
    with write_aside(packed) as part:
        part.write_text("\n".join(sorted(done)) + "\n", encoding="utf-8")


def check_target(target: Path) -> None:
    """Refuse a folder of the course itself."""
    require(not target.resolve().is_relative_to(REPO), "Choose a folder outside the course, for example on a stick.")


def copy_course(target: Path) -> None:
    """Copy the course with its wheels to ``target``, without what it makes on a machine: .venv, workspace, runs ...

    Raises:
        CourseError: ``target`` is a folder of the course itself.
    """
    check_target(target)
    ignored = {line.strip("/") for line in (REPO / ".gitignore").read_text(encoding="utf-8").splitlines()}
    leave_out = shutil.ignore_patterns(".git", *(ignored - {WHEELS.name}))
    try:
        shutil.copytree(REPO, target, ignore=leave_out, dirs_exist_ok=True)
    except shutil.Error as error:  # it copies what it can, and then names every file that it could not
        (_, first, why), *more = error.args[0]
        why = why.partition("] ")[2].partition(": ")[0] or why  # without its number and the path
        raise CourseError(
            f"Cannot copy {1 + len(more):,} files, {Path(first).name} among them ({why}): free some space in "
            f"{shown(target)}, or choose another folder, and run this again."
        ) from error


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m utils.pack", description="Pack the course for a room offline.")
    parser.add_argument(
        "machines", nargs="*", metavar="MACHINE", help=f"pack for these too, besides this one: {', '.join(MACHINES)}"
    )
    parser.add_argument("--to", type=Path, help="then copy the course and its packages to this folder, on a stick")
    options = parser.parse_args(arguments)
    try:
        for machine in options.machines:
            require(machine in MACHINES, f"There are no packages for {machine!r}. There are: {', '.join(MACHINES)}.")
        if options.to:
            check_target(options.to)
        download(options.machines)
        if options.to:
            copy_course(options.to)
    except (CourseError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    size = sum(file.stat().st_size for file in WHEELS.glob("*.whl")) / 1e6
    print(f"Done: {len(list(WHEELS.glob('*.whl')))} packages, {size:,.0f} MB, in {shown(options.to or WHEELS)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
