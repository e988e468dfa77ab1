"""UTD-MHAD with a depth student for each of three virtual views: labels alone, no agreement, both forms of it.

All labels, and few for teacher and student alike. Students decide together; each view's own score stands beside.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
rows = [
    dict(
        row="crossview/{data}_skeleton_cnn_depth_view_students",
        axes=dict(data=("utd_depth_views", "utd_s13_depth_views", "utd_s1_depth_views")),
        distiller=("crossview_labels", "crossview_no_agreement", None, "crossview_jsd"),
    ),
]
