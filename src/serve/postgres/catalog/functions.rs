//! Functions of PostgreSQL that clients call, most of which have one answer here.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, ListArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::super::settings::{Settings, VERSION};
use super::super::types;
use super::{Visitor, tables};
use crate::engine::{Error, ErrorKind};

/// Something that is found by something else.
type Finds<Of, T> = Box<dyn Fn(Of) -> Option<T> + Send + Sync>;
type FindsByText<T> = Box<dyn Fn(&str) -> Option<T> + Send + Sync>;

/// What a function answers.
enum Does {
    /// Always the same
    Constant(ScalarValue),
    /// A text for the number that is its first argument
    Named(Finds<i64, String>),
    /// A text for a text
    Told(FindsByText<String>),
    /// The number of a name, and the name of a number
    Both(FindsByText<i64>, Finds<i64, String>),
    /// Sets what its first argument names to its second, and answers with that
    Sets(Settings),
}

struct Stub {
    name: String,
    does: Does,
    signature: Signature,
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub").field("name", &self.name).finish_non_exhaustive()
    }
}

// They are told apart by their names: a session has one of each.
impl PartialEq for Stub {
    fn eq(&self, other: &Stub) -> bool {
        self.name == other.name
    }
}

impl Eq for Stub {}

impl Hash for Stub {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

fn is_number(kind: &DataType) -> bool {
    kind.is_integer() || kind.is_null()
}

impl ScalarUDFImpl for Stub {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match &self.does {
            Does::Constant(value) => value.data_type(),
            Does::Named(_) | Does::Told(_) | Does::Sets(_) => DataType::Utf8,
            Does::Both(..) if arguments.first().is_some_and(is_number) => DataType::Utf8,
            Does::Both(..) => DataType::Int64,
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Does::Constant(value) = &self.does {
            return Ok(ColumnarValue::Scalar(value.clone()));
        }
        let Some(first) = arguments.args.first() else {
            return datafusion::common::plan_err!("{} takes an argument", self.name);
        };
        let first = first.to_array(arguments.number_rows)?;
        let numbers = || cast(&first, &DataType::Int64);
        let texts = || cast(&first, &DataType::Utf8);
        let found: ArrayRef = match &self.does {
            Does::Named(name) => named(&numbers()?, name),
            Does::Both(_, name) if is_number(first.data_type()) => named(&numbers()?, name),
            Does::Both(number, _) => {
                let found = texts()?.as_string::<i32>().iter().map(|t| t.and_then(number)).collect::<Int64Array>();
                Arc::new(found)
            }
            Does::Told(told) => {
                Arc::new(texts()?.as_string::<i32>().iter().map(|t| t.and_then(told)).collect::<StringArray>())
            }
            Does::Sets(settings) => {
                let Some(second) = arguments.args.get(1) else {
                    return datafusion::common::plan_err!(
                        "{} takes a name, a value, and whether it is for a while",
                        self.name
                    );
                };
                let (names, values) = (texts()?, cast(&second.to_array(arguments.number_rows)?, &DataType::Utf8)?);
                let set = |(name, value): (Option<&str>, Option<&str>)| {
                    let Some(name) = name.map(str::to_lowercase) else { return Ok(None) };
                    match settings.set(&name, value.map(String::from)).refusal(&name) {
                        Some(why) => Err(Error::new(ErrorKind::Usage, why)),
                        None => Ok(settings.get(&name).or(value.map(String::from))),
                    }
                };
                let pairs = names.as_string::<i32>().iter().zip(values.as_string::<i32>());
                Arc::new(pairs.map(set).collect::<std::result::Result<StringArray, Error>>()?)
            }
            Does::Constant(_) => first,
        };
        Ok(ColumnarValue::Array(found))
    }
}

impl Stub {
    fn function(name: &str, does: Does) -> ScalarUDF {
        let takes_nothing = matches!(does, Does::Constant(_));
        let signature = match takes_nothing {
            true => Signature::one_of(
                vec![
                    datafusion::logical_expr::TypeSignature::Nullary,
                    datafusion::logical_expr::TypeSignature::VariadicAny,
                ],
                Volatility::Stable,
            ),
            // What sets something is not asked while a statement is planned.
            false if matches!(does, Does::Sets(_)) => Signature::variadic_any(Volatility::Volatile),
            false => Signature::variadic_any(Volatility::Stable),
        };
        ScalarUDF::from(Stub { name: name.into(), does, signature })
    }
}

fn named(numbers: &ArrayRef, name: &(dyn Fn(i64) -> Option<String> + Send + Sync)) -> ArrayRef {
    let numbers = numbers.as_primitive::<Int64Type>();
    Arc::new(numbers.iter().map(|number| number.and_then(name)).collect::<StringArray>())
}

const TRUE: &[&str] = &[
    "pg_table_is_visible",
    "pg_type_is_visible",
    "pg_function_is_visible",
    "pg_operator_is_visible",
    "pg_opclass_is_visible",
    "pg_opfamily_is_visible",
    "pg_collation_is_visible",
    "has_table_privilege",
    "has_schema_privilege",
    "has_database_privilege",
    "has_column_privilege",
    "has_any_column_privilege",
    "has_function_privilege",
    "pg_has_role",
];

const FALSE: &[&str] =
    &["pg_is_in_recovery", "pg_is_other_temp_schema", "pg_relation_is_publishable", "pg_is_wal_replay_paused"];

const NO_TEXT: &[&str] = &[
    "obj_description",
    "col_description",
    "shobj_description",
    "pg_get_serial_sequence",
    "pg_get_expr",
    "pg_get_indexdef",
    "pg_get_viewdef",
    "pg_get_constraintdef",
    "pg_get_triggerdef",
    "pg_get_ruledef",
    "pg_get_partkeydef",
    "pg_get_partition_constraintdef",
    "pg_get_functiondef",
    "pg_get_function_sqlbody",
    "pg_get_statisticsobjdef",
    "pg_tablespace_location",
    "json_build_object",
    "inet_server_addr",
    "inet_client_addr",
    "pg_size_pretty",
    "pg_get_replica_identity_index",
    "txid_current_snapshot",
];

const NO_NUMBER: &[&str] = &[
    "pg_relation_size",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_indexes_size",
    "pg_database_size",
    "pg_tablespace_size",
    "inet_server_port",
    "pg_advisory_unlock_all",
    "pg_relation_filenode",
];

/// The functions of a visitor's connection, to whom these routines are told.
pub(super) fn all(visitor: &Visitor, routines: &[tables::Routine]) -> Vec<ScalarUDF> {
    let user = visitor.user.as_str();
    let text = |text: &str| Does::Constant(ScalarValue::Utf8(Some(text.into())));
    let number = |number: i64| Does::Constant(ScalarValue::Int64(Some(number)));
    let mut all: Vec<ScalarUDF> = vec![];
    let mut add = |name: &str, does: Does| all.push(Stub::function(name, does));
    TRUE.iter().for_each(|name| add(name, Does::Constant(ScalarValue::Boolean(Some(true)))));
    FALSE.iter().for_each(|name| add(name, Does::Constant(ScalarValue::Boolean(Some(false)))));
    NO_TEXT.iter().for_each(|name| add(name, Does::Constant(ScalarValue::Utf8(None))));
    NO_NUMBER.iter().for_each(|name| add(name, Does::Constant(ScalarValue::Int64(None))));
    for name in ["current_user", "session_user", "user", "current_role"] {
        add(name, text(user));
    }
    for name in ["current_database", "current_catalog"] {
        add(name, text(tables::DATABASE));
    }
    add("current_schema", text("public"));
    let schemas = ["pg_catalog", "public"].map(|s| ScalarValue::Utf8(Some(s.into())));
    let schemas: Arc<ListArray> = ScalarValue::new_list_nullable(&schemas, &DataType::Utf8);
    add("current_schemas", Does::Constant(ScalarValue::List(schemas)));
    add("version", text(&format!("PostgreSQL {VERSION}")));
    add("pg_backend_pid", number(visitor.process.into()));
    add("pg_my_temp_schema", number(0));
    add("txid_current", number(1));
    add("age", number(0));
    add("pg_encoding_to_char", text("UTF8"));
    let owner = user.to_string();
    add("pg_get_userbyid", Does::Named(Box::new(move |_| Some(owner.clone()))));
    let format = |oid: i64| u32::try_from(oid).ok().and_then(types::sql_name);
    add("format_type", Does::Named(Box::new(move |oid| Some(format(oid).unwrap_or_else(|| "???".into())))));
    let by_name = |name: &str| {
        let found = types::TYPES.iter().find(|t| t.name == name || t.sql == name);
        found.map(|t| i64::from(t.oid)).or_else(|| name.parse().ok())
    };
    add("pg_regtype", Does::Both(Box::new(by_name), Box::new(format)));
    add("to_regtype", Does::Both(Box::new(by_name), Box::new(format)));
    for name in ["pg_get_function_result", "pg_get_function_arguments", "pg_get_function_identity_arguments"] {
        let of = |r: &tables::Routine| if name.ends_with("result") { r.result.clone() } else { r.arguments.clone() };
        let known: HashMap<i64, String> = routines.iter().map(|r| (r.oid, of(r))).collect();
        add(name, Does::Named(Box::new(move |oid| known.get(&oid).cloned())));
    }
    add("quote_ident", Does::Told(Box::new(|name| Some(crate::sql::quoted_name(name)))));
    add("quote_literal", Does::Told(Box::new(|text| Some(crate::sql::quoted_text(text)))));
    let settings = visitor.settings.clone();
    add("current_setting", Does::Told(Box::new(move |name| settings.get(&name.to_lowercase()))));
    add("set_config", Does::Sets(visitor.settings.clone()));
    all
}

/// `'usa'::regclass`, and a number as the name of the table that it is of.
pub(super) fn of_tables(names: Arc<dyn Fn() -> Vec<String> + Send + Sync>) -> Vec<ScalarUDF> {
    ["pg_regclass", "to_regclass"]
        .into_iter()
        .map(|function| {
            let (there, named) = (names.clone(), names.clone());
            let number = move |name: &str| {
                let plain = name.rsplit_once('.').map_or(name, |(_, name)| name).trim_matches('"');
                let own = || there().into_iter().find(|n| n == plain).map(|n| tables::oid_of(&n));
                tables::system_oid(plain).or_else(own).or_else(|| name.parse().ok())
            };
            let name = move |oid: i64| named().into_iter().find(|n| tables::oid_of(n) == oid);
            Stub::function(function, Does::Both(Box::new(number), Box::new(name)))
        })
        .collect()
}
