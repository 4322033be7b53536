import subprocess
import sys
from pathlib import Path

import pytest

from harness.tests.commands import environment
from harness.whole_file import Claim, FolderTaken, write_whole


def test_a_file_is_replaced_in_one_move_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.html"
    write_whole(path, b"one")
    before = path.open("rb")  # who reads the old one goes on reading it
    write_whole(path, b"two")
    with before:
        assert before.read() == b"one"
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    write_whole(path, b"of last time")

    def no_space(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"of last time"


def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"
    script = "from pathlib import Path; from harness.whole_file import write_whole; write_whole(Path('/dev/stdout'), b'told')"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, check=True, timeout=60)
    assert done.stdout == b"told"


def test_a_folder_is_claimed_by_one_at_a_time(tmp_path: Path) -> None:
    claim = Claim(tmp_path / "new")
    with pytest.raises(FolderTaken):
        Claim(tmp_path / "new")
    claim.let_go()
    claim.let_go()
    Claim(tmp_path / "new").let_go()
