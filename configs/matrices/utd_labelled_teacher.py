"""UTD-MHAD with few labels for the student and all for the teacher, term by term: KL, pseudo-labels, agreement.

What such a teacher says of a training clip gives most of its label away, so nothing here is to be compared with
utd_few_labels, where the labels are few for both. Labels alone are the same in both.
"""

seeds = (0, 1, 2, 3, 4)
amp = "auto"
_few = ("s13", "s1", "p25", "p10")
_student = ("inertial_cnn", "depth_cnn_small")
_term_by_term = ("crossview_logit", None, "crossview_balanced", "crossview_aligned", "crossview_joint")
rows = [
    dict(row="baseline/utd_{few}_labels_{student}", axes=dict(few=_few, student=_student)),
    dict(
        row="crossview/utd_{few}_labelled_teacher_skeleton_cnn_{student}",
        axes=dict(few=_few, student=_student),
        distiller=("utd_kd", *_term_by_term),
    ),
    dict(
        row="crossview/utd_{few}_labelled_teacher_skeleton_cnn_{student}_peers",
        axes=dict(few=_few, student=_student),
        distiller=(None, "crossview_no_agreement", "crossview_full"),
    ),
]
