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
    transient varchar, secure varchar,
    primary key (created_schema, created_name)
);
-- What a test says of a table or view, in place of what it is: of a kind that DuckDB has not.
create table if not exists ${database}._fs_information_schema._overrides (
    table_schema varchar, table_name varchar,
    table_type varchar, is_dynamic varchar, is_iceberg varchar, is_hybrid varchar,
    retention_time bigint, is_secure varchar
);
create table if not exists ${database}._fs_information_schema._past (
    past_schema varchar, past_name varchar, retention bigint, defined timestamptz,
    altered timestamptz, primary key (past_schema, past_name)
);
create or replace view ${database}._fs_information_schema._fs_tables as
select
    database_name as TABLE_CATALOG, schema_name as TABLE_SCHEMA, relation as TABLE_NAME,
    'SYSADMIN' as TABLE_OWNER, coalesce(o.table_type, kind) as TABLE_TYPE,
    coalesce(transient, 'NO') as IS_TRANSIENT, row_count as ROW_COUNT, null::bigint as BYTES,
    coalesce(o.retention_time, retention, 1) as RETENTION_TIME, clustering_key as CLUSTERING_KEY,
    created as CREATED, greatest(created, altered) as LAST_ALTERED,
    greatest(created, defined) as LAST_DDL, comment as COMMENT,
    'NO' as IS_TEMPORARY,
    coalesce(o.is_dynamic, 'NO') as IS_DYNAMIC, coalesce(o.is_iceberg, 'NO') as IS_ICEBERG,
    coalesce(o.is_hybrid, 'NO') as IS_HYBRID
from (
    select database_name, schema_name, table_name as relation, 'BASE TABLE' as kind,
        _fs_rows(database_name, schema_name, table_name) as row_count, comment
    from duckdb_tables()
    union all
    select database_name, schema_name, view_name, 'VIEW', null, comment from duckdb_views()
)
left join ${database}._fs_information_schema._fs_created
    on created_schema = schema_name and created_name = relation
left join ${database}._fs_information_schema._past
    on kind = 'BASE TABLE' and past_schema = schema_name and past_name = relation
left join ${database}._fs_information_schema._overrides o
    on o.table_schema = schema_name and o.table_name = relation
left join ${database}._fs_information_schema._clustering c
    on c.table_schema = schema_name and c.table_name = relation
where database_name = '${database}' and schema_name not in
    ('_fs_information_schema', 'information_schema', 'main', 'pg_catalog');
create or replace view ${database}._fs_information_schema._fs_views as
select
    database_name as TABLE_CATALOG, schema_name as TABLE_SCHEMA, view_name as TABLE_NAME,
    'SYSADMIN' as TABLE_OWNER, sql as VIEW_DEFINITION, comment as COMMENT,
    coalesce(o.is_secure, secure, 'NO') as IS_SECURE
from duckdb_views()
left join ${database}._fs_information_schema._overrides o
    on o.table_schema = schema_name and o.table_name = view_name
left join ${database}._fs_information_schema._fs_created
    on created_schema = schema_name and created_name = view_name
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
    " values ('${schema}', '${name}', now(), '${transient}', '${secure}')"
)
