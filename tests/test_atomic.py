"""Whatever happens to a writer, a path holds its old content or its new one."""

import os

import pytest

from kdbench.atomic import atomic_path, remove_leftovers, write_text


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def interrupted(path, error):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_what_was_there(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(error):
        interrupted(tmp_path / "a.txt", error)
    assert content(tmp_path) == {"a.txt": "old"}


def test_until_the_block_ends_the_old_content_is_read(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert content(tmp_path) == {"a.txt": "new"}


def test_missing_folders_are_made_and_a_folder_in_the_place_is_refused(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "text")
    with pytest.raises(ValueError, match="is a folder, and a file is to be written"):
        write_text(tmp_path / "new", "text")
    assert content(tmp_path / "new") == {"a.txt": "text"}


def test_files_have_the_mode_of_any_new_file_whoever_makes_them(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))  # as safetensors does
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_two_writers_at_once_do_not_mix(tmp_path):
    with atomic_path(tmp_path / "a.txt") as one, atomic_path(tmp_path / "a.txt") as other:
        one.write_text("one")
        other.write_text("other")
    assert content(tmp_path) == {"a.txt": "one"}  # the outer block ends last


def test_leftovers_go_by_name_or_pattern_and_nothing_else(tmp_path):
    names = (".step_1.ab.tmp.bin", ".step_2.cd.tmp.bin", ".other.ef.tmp.bin", "step_1.bin")
    for name in names:
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path / "step_1.bin")
    assert set(content(tmp_path)) == set(names[1:])
    remove_leftovers(tmp_path / "step_*.bin")
    assert set(content(tmp_path)) == set(names[2:])
