"""No file of the repository names a package index's host or a folder of somebody's machine."""

import re
import subprocess

from tools.documents import ROOT

# Put together from parts, so that this file holds none of them.
HOSTS = [
    ".".join(parts)
    for parts in (("py" + "pi", "org"), ("python" + "hosted", "org"), ("npmjs", "org"), ("yarnpkg", "com"))
]
FOLDERS = ["/" + name + "/" for name in ("work", "root", "workspace", "mnt/data")]
HOMES = [f"/{name}/" + "[a-z]" for name in ("home", "Users")]
FORBIDDEN = re.compile("|".join([*map(re.escape, HOSTS), *(rf"(?<![\w.*}}-]){text}" for text in [*FOLDERS, *HOMES])]))


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name]


def test_no_tracked_file_names_an_index_or_a_machine() -> None:
    found = []
    for name in tracked():
        path = ROOT / name
        if path.suffix in (".ttf", ".jpg", ".png") or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        found += [f"{name}: {text[match.start() : match.end() + 30]!r}" for match in FORBIDDEN.finditer(text)]
    assert found == []


def test_the_pattern_finds_what_it_should() -> None:
    for text in (f"https://{HOSTS[0]}/simple", f'"{FOLDERS[0]}main"', "in /" + "home/ada", f"files.{HOSTS[1]}"):
        assert FORBIDDEN.search(text), text
    for text in ("docs/framework/main", "./wo" + "rk/x", "root/", "a/home/b"):
        assert not FORBIDDEN.search(text), text
