"""Cassettes are put in place whole or not at all, and never over what cannot be read."""

from pathlib import Path

import pytest

from interactions import interaction
from ordertape.cassette import CassetteError, dump, load
from ordertape.cassette.files import write

ONE, TWO = dump([interaction()], "vcr"), dump([interaction(), interaction()], "vcr")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_cassette_is_written_with_the_folders_that_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "cassettes" / "orders" / "order.yaml"
    write(path, ONE)
    assert path.read_bytes() == ONE
    assert names(path.parent) == ["order.yaml"]


def test_a_whole_cassette_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "order.yaml"
    write(path, ONE)
    path.chmod(0o640)
    write(path, TWO)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (TWO, 0o640)
    assert names(tmp_path) == ["order.yaml"]


def test_a_reader_of_the_old_file_has_it_whole_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "order.yaml"
    write(path, ONE)
    with path.open("rb") as reader:
        assert reader.read(10) == ONE[:10]
        write(path, TWO)
        assert reader.read() == ONE[10:]


def test_a_link_is_followed(tmp_path: Path) -> None:
    path, link = tmp_path / "order.yaml", tmp_path / "link.yaml"
    write(path, ONE)
    link.symlink_to(path)
    write(link, TWO)
    assert (link.is_symlink(), path.read_bytes()) == (True, TWO)


@pytest.mark.parametrize(
    "damaged", [ONE[:-12], ONE.replace(b"POST", b"'P T'"), b"# README\n", b"\xff", b"\n"]
)
def test_what_cannot_be_read_as_a_cassette_is_never_overwritten(
    damaged: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "order.yaml"
    path.write_bytes(damaged)
    with pytest.raises(CassetteError) as refused:
        write(path, ONE)
    assert str(refused.value).startswith(f"{path}:")
    assert (path.read_bytes(), names(tmp_path)) == (damaged, ["order.yaml"])


def test_a_file_without_a_byte_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "order.yaml"
    path.touch()
    write(path, ONE)
    assert load(path) == [interaction()]


def test_what_cannot_be_written_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(ONE)
    for path in (tmp_path / "file" / "order.yaml", Path("/proc/order.yaml"), tmp_path):
        with pytest.raises(CassetteError) as refused:
            write(path, ONE)
        assert str(refused.value).startswith(f"{path}: The cassette cannot be ")
    assert names(tmp_path) == ["file"]
