"""Which students can teach each other."""

from ..spec import Fields


def check_peers(method: str, student: Fields) -> None:
    """Refuse students that ``method`` cannot teach by each other; ``peers`` is ``(B, P, K)``.

    Fewer than two, or students of views that may be absent (``view_shown``): an absent one has zero logits, which
    others would learn and a test would read. Either is a ``ValueError``.
    """
    if student.peers.shape[1] < 2:
        raise ValueError(f"{method} needs at least two peers; give the backbone Peers more networks")
    if "view_shown" in student:
        raise ValueError(
            f"{method} compares all students of a clip, and views may be absent here; take CrossView, which leaves "
            "absent views out, or data and students without view_mask"
        )
