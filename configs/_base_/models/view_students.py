"""A student for each of three views, or one for all. Parameters are those of all."""

from kdbench.backbones import VideoCNN, ViewStudents

_depth = dict(type=VideoCNN, modality="depth", grid=(3, 3))
depth_view_students = dict(type=ViewStudents, network=_depth, views=3)
depth_view_students_shared = dict(type=ViewStudents, network=_depth, views=3, shared=True)

# Cameras of NTU RGB+D, of which some are absent
_rgb = dict(type=VideoCNN, modality="rgb", grid=(7, 7))
rgb_view_students = dict(type=ViewStudents, network=_rgb, views=3, view_mask="view_shown")
rgb_view_students_shared = dict(type=ViewStudents, network=_rgb, views=3, view_mask="view_shown", shared=True)
