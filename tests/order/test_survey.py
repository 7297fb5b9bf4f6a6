"""What reading notes on its way is what an order is found to hold afterwards."""

from hypothesis import given, settings

from ordertape.order.reading import read_root
from ordertape.order.structure import Filled
from ordertape.order.survey import survey
from ordertape.testing import valid_orders, wild_orders


@settings(max_examples=60, deadline=None)
@given(wild_orders() | valid_orders())
def test_the_survey_made_while_reading_is_that_of_the_tree(body: bytes) -> None:
    root, noted, _ = read_root(body, None, None)
    found = noted.survey(list(root.iter())) if isinstance(noted, Filled) else noted
    assert found == survey(root)
