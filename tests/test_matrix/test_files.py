"""What a matrix file comes to, and what it may not say."""

import re

import pytest

from kdbench.matrix.files import AllDistillers, matrices, read_matrix

from .toys import ALONE, KD, write_matrix


def read(folder, text, **options):
    return read_matrix(write_matrix(folder, text), **options)


def test_an_entry_is_the_product_of_its_axes_parts_and_options(folder) -> None:
    found = read(
        folder,
        f"""
seeds = (0, 4)
rows = [
    dict(row="{{kind}}/waves_{{net}}", axes=dict(kind=("baseline",), net=("wave_skeleton", "wave_inertial"))),
    dict(row="{KD}", student=("wave_inertial_wide", None), distiller="wave_hint",
         options=[{{}}, {{"model.distill_weight": 3.0}}], seeds=(1,)),
]""",
    )
    said = [(w.path.stem, dict(w.swapped), dict(w.options), w.seeds) for w in found.entries]
    wide, plain = {"student": "wave_inertial_wide", "distiller": "wave_hint"}, {"distiller": "wave_hint"}
    stem, weight = KD.split("/")[1], {"model.distill_weight": 3.0}
    assert said == [
        ("waves_wave_skeleton", {}, {}, (0, 4)),
        ("waves_wave_inertial", {}, {}, (0, 4)),
        (stem, wide, {}, (1,)),
        (stem, wide, weight, (1,)),
        (stem, plain, {}, (1,)),
        (stem, plain, weight, (1,)),
    ]
    assert (found.name, found.amp, found.deterministic) == ("toy", None, False)
    assert [str(path) for path in matrices(found.configs)] == ["configs/matrices/toy.py"]


def test_seeds_of_the_command_line_take_the_place_of_all(folder) -> None:
    found = read(folder, f'rows = [dict(row="{KD}", seeds=(1,)), dict(row="{ALONE}")]', seeds=[7])
    assert [wish.seeds for wish in found.entries] == [(7,), (7,)]


def test_all_distillers_is_an_entry_of_its_own_with_what_it_leaves_out(folder) -> None:
    (found,) = read(folder, f'rows = [dict(row="{KD}", distiller="all", without=("*_hint",))]').entries
    assert isinstance(found, AllDistillers)
    assert (found.excluded_by("wave_hint"), found.excluded_by("wave_kd")) == ("*_hint", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = []", 'has no rows; give rows = [dict(row="<method>/<stem>"), ...]'),
        ('rows = [dict(row="a/b")]\nseed = 1', "toy.py has 'seed'; did you mean: seeds"),
        ('rows = [dict(row="a/b", studnet="c")]', "rows[0] has 'studnet'; did you mean: student"),
        ('rows = [dict(student="c")]', 'rows[0] names no row; give row="<method>/<stem>"'),
        ('rows = [dict(row="a/{b}")]', "the row 'a/{b}' has the places b; its axes are: none"),
        ('rows = [dict(row="a/b", axes=dict(c=("d",)))]', "has the places none; its axes are: c"),
    ],
)
def test_what_a_matrix_cannot_say(folder, text, message) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(folder, text)


def test_a_matrix_that_is_not_there(folder) -> None:
    write_matrix(folder, "rows = []", "smoke")
    with pytest.raises(
        ValueError, match=r"^there is no matrix configs/matrices/smok.py; did you mean: .*smoke"
    ):
        read_matrix("configs/matrices/smok.py")
