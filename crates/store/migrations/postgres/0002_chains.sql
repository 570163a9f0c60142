-- The audit trail as chains of hashes: an edit, a removal or another order of entries shows.

-- An entry's place in its chain, and the SHA-256 over what it says and the one before it. NULL in what was written before there
-- were chains, or by a binary that does not know them.
ALTER TABLE audit ADD COLUMN number bigint, ADD COLUMN hash bytea;

-- Where each chain ends, so that a last entry that is gone is missed: a TPP's own, guarded by its lock, and 0 the operators',
-- guarded by its row.
CREATE TABLE audit_heads (
    chain  bigint PRIMARY KEY,
    number bigint NOT NULL,
    hash   bytea
);
