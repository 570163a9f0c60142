-- The audit trail as chains of hashes: an edit, a removal or another order of entries shows.

-- An entry's place in its chain, and the SHA-256 over what it says and the one before it. NULL in what was written before there
-- were chains.
ALTER TABLE audit ADD COLUMN number INTEGER;
ALTER TABLE audit ADD COLUMN hash BLOB;

-- Where each chain ends, so that a last entry that is gone is missed: a TPP's own, and 0 the operators'.
CREATE TABLE audit_heads (
    chain  INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    hash   BLOB
) STRICT;
