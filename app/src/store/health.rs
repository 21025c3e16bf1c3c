//! Whether a database is whole, part by part, and how its index over texts is made anew from the texts when only that is damaged.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::schema;

/// What a look at the pages found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing.
    Whole,
    /// The index over texts is damaged like this; everything else is whole.
    IndexDamaged(String),
    /// More than the index is damaged, like this.
    Damaged(String),
}

/// Tables in which the index over texts is kept begin like this.
const INDEX_TABLES: &str = "messages_text_";

/// Looks at the pages of the tables, one by one: of a whole database SQLite would also compare the index over texts with every text,
/// which takes longer than all else.
///
/// # Errors
/// The list of tables cannot be read, or SQLite fails for another reason than damage.
pub(super) fn examine(db: &Connection) -> rusqlite::Result<Health> {
    let mut statement = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE TABLE%' ORDER BY rowid",
    )?;
    let tables: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let (of_index, own): (Vec<String>, Vec<String>) =
        tables.into_iter().partition(|table| table.starts_with(INDEX_TABLES));
    if let Some(problem) = first_problem(db, &own)? {
        return Ok(Health::Damaged(problem));
    }
    Ok(first_problem(db, &of_index)?.map_or(Health::Whole, Health::IndexDamaged))
}

fn first_problem(db: &Connection, tables: &[String]) -> rusqlite::Result<Option<String>> {
    for table in tables {
        let quoted = table.replace('"', "\"\"");
        let sql = format!("PRAGMA quick_check(\"{quoted}\")");
        match db.query_row(&sql, [], |row| row.get::<_, String>(0)) {
            Ok(found) if found == "ok" => {}
            Ok(found) => return Ok(Some(found)),
            Err(err) if is_damage(&err) => return Ok(Some(err.to_string())),
            Err(err) => return Err(err),
        }
    }
    Ok(None)
}

/// Makes the index over texts anew. All of it or nothing; the tables with the chats are only read.
///
/// # Errors
/// The database cannot be written, or more than the index is damaged.
pub(super) fn remake_index(db: &mut Connection) -> rusqlite::Result<()> {
    // Dropping the table would read the damaged pages, so it is only forgotten.
    db.pragma_update(None, "writable_schema", true)?;
    let remade = forget_and_fill(db);
    db.execute_batch("PRAGMA writable_schema = RESET")?;
    remade?;
    // The forgotten pages are in nobody's way; without room for a copy of the database they stay.
    if let Err(err) = db.execute_batch("VACUUM") {
        log::warn!("the pages of the old search index could not be freed: {err}");
    }
    Ok(())
}

fn forget_and_fill(db: &mut Connection) -> rusqlite::Result<()> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change.execute("DELETE FROM sqlite_schema WHERE tbl_name = 'messages_text' AND type = 'table'", [])?;
    change.execute(
        "DELETE FROM sqlite_schema WHERE substr(tbl_name, 1, length(?1)) = ?1 AND type IN ('table', 'index')",
        [INDEX_TABLES],
    )?;
    // SQLite remembers the schema until it is told to look again.
    change.execute_batch("PRAGMA writable_schema = RESET")?;
    change.execute_batch(schema::INDEX)?;
    change.commit()
}

/// Whether the file itself is wrong, rather than the disk or a permission.
pub(super) fn is_damage(err: &rusqlite::Error) -> bool {
    matches!(err.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
