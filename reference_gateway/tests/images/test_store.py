from __future__ import annotations

from pathlib import Path

import pytest

from reference_gateway.clock import ShiftedClock
from reference_gateway.images.formats import ImageFormat, recognised
from reference_gateway.images.links import Signer, new_name, read_name
from reference_gateway.images.store import KEEP_S, ImageStore
from reference_gateway.tests.images.pictures import png


async def test_an_image_is_kept_for_a_day_and_then_swept(tmp_path: Path) -> None:
    clock = ShiftedClock(lambda: 1_800_000_000.0)
    store = ImageStore(tmp_path / "images", clock)
    assert await store.sweep() == 0  # there is no folder yet
    first = await store.keep(png(), ImageFormat.PNG)
    assert first.expires_at == 1_800_000_000 + KEEP_S
    assert await store.load(first) == png()
    clock.advance(KEEP_S - 1)
    assert await store.sweep() == 0
    second = await store.keep(png(1), ImageFormat.PNG)
    (tmp_path / "images" / (first.text + ".part")).write_bytes(b"half")
    (tmp_path / "images" / "not-ours.txt").write_text("stays")
    clock.advance(1)
    assert await store.load(first) is None  # expired, swept or not
    assert await store.sweep() == 2
    assert sorted(file.name for file in (tmp_path / "images").iterdir()) == sorted([second.text, "not-ours.txt"])
    assert await store.load(second) == png(1)


async def test_an_image_that_was_never_kept_is_not_there(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, lambda: 0.0)
    assert await store.load(new_name(ImageFormat.PNG, 10)) is None


async def test_half_an_image_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, data: bytes) -> int:
        file.touch()
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space"):
        await ImageStore(tmp_path, lambda: 0.0).keep(png(), ImageFormat.PNG)
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240  # a look at a folder of the test's own


@pytest.mark.parametrize(
    "name",
    [
        "../gateway.toml",
        "..%2fgateway.toml",
        "/etc/passwd",
        "1800000000-" + "a" * 32 + ".png/..",
        "1800000000-" + "a" * 32 + ".svg",
        "1800000000-" + "A" * 32 + ".png",
        "1800000000-" + "a" * 31 + ".png",
        "1800000000-" + "a" * 32 + ".png\n",
        "1800000000-" + "a" * 32 + ".png\x00.png",
        "",
    ],
)
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    assert read_name(name) is None


def test_a_link_cannot_be_made_or_changed() -> None:
    signer, name = Signer(b"pepper"), new_name(ImageFormat.WEBP, 1_800_000_000)
    query = signer.query(name).encode()
    assert signer.accepts(name, query)
    later = read_name(name.text.replace("1800000000", "1900000000"))
    assert later is not None
    assert not signer.accepts(later, query)
    assert not signer.accepts(name, query[:-1] + (b"0" if query[-1:] != b"0" else b"1"))
    assert not signer.accepts(name, b"")
    assert not signer.accepts(name, b"signature=\xff\xe2\x82\xac")
    assert not Signer(b"another").accepts(name, query)
    assert b"pepper" not in query


def test_an_image_is_known_by_its_bytes() -> None:
    assert recognised(png()) is ImageFormat.PNG
    assert recognised(b"\xff\xd8\xff\xe0") is ImageFormat.JPEG
    assert recognised(b"RIFF\x00\x00\x00\x00WEBPVP8 ") is ImageFormat.WEBP
    for other in (b"", b"<svg onload=alert(1)>", b"<html>", b"GIF89a", b"RIFF\x00\x00\x00\x00WAVE"):
        assert recognised(other) is None
