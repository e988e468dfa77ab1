"""The names of all samples that the authors publish.

Each performer of a setup does its actions twice before three cameras: actions 1 to 60 in setups 1 to 17, actions 61 to
120 in the others. Who is in which setup is read off the list of performers, sample by sample, in the CTR-GCN repository
(Chen et al., ICCV 2021; ``data/ntu120/statistics/performer.txt`` at 015a8a8). Less the missing ones, the names here
make a list of the same length, and they give the published counts of all protocols.
"""

from itertools import product

from .names import ACTIONS, SETUPS, Name

CAMERAS, REPETITIONS = 3, 2
_PERFORMERS = {
    1: "1-8",
    2: "3 7-14",
    3: "1-2 7-8 15-19",
    4: "3 7-8 20",
    5: "4 10 13 15-18 21",
    6: "1 7-8 15-17 19 22-24",
    7: "1 7-8 15-19 25-28",
    8: "1 7-8 15 19 25 29-36",
    9: "7-8 15-17 19 25",
    10: "7-8 13 15-19 21 25",
    11: "1-2 7-8 15-19 25 27-28 38",
    12: "7-8 15-19 25 27-28 37",
    13: "7-8 15-19 25 27-28 37",
    14: "7-8 15 17 19 25 27 37 39",
    15: "7-8 15-17 19 25 37",
    16: "7-8 19 21 25 39-40",
    17: "3 7-9 15-17 20",
    18: "8 41-45",
    19: "8 41-42 46-51",
    20: "8 41 43-44 52-54",
    21: "55-60",
    22: "61-67",
    23: "55-68",
    24: "57 60-64 67",
    25: "55-56 58-59 65-66 68",
    26: "8 41 44 49-51 69-72 74-77",
    27: "6 8 11 41 43-44 78-86",
    28: "8 41-43 46 48 70 73 87",
    29: "6 8 41 43-44 48-49 51 67 74-75 80 88-90",
    30: "8 11 41 43-44 48 67 75-76 81 85 88 91-96",
    31: "6 8 41-44 51 67 82 85 96-101",
    32: "8 41 43-44 67 102-106",
}


def every_name(edition: str) -> tuple[Name, ...]:
    """The 56,880 samples of edition ``"60"`` or the 114,480 of ``"120"``, in order.

    >>> len(every_name("60")), str(every_name("120")[-1])
    (56880, 'S032C003P106R002A120')
    """
    if edition not in SETUPS:
        raise ValueError(f"there is no NTU RGB+D '{edition}'; there is: {', '.join(SETUPS)}")
    return tuple(
        Name(setup, *take)
        for setup in range(1, SETUPS[edition] + 1)
        for take in product(
            range(1, CAMERAS + 1), performers(setup), range(1, REPETITIONS + 1), _actions(setup)
        )
    )


def performers(setup: int) -> tuple[int, ...]:
    """Who is in a setup, 1 to 32, in order.

    >>> performers(4)
    (3, 7, 8, 20)
    """
    found: list[int] = []
    for stretch in _PERFORMERS[setup].split():
        first, _, last = stretch.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _actions(setup: int) -> range:
    """The first edition's actions in its setups, those that the second added in the others."""
    first = ACTIONS["60"]
    return range(1, first + 1) if setup <= SETUPS["60"] else range(first + 1, ACTIONS["120"] + 1)
