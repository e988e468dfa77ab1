"""UTD-MHAD with few labels for teacher and student alike, term by term: labels alone, KL, pseudo-labels, agreement.

Two subjects, one subject, 25 % and 10 % of the clips are labelled; all other training clips are there without labels.
Agreement is between two students of one sensor; the same two without it show what is theirs for being two. Other methods
are in utd_few_labels_methods, teachers that saw all labels in utd_labelled_teacher.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
_few = ("s13", "s1", "p25", "p10")
_student = ("inertial_cnn", "depth_cnn_small")
_term_by_term = ("crossview_logit", None, "crossview_balanced", "crossview_aligned", "crossview_joint")
rows = [
    dict(row="baseline/utd_{few}_labels_{net}", axes=dict(few=_few, net=("skeleton_cnn", *_student))),
    dict(row="kd/utd_{few}_skeleton_cnn_{student}", axes=dict(few=_few, student=_student)),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_{student}",
        axes=dict(few=_few, student=_student),
        distiller=_term_by_term,
    ),
    dict(
        row="crossview/utd_{few}_skeleton_cnn_{student}_peers",
        axes=dict(few=_few, student=_student),
        distiller=(None, "crossview_no_agreement", "crossview_full"),
    ),
]
