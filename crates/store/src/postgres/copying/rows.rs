//! Values as this database reads and writes them.

use std::error::Error as StdError;

use tokio_postgres::types::{FromSql, ToSql, Type};
use uuid::Uuid;

use crate::Error;
use crate::copy::Value;
use crate::error::contradiction;

/// A value on its way into a column.
pub(super) type Parameter = Box<dyn ToSql + Sync + Send>;

/// A value for a column of this type.
pub(super) fn parameter(value: &Value, column: &Type) -> Result<Parameter, Error> {
    Ok(match (value, column) {
        (Value::Null, _) => null(column),
        (Value::Int(number), &Type::INT2) => Box::new(fit::<i16>(*number)?),
        (Value::Int(number), &Type::INT4) => Box::new(fit::<i32>(*number)?),
        (Value::Int(number), &Type::BOOL) => Box::new(*number != 0),
        (Value::Int(number), _) => Box::new(*number),
        (Value::Text(text), _) => Box::new(text.clone()),
        (Value::Bytes(bytes), _) => Box::new(bytes.clone()),
        (Value::Jti(jti), _) => Box::new(Uuid::from_bytes(*jti)),
        (Value::Ints(numbers), &Type::INT4_ARRAY) => {
            let numbers = numbers.iter().map(|number| fit::<i32>(*number));
            Box::new(numbers.collect::<Result<Vec<i32>, _>>()?)
        }
        (Value::Ints(numbers), _) => Box::new(numbers.clone()),
        (Value::Jtis(jtis), _) => {
            let jtis = jtis.iter().map(|jti| Uuid::from_bytes(*jti));
            Box::new(jtis.collect::<Vec<Uuid>>())
        }
    })
}

fn null(column: &Type) -> Parameter {
    match *column {
        Type::INT2 => Box::new(None::<i16>),
        Type::INT4 => Box::new(None::<i32>),
        Type::INT8 => Box::new(None::<i64>),
        Type::BYTEA => Box::new(None::<Vec<u8>>),
        Type::UUID => Box::new(None::<Uuid>),
        _ => Box::new(None::<String>),
    }
}

fn fit<T: TryFrom<i64>>(number: i64) -> Result<T, Error> {
    let fits = T::try_from(number);
    fits.map_err(|_| contradiction(format!("{number} is too large for its column")))
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(column: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(match *column {
            Type::INT2 => Self::Int(i16::from_sql(column, raw)?.into()),
            Type::INT4 => Self::Int(i32::from_sql(column, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(column, raw)?),
            Type::BYTEA => Self::Bytes(Vec::from_sql(column, raw)?),
            Type::UUID => Self::Jti(Uuid::from_sql(column, raw)?.into_bytes()),
            Type::INT8_ARRAY => Self::Ints(Vec::from_sql(column, raw)?),
            Type::UUID_ARRAY => {
                let jtis: Vec<Uuid> = Vec::from_sql(column, raw)?;
                Self::Jtis(jtis.into_iter().map(Uuid::into_bytes).collect())
            }
            _ => Self::Text(String::from_sql(column, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
