"""The benchmark of NTU RGB+D reads files by the grammar, all of them, and counts their frames."""

from pathlib import Path

from benchmarks import ntu
from kdbench.datasets.ntu.skeleton_file import JOINTS, parse_skeletons


def test_made_files_have_their_frames_and_bodies() -> None:
    recording = parse_skeletons(ntu.text_of(seed=1, bodies=2, frames=5).encode())
    assert recording.frames == 5
    assert [body.joints.shape for body in recording.bodies] == [(5, JOINTS, 12)] * 2
    assert len({body.id for body in recording.bodies}) == 2


def test_every_file_is_read_so_many_times(tmp_path: Path) -> None:
    paths = ntu.make_files(tmp_path)
    assert len(paths) == ntu.FILES
    frames, seconds = ntu.read_all(paths[2:4], times=3)
    assert frames == 2 * 3 * ntu.LENGTH
    assert seconds > 0
