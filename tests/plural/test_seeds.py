"""Which seeds a group has."""

import pytest

from tartarus_cli.errors import RequestError
from tartarus_cli.plural.seeds import parse_seeds, seeds_of


def test_a_number_means_the_seeds_from_0_on_and_a_list_these_seeds_in_their_order() -> None:
    assert seeds_of(parse_seeds("5")) == (0, 1, 2, 3, 4)
    assert seeds_of(parse_seeds("3, 9,7")) == (3, 9, 7)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", "needs two"),
        ("1", "needs two"),
        ("2024", "so many trainings"),
        ("3,3", "the seed 3 is there twice"),
        ("x", "'x' is no whole number"),
        ("", "'' is no whole number"),
        ("3,", "'' is no whole number"),
        ("-1", "'-1' is no whole number"),
        ("1.5", "'1.5' is no whole number"),
        ("²", "'²' is no whole number"),
        ("0,99999999999", "from 0 to 4294967295"),
        (",".join(map(str, range(101))), "2 to 100 seeds, not 101"),
    ],
)
def test_what_is_no_list_of_seeds_is_refused(text: str, found: str) -> None:
    with pytest.raises(RequestError, match=found):
        seeds_of(parse_seeds(text))
