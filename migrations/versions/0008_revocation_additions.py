"""Revocations after an epoch, without reading the rest; and epochs that are counted by the commit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# A row of epoch 0 gets its epoch when its transaction commits: until then nothing is locked for which others wait, and
# the commits have the order of their epochs. A process of the earlier release counts the epoch itself.
_COUNT = """
CREATE FUNCTION tenantgate_count_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    counted bigint;
BEGIN
    UPDATE revocation_epoch SET epoch = epoch + 1, additions = additions + 1 RETURNING epoch INTO STRICT counted;
    UPDATE revocations SET epoch = counted WHERE id = NEW.id;
    RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE CONSTRAINT TRIGGER count_revocation AFTER INSERT OR UPDATE ON revocations DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.epoch = 0) EXECUTE FUNCTION tenantgate_count_revocation()
"""


def upgrade() -> None:
    op.add_column(
        "revocation_epoch", sa.Column("additions", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.create_index("revocations_epoch_idx", "revocations", ["epoch"])
    op.execute(_COUNT)
    op.execute(_TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER count_revocation ON revocations")
    op.execute("DROP FUNCTION tenantgate_count_revocation")
    op.drop_index("revocations_epoch_idx", "revocations")
    op.drop_column("revocation_epoch", "additions")
