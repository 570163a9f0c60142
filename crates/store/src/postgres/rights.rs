//! What the database lets us do.
//!
//! Whoever serves reads and writes rows, and makes and drops parts of history, which the owner of the tables alone may. It is
//! the owner, or a member of the role that is: then parts are made in that role's name, so that they are the owner's whoever
//! made them, and the next user of the ledger can drop them. What is missing is said at the start, not weeks later when a part is
//! due.

use super::session::Session;
use crate::Error;

/// Something that our user may not do, and has to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// In a sentence without its end.
    pub what: String,
    /// The SQL that mends it, for the owner of the tables or a superuser to type.
    pub mend: String,
    /// Whether rows cannot be read for it.
    of_rows: bool,
}

/// From here to the end of the transaction everything is done in the name of whoever owns the tables.
pub(super) async fn act_as_owner(db: &Session) -> Result<(), Error> {
    db.rows(ACT_AS_OWNER, &[&true]).await?;
    Ok(())
}

/// The same, to the end of the session.
pub(super) async fn stay_owner(db: &Session) -> Result<(), Error> {
    db.rows(ACT_AS_OWNER, &[&false]).await?;
    Ok(())
}

/// Refuses a database that does not let us do everything.
pub(super) async fn hold_to(db: &Session) -> Result<(), Error> {
    match refusal(&lacks(db).await?) {
        None => Ok(()),
        Some(refusal) => Err(refusal),
    }
}

/// Why a ledger is of no use to whoever lacks this.
pub(super) fn refusal(lacks: &[Lack]) -> Option<Error> {
    let lacks: Vec<String> = lacks
        .iter()
        .map(|Lack { what, mend, .. }| format!("{what}: {mend};"))
        .collect();
    (!lacks.is_empty()).then(|| Error::ReadOnly {
        detail: lacks.join(" "),
    })
}

/// What we may not do. Nothing is missed where there is no ledger yet.
pub(super) async fn lacks(db: &Session) -> Result<Vec<Lack>, Error> {
    let Some(row) = db.row(RIGHTS, &[]).await? else {
        return Ok(Vec::new());
    };
    let text = |column: usize| -> Result<&str, Error> { Ok(row.try_get(column)?) };
    let (user, owner, schema, tables) = (text(0)?, text(1)?, text(2)?, text(3)?);
    let mut lacks = Vec::new();
    if !tables.is_empty() {
        lacks.push(Lack {
            what: format!("{user} may not read and write all rows of {tables}"),
            mend: format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user}"
            ),
            of_rows: true,
        });
    }
    if !row.try_get::<_, bool>(6)? {
        lacks.push(Lack {
            what: format!("{user} may not draw the numbers of leases, and so cannot push"),
            mend: format!("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {user}"),
            of_rows: false,
        });
    }
    if !row.try_get::<_, bool>(4)? {
        lacks.push(Lack {
            what: format!(
                "{user} may not act as {owner}, who owns the tables, and so cannot make or drop parts of history"
            ),
            mend: format!("GRANT {owner} TO {user}"),
            of_rows: false,
        });
    }
    if !row.try_get::<_, bool>(5)? {
        lacks.push(Lack {
            what: format!("{owner} may not make tables in the schema {schema}"),
            mend: format!("GRANT CREATE ON SCHEMA {schema} TO {owner}"),
            of_rows: false,
        });
    }
    Ok(lacks)
}

/// Whether rows cannot be read for what is missing.
pub(super) fn keep_from_reading(lacks: &[Lack]) -> bool {
    lacks.iter().any(|lack| lack.of_rows)
}

const ACT_AS_OWNER: &str = "
    SELECT set_config('role', pg_get_userbyid(relowner), $1) FROM pg_class
    WHERE oid = to_regclass('queues') AND pg_get_userbyid(relowner) <> current_user";

// Names are quoted as they are typed. Parts are reached by their tables, whose rights count.
const RIGHTS: &str = "
    SELECT quote_ident(current_user), quote_ident(pg_get_userbyid(q.relowner)), q.relnamespace::regnamespace::text,
        coalesce((
            SELECT string_agg(quote_ident(t.relname), ', ' ORDER BY t.relname) FROM pg_class t
            WHERE t.relnamespace = q.relnamespace AND t.relowner = q.relowner
                AND t.relkind IN ('r', 'p') AND NOT t.relispartition
                AND NOT (has_table_privilege(t.oid, 'SELECT') AND has_table_privilege(t.oid, 'INSERT')
                    AND has_table_privilege(t.oid, 'UPDATE') AND has_table_privilege(t.oid, 'DELETE'))), ''),
        pg_has_role(q.relowner, 'MEMBER'), has_schema_privilege(q.relowner, q.relnamespace, 'CREATE'),
        coalesce(has_sequence_privilege(to_regclass('epochs'), 'USAGE'), true)
    FROM pg_class q WHERE q.oid = to_regclass('queues')";
