"""The tables of the order system (TPC-H)."""

from marts import date, decimal, int64, relationship, row_check, source, string

region = source(
    "region",
    doc="Regions of the world.",
    grain="r_regionkey",
    columns=[int64("r_regionkey"), string("r_name", unique=True)],
)

nation = source(
    "nation",
    doc="Nations, each in a region.",
    grain="n_nationkey",
    columns=[int64("n_nationkey"), string("n_name", unique=True), int64("n_regionkey")],
    checks=[relationship("n_regionkey", to="region.r_regionkey")],
)

customer = source(
    "customer",
    doc="Companies that order.",
    grain="c_custkey",
    columns=[
        int64("c_custkey"),
        string("c_name", doc="the company's name"),
        int64("c_nationkey"),
        decimal("c_acctbal", 15, 2, doc="what we owe the customer; below 0, what they owe us"),
        string(
            "c_mktsegment",
            values=["AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"],
        ),
    ],
    checks=[relationship("c_nationkey", to="nation.n_nationkey")],
)

orders = source(
    "orders",
    doc="Orders, open (O), filled (F) or partly filled (P).",
    grain="o_orderkey",
    columns=[
        int64("o_orderkey"),
        int64("o_custkey"),
        string("o_orderstatus", values=["F", "O", "P"]),
        decimal("o_totalprice", 15, 2, at_least=0),
        date("o_orderdate"),
        string(
            "o_orderpriority",
            values=["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"],
        ),
    ],
    checks=[relationship("o_custkey", to="customer.c_custkey")],
)

lineitem = source(
    "lineitem",
    doc="Lines of orders.",
    grain=("l_orderkey", "l_linenumber"),
    columns=[
        int64("l_orderkey"),
        int64("l_linenumber", at_least=1),
        int64("l_partkey"),
        int64("l_suppkey"),
        decimal("l_quantity", 15, 2, at_least=1),
        decimal("l_extendedprice", 15, 2, at_least=0),
        decimal("l_discount", 15, 2, at_least=0, at_most=1),
        decimal("l_tax", 15, 2, at_least=0, at_most=1),
        string("l_returnflag", values=["A", "N", "R"]),
        string("l_linestatus", values=["F", "O"]),
        date("l_shipdate"),
        date("l_commitdate"),
        date("l_receiptdate"),
    ],
    checks=[
        relationship("l_orderkey", to="orders.o_orderkey"),
        row_check("received_after_shipped", offending=lambda t: t.l_receiptdate < t.l_shipdate),
    ],
)

part = source(
    "part",
    doc="Parts on sale.",
    grain="p_partkey",
    columns=[int64("p_partkey"), string("p_name"), string("p_brand")],
)

partsupp = source(
    "partsupp",
    doc="What a supplier asks for a part.",
    grain=("ps_partkey", "ps_suppkey"),
    columns=[
        int64("ps_partkey"),
        int64("ps_suppkey"),
        decimal("ps_supplycost", 15, 2, at_least=0),
    ],
    checks=[relationship("ps_partkey", to="part.p_partkey")],
)

supplier = source(
    "supplier",
    doc="Companies that supply parts.",
    grain="s_suppkey",
    columns=[int64("s_suppkey"), string("s_name", unique=True), int64("s_nationkey")],
    checks=[relationship("s_nationkey", to="nation.n_nationkey")],
)
