"""SHA-256 of inputs."""

import hashlib

import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io import hashes
from napari_lithium_alloy.io.hashes import Hashes, sha256_of


def test_of_a_file_is_the_standard_one(tmp_path):
    (tmp_path / "a").write_bytes(b"counts" * 100000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"counts" * 100000).hexdigest()


def test_of_a_folder_follows_names_and_contents(tmp_path):
    first = tmp_path / "one"
    for folder in (first, tmp_path / "two"):
        (folder / "sub").mkdir(parents=True)
        (folder / "a").write_bytes(b"1")
        (folder / "sub" / "b").write_bytes(b"2")
    same = sha256_of(first)
    assert same == sha256_of(tmp_path / "two")
    (first / "a").rename(first / "c")
    renamed = sha256_of(first)
    (first / "c").write_bytes(b"3")
    assert len({same, renamed, sha256_of(first)}) == 3


def test_of_nothing_says_so(tmp_path):
    with pytest.raises(AlloyError, match="gone cannot be read"):
        sha256_of(tmp_path / "gone")


def test_mapped_files_are_not_read_and_hash_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(hashes, "HASHED_BYTES", 1000)
    content = bytes(range(256)) * 10
    (tmp_path / "mapped").write_bytes(content)
    (tmp_path / "read").write_bytes(b"other")
    paths = [tmp_path / name for name in ("mapped", "read", "gone")]
    in_memory = memoryview(content[::-1])
    with Hashes(paths, {paths[0]: in_memory}) as found:
        known = found.all()
    assert known == {
        paths[0]: hashlib.sha256(in_memory).hexdigest(),
        paths[1]: hashlib.sha256(b"other").hexdigest(),
    }
