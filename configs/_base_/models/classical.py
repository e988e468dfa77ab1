"""Ridge classifiers on hand-made features; they want the schedule one_pass."""

from kdbench.backbones import Classical

skeleton_ridge = dict(type=Classical, features="skeleton")
inertial_ridge = dict(type=Classical, features="inertial", signed_root=True)
depth_ridge = dict(type=Classical, features="depth", signed_root=True)
views_ridge = dict(type=Classical, features="views", signed_root=True)
hog_ridge = dict(type=Classical, features="image", strengths=(10.0, 100.0, 1000.0, 10000.0))
