"""Experiments on what `marts load` does: stages, PUT and COPY INTO."""

from __future__ import annotations

import tempfile
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from backends import snowflake_ddl as ddl
from backends.snowflake_scratch import Scratch
from marts.core.run.diagnosis import Experiment, Finding, verdict_of

ROWS = 3


def put_and_copy(door: Scratch) -> Finding:
    """Upload a tiny file into each of two folders, one's name the start of the other's."""
    stage, relation = door.name("DOCTOR_STAGE"), door.name("LOADED")
    folder = ddl.stage_folder(stage, "0_F")
    door.first.run(ddl.create_temporary_stage(stage))
    with tempfile.TemporaryDirectory(prefix="marts_doctor_") as directory:
        file = Path(directory, "0_tiny.parquet")
        pq.write_table(pa.table({"v": pa.array(range(ROWS), pa.int64())}), file)
        door.first.run(ddl.put(file, folder), ddl.put(file, ddl.stage_folder(stage, "0_F_OLD")))
    door.first.run(ddl.create_temporary_table(relation, {"v": ibis.dtype("int64")}))
    reported = door.first.records(ddl.copy_into(relation, folder))
    loaded = sum(int(row.get("rows_loaded") or 0) for row in reported)
    found = door.first.value(f"SELECT COUNT(*) FROM {relation}")
    problems = []
    if found != ROWS:
        problems.append(f"{found} rows were loaded of a file of {ROWS} rows")
    if loaded != found:
        problems.append(f"COPY INTO reports {loaded} rows, and the table has {found}")
    evidence = f"{found} rows of one folder were loaded, and reported, by quoted names"
    return verdict_of(problems, evidence, bad="warn", remedy="do not use `marts load`; report this")


EXPERIMENTS = (
    Experiment(
        "put_and_copy", "`marts load` uploads exactly its files", put_and_copy, refused="warn"
    ),
)
"""The experiments on loading."""
