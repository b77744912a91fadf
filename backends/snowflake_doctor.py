"""Asks a Snowflake account what no emulator can tell, in a schema that is dropped at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backends import (
    snowflake_experiments_catalog,
    snowflake_experiments_governance,
    snowflake_experiments_loading,
    snowflake_experiments_privileges,
    snowflake_experiments_session,
    snowflake_experiments_sources,
    snowflake_experiments_transactions,
    snowflake_experiments_values,
)
from backends.installation import Installation
from backends.snowflake_connection import SnowflakeOptions
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_scratch import NoScratchError, Scratch
from marts.core.errors import MartsError
from marts.core.run import diagnosis
from marts.core.run.backend import Contract
from marts.core.run.diagnosis import Diagnosis, Experiment, Finding, skip

EXPERIMENTS: tuple[Experiment[Scratch], ...] = (
    *snowflake_experiments_session.EXPERIMENTS,
    *snowflake_experiments_privileges.EXPERIMENTS,
    *snowflake_experiments_sources.EXPERIMENTS,
    *snowflake_experiments_session.IN_SCRATCH,
    *snowflake_experiments_sources.IN_SCRATCH,
    *snowflake_experiments_transactions.EXPERIMENTS,
    *snowflake_experiments_governance.EXPERIMENTS,
    *snowflake_experiments_catalog.EXPERIMENTS,
    *snowflake_experiments_values.EXPERIMENTS,
    *snowflake_experiments_loading.EXPERIMENTS,
)
"""All experiments, in order."""


class SnowflakeDoctor:
    """Makes the experiments on one account; logs in when it is created.

    `contracts` are those of the project's sources, None if no package is named.
    """

    def __init__(
        self,
        options: SnowflakeOptions,
        *,
        run_id: str,
        contracts: Mapping[str, Contract] | None,
        installed: Installation,
    ) -> None:
        self.door = Scratch(options, run_id, installed, contracts)
        # An unknown connection or a refused login is not a finding.
        _ = self.door.first.session
        self.where = f"snowflake · connection {options.connection or 'by default'}"

    @property
    def experiments(self) -> Sequence[Experiment[Scratch]]:
        """The experiments, in order."""
        return EXPERIMENTS

    def examine(self, experiment: Experiment[Scratch]) -> Diagnosis:
        """Make one experiment. Raises LostAnswerError if the line is dead."""
        self.door.reset(experiment.name)
        return diagnosis.examine(experiment, self.door, refusal=_refusal)

    def close(self) -> Sequence[str]:
        """Drop the scratch schemas, and end the sessions."""
        return self.door.close()


def _refusal(error: MartsError) -> Finding | None:
    if isinstance(error, LostAnswerError):
        raise error
    return skip(error.summary) if isinstance(error, NoScratchError) else None
