//! How a table is read in the order of its key: by a walk along an index, from the key that was read last.

use super::table::{Form, Table};
use super::value::Value;

/// Where a backend keeps what a table says, if it is not a table of that name with columns of those names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The table's name here.
    pub(crate) table: &'static str,
    /// What is read instead.
    pub(crate) from: &'static str,
    /// The columns that have another name there, or are put together.
    pub(crate) columns: &'static [(&'static str, &'static str)],
}

impl Reading {
    /// The statement for a page, whose parameters are a key and, where a backend asks for that, a number of rows.
    pub(crate) fn statement(this: Option<&Self>, table: &Table, parameter: char) -> String {
        let expression = |name: &'static str| {
            let other = this.and_then(|it| it.columns.iter().find(|(column, _)| *column == name));
            other.map_or(name, |(_, expression)| expression)
        };
        let all: Vec<&str> = table.columns.iter().map(|it| expression(it.name)).collect();
        let key = &all[..table.key];
        let parameters: Vec<String> = (1..=key.len())
            .map(|nth| format!("{parameter}{nth}"))
            .collect();
        let mut conditions = vec![format!(
            "({}) > ({})",
            key.join(", "),
            parameters.join(", ")
        )];
        // Of a key that two tables make together, the first two columns are those of the walk.
        if let [first, second, _] = key {
            conditions.push(format!(
                "({first}, {second}) >= ({}, {})",
                parameters[0], parameters[1]
            ));
        }
        format!(
            "SELECT {} FROM {} WHERE {} ORDER BY {}",
            all.join(", "),
            this.map_or(table.name, |it| it.from),
            conditions.join(" AND "),
            key.join(", ")
        )
    }
}

/// A key before all others: numbers in keys begin at zero, and no text in one is empty.
pub(crate) fn before_all(table: &Table) -> Vec<Value> {
    let columns = table.columns[..table.key].iter();
    columns
        .map(|column| match column.form {
            Form::Text => Value::Text(String::new()),
            Form::Jti => Value::Jti([0; 16]),
            Form::Int | Form::Bytes | Form::Ints | Form::Jtis => Value::Int(-1),
        })
        .collect()
}
