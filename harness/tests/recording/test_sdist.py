import io
import tarfile

import pytest

from harness.recording import sdist


def made(files: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    """An sdist of those files, below the top folder that every sdist has."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"some_package-1.0/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return out.getvalue()


def test_globs_choose_files() -> None:
    data = made({"tests/a.yaml": b"1", "tests/x/y/b.yaml": b"2", "tests/x/c.txt": b"3", "src/d.yaml": b"4", "tests/[e].yaml": b"5"})
    assert dict(sdist.members("s", data, ["tests/**/*.yaml"])) == {"tests/a.yaml": b"1", "tests/x/y/b.yaml": b"2", "tests/[e].yaml": b"5"}
    assert dict(sdist.members("s", data, ["tests/*.yaml", "tests/x/*.txt"])) == {
        "tests/a.yaml": b"1",
        "tests/[e].yaml": b"5",
        "tests/x/c.txt": b"3",
    }


def test_links_and_devices_are_never_followed() -> None:
    link = tarfile.TarInfo("some_package-1.0/tests/l.yaml")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("some_package-1.0/tests/d.yaml")
    device.type = tarfile.CHRTYPE
    assert list(sdist.members("s", made({}, link, device), ["tests/**/*.yaml"])) == []


def test_a_broken_archive_and_a_bomb_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made({"tests/a.yaml": bytes(100_000)})
    for broken in (b"", b"not an archive", data[:-20]):
        with pytest.raises(sdist.SdistError, match=r"p 1.0 is not a readable"):
            list(sdist.members("p 1.0", broken, ["**/*"]))
    monkeypatch.setattr(sdist, "_MOST_BYTES", 99_999)
    with pytest.raises(sdist.SdistError, match="unpacks to more than"):
        list(sdist.members("p 1.0", data, ["**/*"]))
