"""N-UCLA, cross-view: streams of a small graph network, their fusion, and students of one stream that it teaches.

The skeleton CNN comes first: its four streams and their students take minutes where those of graph networks take hours.
ST-GCN with CTR-GCN's reading of the clips (80 passes); ST-GCN++ with our recipe (60 passes), then with CTR-GCN's (325 passes).
Where a student is as good as its teacher there is nothing to distil, and the table says so.
"""

seeds = (0, 1, 2)
amp = "auto"
_streams = ("", "_bone", "_motion", "_bone_motion", "_streams")
_cnn_streams = ("_joint", "_bone", "_motion", "_bone_motion", "_streams")
_students = ("stgcnpp_small", "skeleton_cnn_kinect_small")
rows = [
    dict(row="baseline/nucla_skeleton_cnn_kinect{stream}", axes=dict(stream=_cnn_streams)),
    dict(
        row="kd/nucla_skeleton_cnn_kinect_streams_{student}",
        axes=dict(student=("skeleton_cnn_kinect_small", "skeleton_cnn_kinect_joint")),
    ),
    dict(row="fitnet/nucla_skeleton_cnn_kinect_streams_skeleton_cnn_kinect_small"),
    dict(row="baseline/nucla_views_skeleton_cnn_kinect_small_view_students"),
    dict(row="crossview/nucla_views_skeleton_cnn_kinect_streams_skeleton_cnn_kinect_small_view_students"),
    dict(row="baseline/nucla_boxed_stgcn_small{stream}", axes=dict(stream=_streams)),
    dict(row="baseline/nucla_boxed_skeleton_cnn_kinect_small"),
    dict(
        row="kd/nucla_boxed_stgcn_small_streams_{student}",
        axes=dict(student=("stgcn_small", "skeleton_cnn_kinect_small")),
    ),
    dict(row="baseline/nucla_stgcnpp_small{stream}", axes=dict(stream=_streams)),
    dict(row="baseline/nucla_skeleton_cnn_kinect_small"),
    dict(
        row="{method}/nucla_stgcnpp_small_streams_{student}",
        axes=dict(method=("kd", "fitnet"), student=_students),
    ),
    dict(row="baseline/nucla_views_stgcnpp_small_view_students"),
    dict(row="crossview/nucla_views_stgcnpp_small_streams_stgcnpp_small_view_students"),
    dict(row="baseline/nucla_published_stgcnpp_small{stream}", axes=dict(stream=_streams)),
    dict(row="baseline/nucla_published_skeleton_cnn_kinect_small"),
    dict(row="kd/nucla_published_stgcnpp_small_streams_{student}", axes=dict(student=_students)),
]
