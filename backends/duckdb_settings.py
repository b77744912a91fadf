"""How marts opens DuckDB, and the settings on which results depend; needs no DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

STORAGE_VERSION = "v1.3.0"
"""Of new files: it tries one text compression instead of two, and so closes files faster."""
CONFIG: Mapping[str, str | bool] = {
    # No extension is needed, and none must be downloaded.
    "autoinstall_known_extensions": False,
    "storage_compatibility_version": STORAGE_VERSION,
}
"""How marts opens each database."""

RESULTS: Mapping[str, str] = {
    "TimeZone": "'UTC'",
    # Columns outside a contract are never read, except for these two types when a file is opened.
    "enable_geoparquet_conversion": "false",
    "ignore_unknown_crs": "true",
}
"""What marts sets in every connection, as SQL."""

FROM_VERSION_2: Mapping[str, str] = {
    # Otherwise DuckDB 2 makes NaN of the root of a negative number, which is an error on Snowflake
    # and in DuckDB 1. There this setting would make null of x / 0.
    "ieee_floating_point_ops": "false",
    # Otherwise it takes statistics of Parquet files, which leave NaN out, for proof that a file has
    # none, even when a check asks for NaN.
    "parquet_can_have_nan": "true",
}
"""What marts sets as well from DuckDB 2 on, so that it computes what DuckDB 1 does."""


def settings_for(version: str) -> Mapping[str, str]:
    """Return what marts sets in a connection of a version of DuckDB."""
    return RESULTS if version.startswith("1.") else {**RESULTS, **FROM_VERSION_2}
