"""A student for each of three views, or one for all. Parameters are those of all."""

from kdbench.backbones import VideoCNN, ViewStudents

_depth = dict(type=VideoCNN, modality="depth", grid=(3, 3))
depth_view_students = dict(type=ViewStudents, network=_depth, views=3)
depth_view_students_shared = dict(type=ViewStudents, network=_depth, views=3, shared=True)
