"""The skeleton teacher of the 2025 paper with students of other modalities; what it reads grows term by term.

``task_weight=0``: the labels' term is the method's own, since there is one for each student.
"""

from kdbench.distillers import CrossView

_students = dict(type=CrossView, tau=4.0, threshold=0.95, task_weight=0.0)
_student = dict(_students, views=False)

# One student: the teacher's scores; and its classes for clips without a label
crossview_logit = dict(_student, pseudo=0.0)
crossview_pseudo = dict(_student)
crossview_strong = dict(_student, strong=True)
crossview_balanced = dict(_student, rule="balanced")
crossview_all = dict(_student, rule="all")
# Ours: the teacher's classes made equally frequent; and those that teacher and student name together
crossview_aligned = dict(_student, align=True)
crossview_joint = dict(_student, align=True, source="joint")
crossview_contrast = dict(_student, contrast=0.1)
# A student a view
crossview = dict(_students)
crossview_full = dict(_students, align=True, source="joint")
crossview_no_agreement = dict(_students, agreement=0.0)
crossview_labels = dict(_students, logit=0.0, pseudo=0.0, agreement=0.0)
crossview_jsd = dict(_students, agreement_form="jsd")
