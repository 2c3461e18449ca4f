"""SHA-256 of inputs."""

import hashlib

import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.hashes import sha256_of


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
