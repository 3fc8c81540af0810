"""The base of all tables: id and times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import DateTime, FetchedValue, MetaData, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tenantgate.masking import DataClass

_PERSONAL = "personal"


class PersonalData(NamedTuple):
    """Personal data that a column has in clear text: its class, and why it must be readable there."""

    data_class: DataClass
    reason: str


def personal(data_class: DataClass, reason: str) -> dict[Any, Any]:
    """Declare personal data in clear text, as the `info` of a column. No other column may have any."""
    return {_PERSONAL: PersonalData(data_class, reason)}


class Base(DeclarativeBase):
    """The declarative base: `id`, `created_at` and `updated_at`, all set by the database.

    A trigger (`tenantgate_keep_times`, first migration) sets `updated_at` at each update and keeps `created_at`
    unchanged, for every writer. Constraint names are fixed so that migrations can rely on them. In the database,
    `tenantgate_tenant_table` (fourth migration) makes (`tenant_id`, `id`) the primary key of a tenant table.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"), sort_order=-3)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), server_onupdate=FetchedValue(), sort_order=2
    )


def personal_columns() -> Mapping[tuple[str, str], PersonalData]:
    """Return what the tables declare, by table and column. Only of tables whose modules were imported."""
    return {
        (table.name, column.name): column.info[_PERSONAL]
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if _PERSONAL in column.info
    }
