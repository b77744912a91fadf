"""What must hold of the order desk's marts, whatever the data."""

from marts import AsOf, Table, invariant

NEW = 1_000_000


@invariant(
    changes="lineitem", varies_with={"sum": 2, "lines": 2, "rounded sums": None, "bands": None}
)
def every_line_twice(lineitem: Table) -> Table:
    """Every line occurs twice in its order: amounts double, averages and shares stay."""
    return lineitem.union(lineitem.mutate(l_linenumber=lineitem.l_linenumber + 100))


@invariant(changes="customer", adds={"customer_id": 1})
def new_customers_add_a_row_each(customer: Table) -> Table:
    """Every customer has a counterpart that has never ordered."""
    return customer.union(customer.mutate(c_custkey=customer.c_custkey + NEW))


@invariant(changes="orders")
def orders_of_tomorrow_change_nothing(orders: Table, as_of: AsOf) -> Table:
    """Every order has a copy on the day after as_of."""
    later = orders.mutate(o_orderkey=orders.o_orderkey + NEW, o_orderdate=as_of.plus(days=1))
    return orders.union(later)
