"""The emulator's INFORMATION_SCHEMA where fakesnow's lacks something that production reads."""

from __future__ import annotations

from string import Template

# https://docs.snowflake.com/en/sql-reference/info-schema/tables
# https://docs.snowflake.com/en/sql-reference/info-schema/schemata
VIEWS = Template(
    """
create schema if not exists ${database}.PUBLIC;
create table if not exists ${database}._fs_information_schema._fs_created (
    created_schema varchar, created_name varchar, created timestamptz,
    primary key (created_schema, created_name)
);
create or replace view ${database}._fs_information_schema._fs_tables as
select
    database_name as TABLE_CATALOG, schema_name as TABLE_SCHEMA, relation as TABLE_NAME,
    'SYSADMIN' as TABLE_OWNER, kind as TABLE_TYPE,
    'NO' as IS_TRANSIENT, row_count as ROW_COUNT, null::bigint as BYTES, 1 as RETENTION_TIME,
    created as CREATED, created as LAST_ALTERED, comment as COMMENT
from (
    select database_name, schema_name, table_name as relation, 'BASE TABLE' as kind,
        estimated_size as row_count, comment
    from duckdb_tables()
    union all
    select database_name, schema_name, view_name, 'VIEW', null, comment from duckdb_views()
)
left join ${database}._fs_information_schema._fs_created
    on created_schema = schema_name and created_name = relation
where database_name = '${database}' and schema_name not in
    ('_fs_information_schema', 'information_schema', 'main', 'pg_catalog');
create or replace view ${database}._fs_information_schema._fs_schemata as
select
    database_name as CATALOG_NAME,
    if(schema_name = 'information_schema', upper(schema_name), schema_name) as SCHEMA_NAME,
    'SYSADMIN' as SCHEMA_OWNER
from duckdb_schemas()
where database_name = '${database}' and schema_name not in
    ('_fs_information_schema', 'main', 'pg_catalog');
"""
)

# Like CREATE OR REPLACE, or CREATE … IF NOT EXISTS, of the relation itself.
CREATION = Template(
    "insert or ${otherwise} into ${database}._fs_information_schema._fs_created"
    " values ('${schema}', '${name}', now())"
)
