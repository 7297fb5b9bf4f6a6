"""The key file: made once, for its owner only, and refused where it is wrong."""

import hashlib
import stat
from pathlib import Path

import pytest

from ordertape.errors import StartUpError
from ordertape.store.key import load_key


def test_the_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    db = tmp_path / "tape.db"
    key, key_id = load_key(db, None)
    assert len(key) == 32
    assert key_id == hashlib.sha256(b"ordertape key id" + key).hexdigest()[:8]
    assert load_key(db, None) == (key, key_id)
    assert [path.name for path in tmp_path.iterdir()] == ["tape.db.key"]
    assert stat.S_IMODE((tmp_path / "tape.db.key").stat().st_mode) == 0o600
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "tape.db.key").rename(elsewhere)
    assert load_key(db, elsewhere) == (key, key_id)


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        ("00" * 32, 0o640, "Others than its owner may read the key file .*chmod 600"),
        ("00" * 31, 0o600, "must hold 64 hex digits"),
        ("zz" * 32, 0o600, "must hold 64 hex digits"),
        (None, 0o600, "cannot be used"),
    ],
)
def test_a_key_file_that_is_wrong_stops_the_start(
    tmp_path: Path, text: str | None, mode: int, sentence: str
) -> None:
    path = tmp_path / "key"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(StartUpError, match=sentence):
        load_key(tmp_path / "tape.db", path)
