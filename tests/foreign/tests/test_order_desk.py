"""The order desk's own tests: its modules and those of marts are there side by side."""

from order_desk.sales.order_sizes import size

import backends
import cli
import fixtures
from marts import Project


def test_modules_of_names_that_marts_has_too() -> None:
    assert backends.SERVICES == ("orders", "billing")
    assert fixtures.FIRST_ORDER == 1
    assert cli.GREETING == "This is the order desk."


def test_a_label_is_declared_once() -> None:
    assert size.values == ("single", "small", "large")


def test_python_runs_what_the_command_line_runs() -> None:
    project = Project.load()
    assert project.package == "order_desk"
    assert project.run().status == "unchanged"
    assert project.show("customer_revenue", where="customer_id = 1")[0]["segment"] == "BUILDING"
