//! The rows of the system's tables.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use populace_udfs::{Function, FunctionKind};

use super::super::types::{self, TYPES};
use super::Visitor;

/// What the database is called, whatever name a client connects to.
pub(super) const DATABASE: &str = "populace";

const PUBLIC: i64 = 2200;
const SYSTEM: i64 = 11;
const INFORMATION: i64 = 13_000;
const OWNER: i64 = 10;

/// A table or view of the database.
pub(super) struct Seen {
    pub name: String,
    pub kind: TableType,
    pub schema: SchemaRef,
}

impl Seen {
    fn is_view(&self) -> bool {
        self.kind == TableType::View
    }
}

/// A function, as it is listed.
#[derive(Debug, Clone)]
pub(super) struct Routine {
    pub oid: i64,
    pub name: String,
    pub arguments: String,
    pub result: String,
    kind: FunctionKind,
    description: String,
}

/// The functions of the database.
pub(super) fn routines(functions: &[Function]) -> Vec<Routine> {
    let of = |(at, function): (usize, &Function)| {
        // name(what, goes, in)
        let arguments = function.syntax.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
        let result = match function.kind {
            FunctionKind::Table => "SETOF record",
            FunctionKind::Scalar | FunctionKind::Aggregate => "\"any\"",
        };
        Routine {
            oid: 15_000 + at as i64,
            name: function.name.clone(),
            arguments: arguments.split_whitespace().collect::<Vec<_>>().join(" "),
            result: result.into(),
            kind: function.kind,
            description: function.description.lines().next().unwrap_or_default().to_string(),
        }
    };
    functions.iter().enumerate().map(of).collect()
}

/// The number of a table: the same as long as it has its name. Two names with one number are next to impossible.
pub(super) fn oid_of(name: &str) -> i64 {
    let hash = blake3::hash(name.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    16_384 + i64::from(u32::from_be_bytes([a, b, c, d]) >> 2)
}

/// The number of a table of the system.
pub(super) fn system_oid(name: &str) -> Option<i64> {
    Some(match name {
        "pg_type" => 1247,
        "pg_attribute" => 1249,
        "pg_proc" => 1255,
        "pg_class" => 1259,
        "pg_authid" => 1260,
        "pg_database" => 1262,
        "pg_constraint" => 2606,
        "pg_index" => 2610,
        "pg_namespace" => 2615,
        "pg_trigger" => 2620,
        "pg_tablespace" => 1213,
        "pg_language" => 2612,
        "pg_extension" => 3079,
        _ => return None,
    })
}

/// Tables that never have rows, with those of their columns that clients join by or test: numbers as they are called,
/// truths after an exclamation mark, others after a colon.
const EMPTY: &[(&str, &str)] = &[
    ("pg_aggregate", "aggfnoid"),
    ("pg_amop", "amopfamily"),
    ("pg_amproc", "amprocfamily"),
    ("pg_attrdef", "oid adrelid adnum :adbin"),
    ("pg_auth_members", "roleid member grantor !admin_option"),
    ("pg_available_extensions", ":name :default_version :installed_version :comment"),
    ("pg_cast", "oid castsource casttarget castfunc :castcontext :castmethod"),
    ("pg_collation", "oid :collname collnamespace :collprovider !collisdeterministic :collcollate :collctype"),
    (
        "pg_constraint",
        "oid :conname connamespace :contype !condeferrable !condeferred !convalidated conrelid contypid conindid conparentid confrelid :confupdtype :confdeltype :confmatchtype !conislocal coninhcount !connoinherit :conkey :confkey :conbin",
    ),
    ("pg_conversion", "oid :conname connamespace"),
    ("pg_cursors", ":name :statement"),
    ("pg_db_role_setting", "setdatabase setrole :setconfig"),
    ("pg_default_acl", "oid defaclrole defaclnamespace :defaclobjtype :defaclacl"),
    ("pg_depend", "classid objid objsubid refclassid refobjid refobjsubid :deptype"),
    ("pg_enum", "oid enumtypid enumsortorder :enumlabel"),
    ("pg_event_trigger", "oid :evtname"),
    ("pg_extension", "oid :extname extowner extnamespace !extrelocatable :extversion :extconfig :extcondition"),
    ("pg_foreign_data_wrapper", "oid :fdwname fdwowner :fdwoptions"),
    ("pg_foreign_server", "oid :srvname srvowner srvfdw :srvoptions"),
    ("pg_foreign_table", "ftrelid ftserver :ftoptions"),
    ("pg_get_keywords", ":word :catcode :catdesc"),
    (
        "pg_index",
        "indexrelid indrelid indnatts indnkeyatts !indisunique !indisprimary !indisexclusion !indimmediate !indisclustered !indisvalid !indisready !indislive !indisreplident !indnullsnotdistinct :indkey :indcollation :indclass :indoption :indexprs :indpred",
    ),
    ("pg_indexes", ":schemaname :tablename :indexname :tablespace :indexdef"),
    ("pg_inherits", "inhrelid inhparent inhseqno !inhdetachpending"),
    ("pg_largeobject", "loid"),
    ("pg_largeobject_metadata", "oid lomowner"),
    ("pg_locks", ":locktype database relation pid :mode !granted"),
    ("pg_matviews", ":schemaname :matviewname :matviewowner :definition"),
    ("pg_opclass", "oid :opcname opcnamespace"),
    ("pg_operator", "oid :oprname oprnamespace"),
    ("pg_opfamily", "oid :opfname opfnamespace"),
    ("pg_partitioned_table", "partrelid :partstrat partnatts :partattrs"),
    ("pg_policies", ":schemaname :tablename :policyname"),
    ("pg_policy", "oid :polname polrelid :polcmd !polpermissive :polroles"),
    ("pg_prepared_statements", ":name :statement"),
    ("pg_prepared_xacts", ":gid"),
    ("pg_publication", "oid :pubname !puballtables"),
    ("pg_publication_namespace", "oid pnpubid pnnspid"),
    ("pg_publication_rel", "oid prpubid prrelid"),
    ("pg_publication_tables", ":pubname :schemaname :tablename"),
    ("pg_range", "rngtypid rngsubtype rngmultitypid"),
    ("pg_replication_slots", ":slot_name"),
    ("pg_rewrite", "oid :rulename ev_class :ev_type !is_instead"),
    ("pg_rules", ":schemaname :tablename :rulename"),
    ("pg_seclabel", "objoid classoid"),
    ("pg_seclabels", "objoid classoid"),
    ("pg_sequence", "seqrelid seqtypid seqstart seqincrement seqmax seqmin seqcache !seqcycle"),
    ("pg_sequences", ":schemaname :sequencename"),
    ("pg_shdepend", "dbid classid objid"),
    ("pg_shdescription", "objoid classoid :description"),
    ("pg_stat_activity", "datid :datname pid :usename :application_name :state :query"),
    ("pg_stat_user_tables", "relid :schemaname :relname n_live_tup"),
    ("pg_statistic", "starelid"),
    ("pg_statistic_ext", "oid stxrelid :stxname stxnamespace"),
    ("pg_stats", ":schemaname :tablename :attname"),
    ("pg_subscription", "oid :subname"),
    ("pg_transform", "oid"),
    ("pg_trigger", "oid tgrelid tgparentid :tgname tgfoid !tgisinternal :tgenabled tgconstraint"),
    ("pg_ts_config", "oid :cfgname cfgnamespace"),
    ("pg_ts_dict", "oid :dictname dictnamespace"),
    ("pg_user_mapping", "oid umuser umserver"),
    ("information_views", ":table_catalog :table_schema :table_name :view_definition"),
    (
        "information_table_constraints",
        ":constraint_catalog :constraint_schema :constraint_name :table_catalog :table_schema :table_name :constraint_type",
    ),
    (
        "information_key_column_usage",
        ":constraint_name :constraint_schema :table_catalog :table_schema :table_name :column_name ordinal_position position_in_unique_constraint",
    ),
    (
        "information_referential_constraints",
        ":constraint_name :constraint_schema :unique_constraint_name :unique_constraint_schema :update_rule :delete_rule",
    ),
    (
        "information_constraint_column_usage",
        ":table_schema :table_name :column_name :constraint_name :constraint_schema",
    ),
];

/// Tables that are made of those of the database.
const OF_TABLES: &[&str] =
    &["pg_class", "pg_attribute", "pg_tables", "pg_views", "information_tables", "information_columns"];

const OTHERS: &[&str] = &[
    "pg_am",
    "pg_authid",
    "pg_database",
    "pg_description",
    "pg_group",
    "pg_language",
    "pg_namespace",
    "pg_proc",
    "pg_roles",
    "pg_settings",
    "pg_shadow",
    "pg_tablespace",
    "pg_type",
    "pg_user",
    "information_schemata",
];

pub(super) fn is_empty(name: &str) -> bool {
    EMPTY.iter().any(|(table, _)| *table == name)
}

pub(super) fn is_of_tables(name: &str) -> bool {
    OF_TABLES.contains(&name)
}

pub(super) fn is_known(name: &str) -> bool {
    is_empty(name) || is_of_tables(name) || OTHERS.contains(&name)
}

/// A table as it is made, column by column.
struct Made {
    rows: usize,
    columns: Vec<(String, ArrayRef)>,
}

impl Made {
    fn of(rows: usize) -> Made {
        Made { rows, columns: vec![] }
    }

    fn with(mut self, name: &str, column: ArrayRef) -> Made {
        self.columns.push((name.into(), column));
        self
    }

    fn numbers(self, name: &str, values: impl IntoIterator<Item = i64>) -> Made {
        self.with(name, Arc::new(values.into_iter().collect::<Int64Array>()))
    }

    fn texts(self, name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Made {
        self.with(name, Arc::new(StringArray::from(values.into_iter().map(Into::into).collect::<Vec<String>>())))
    }

    fn truths(self, name: &str, values: impl IntoIterator<Item = bool>) -> Made {
        self.with(name, Arc::new(BooleanArray::from(values.into_iter().collect::<Vec<_>>())))
    }

    fn number(self, names: &str, value: i64) -> Made {
        let rows = self.rows;
        names.split(' ').fold(self, |made, name| made.numbers(name, std::iter::repeat_n(value, rows)))
    }

    fn text(self, names: &str, value: &str) -> Made {
        let rows = self.rows;
        names.split(' ').fold(self, |made, name| made.texts(name, std::iter::repeat_n(value, rows)))
    }

    fn truth(self, names: &str, value: bool) -> Made {
        let rows = self.rows;
        names.split(' ').fold(self, |made, name| made.truths(name, std::iter::repeat_n(value, rows)))
    }

    /// Columns that say nothing.
    fn none(self, names: &str) -> Made {
        let rows = self.rows;
        let nothing = || Arc::new(StringArray::new_null(rows)) as ArrayRef;
        names.split(' ').fold(self, |made, name| made.with(name, nothing()))
    }

    fn done(self) -> Result<RecordBatch> {
        let field = |(name, column): &(String, ArrayRef)| Field::new(name, column.data_type().clone(), true);
        let schema = Schema::new(self.columns.iter().map(field).collect::<Vec<_>>());
        let columns = self.columns.into_iter().map(|(_, column)| column).collect();
        Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
    }
}

/// The rows of a table of the system.
pub(super) fn rows(name: &str, seen: &[Seen], routines: &[Routine], visitor: &Visitor) -> Result<RecordBatch> {
    if let Some((_, columns)) = EMPTY.iter().find(|(table, _)| *table == name) {
        let made = columns.split(' ').fold(Made::of(0), |made, column| match column.split_at(1) {
            ("!", name) => made.truth(name, false),
            (":", name) => made.none(name),
            _ => made.number(column, 0),
        });
        return made.done();
    }
    match name {
        "pg_class" => classes(seen),
        "pg_attribute" => attributes(seen),
        "pg_type" => of_types(),
        "pg_proc" => procedures(routines),
        "pg_description" => {
            let told: Vec<&Routine> = routines.iter().filter(|r| !r.description.is_empty()).collect();
            Made::of(told.len())
                .numbers("objoid", told.iter().map(|r| r.oid))
                .number("classoid", 1255)
                .number("objsubid", 0)
                .texts("description", told.iter().map(|r| r.description.clone()))
                .done()
        }
        "pg_tables" => {
            let tables: Vec<&Seen> = seen.iter().filter(|s| !s.is_view()).collect();
            Made::of(tables.len())
                .text("schemaname", "public")
                .texts("tablename", tables.iter().map(|t| t.name.clone()))
                .text("tableowner", &visitor.user)
                .none("tablespace")
                .truth("hasindexes hasrules hastriggers rowsecurity", false)
                .done()
        }
        "pg_views" => {
            let views: Vec<&Seen> = seen.iter().filter(|s| s.is_view()).collect();
            Made::of(views.len())
                .text("schemaname", "public")
                .texts("viewname", views.iter().map(|t| t.name.clone()))
                .text("viewowner", &visitor.user)
                .none("definition")
                .done()
        }
        "information_tables" => Made::of(seen.len())
            .text("table_catalog", DATABASE)
            .text("table_schema", "public")
            .texts("table_name", seen.iter().map(|t| t.name.clone()))
            .texts("table_type", seen.iter().map(|t| if t.is_view() { "VIEW" } else { "BASE TABLE" }))
            .text("is_insertable_into", "YES")
            .done(),
        "information_columns" => information_columns(seen),
        "information_schemata" => Made::of(3)
            .text("catalog_name", DATABASE)
            .texts("schema_name", ["public", "pg_catalog", "information_schema"])
            .text("schema_owner", &visitor.user)
            .done(),
        "pg_namespace" => Made::of(3)
            .numbers("oid", [PUBLIC, SYSTEM, INFORMATION])
            .texts("nspname", ["public", "pg_catalog", "information_schema"])
            .number("nspowner", OWNER)
            .none("nspacl")
            .done(),
        "pg_database" => Made::of(1)
            .number("oid", 5)
            .text("datname", DATABASE)
            .number("datdba", OWNER)
            .number("encoding", 6)
            .text("datlocprovider", "c")
            .truth("datistemplate", false)
            .truth("datallowconn", true)
            .number("datconnlimit", -1)
            .number("datfrozenxid datminmxid", 0)
            .number("dattablespace", 1663)
            .text("datcollate datctype", "C.UTF-8")
            .none("daticulocale datcollversion datacl")
            .done(),
        "pg_tablespace" => Made::of(1)
            .number("oid", 1663)
            .text("spcname", "pg_default")
            .number("spcowner", OWNER)
            .none("spcacl spcoptions")
            .done(),
        "pg_am" => {
            Made::of(1).number("oid", 2).text("amname", "heap").number("amhandler", 0).text("amtype", "t").done()
        }
        "pg_language" => Made::of(1)
            .number("oid", 12)
            .text("lanname", "internal")
            .number("lanowner", OWNER)
            .truth("lanispl lanpltrusted", false)
            .done(),
        "pg_settings" => {
            let all = visitor.settings.all();
            Made::of(all.len())
                .texts("name", all.iter().map(|(name, _)| *name))
                .texts("setting", all.iter().map(|(_, value)| value.clone()))
                .none("unit category short_desc extra_desc")
                .text("context", "user")
                .text("vartype", "string")
                .text("source", "default")
                .done()
        }
        "pg_group" => Made::of(0).none("groname").number("grosysid", 0).none("grolist").done(),
        // Who connects is all that there is of users.
        "pg_user" | "pg_shadow" => Made::of(1)
            .text("usename", &visitor.user)
            .number("usesysid", OWNER)
            .truth("usecreatedb usesuper userepl usebypassrls", false)
            .none("passwd valuntil useconfig")
            .done(),
        _ => Made::of(1)
            .number("oid", OWNER)
            .text("rolname", &visitor.user)
            .truth("rolsuper rolcreaterole rolcreatedb rolreplication rolbypassrls", false)
            .truth("rolinherit rolcanlogin", true)
            .number("rolconnlimit", -1)
            .none("rolpassword rolvaliduntil rolconfig")
            .done(),
    }
}

fn classes(seen: &[Seen]) -> Result<RecordBatch> {
    let natts = seen.iter().map(|t| t.schema.fields().len() as i64);
    let made = Made::of(seen.len())
        .numbers("oid", seen.iter().map(|t| oid_of(&t.name)))
        .texts("relname", seen.iter().map(|t| t.name.clone()))
        .number("relnamespace", PUBLIC)
        .number("reltype reloftype", 0)
        .number("relowner", OWNER)
        .number("relam", 2)
        .number("relfilenode reltablespace relpages", 0)
        .with("reltuples", Arc::new(Float32Array::from(vec![-1.0; seen.len()])))
        .number("relallvisible reltoastrelid", 0)
        .truth("relhasindex relisshared", false)
        .text("relpersistence", "p")
        .texts("relkind", seen.iter().map(|t| if t.is_view() { "v" } else { "r" }))
        .numbers("relnatts", natts)
        .number("relchecks", 0)
        .truth("relhasrules relhastriggers relhassubclass relrowsecurity relforcerowsecurity", false)
        .truth("relispopulated", true)
        .text("relreplident", "d")
        .truth("relispartition", false)
        .number("relrewrite relfrozenxid relminmxid xmin", 0)
        .none("relacl reloptions relpartbound");
    made.done()
}

fn attributes(seen: &[Seen]) -> Result<RecordBatch> {
    let all: Vec<(i64, usize, &Field)> = seen
        .iter()
        .flat_map(|t| {
            let oid = oid_of(&t.name);
            t.schema.fields().iter().enumerate().map(move |(at, field)| (oid, at, field.as_ref()))
        })
        .collect();
    let kind = |field: &Field| types::oid(field.data_type());
    let places: Vec<i16> = all.iter().map(|(_, at, _)| i16::try_from(at + 1).unwrap_or(i16::MAX)).collect();
    Made::of(all.len())
        .numbers("attrelid", all.iter().map(|(oid, ..)| *oid))
        .texts("attname", all.iter().map(|(.., field)| field.name().clone()))
        .numbers("atttypid", all.iter().map(|(.., field)| kind(field).into()))
        .number("attstattarget", -1)
        .numbers("attlen", all.iter().map(|(.., field)| types::size(kind(field)).into()))
        .with("attnum", Arc::new(Int16Array::from(places)))
        .numbers("attndims", all.iter().map(|(.., field)| types::element_of(kind(field)).is_some().into()))
        .number("attcacheoff atttypmod", -1)
        .truth("attbyval", false)
        .text("attalign", "i")
        .text("attstorage", "x")
        .text("attcompression", "")
        .truths("attnotnull", all.iter().map(|(.., field)| !field.is_nullable()))
        .truth("atthasdef atthasmissing", false)
        .text("attidentity attgenerated", "")
        .truth("attisdropped", false)
        .truth("attislocal", true)
        .number("attinhcount attcollation", 0)
        .none("attacl attoptions attfdwoptions attmissingval")
        .done()
}

fn of_types() -> Result<RecordBatch> {
    // A type and its array: number, name, size, category, of what, and its array.
    let mut all: Vec<(u32, String, i16, &str, u32, u32)> = vec![];
    for t in TYPES {
        all.push((t.oid, t.name.into(), t.size, t.category, 0, t.array));
        if t.array != 0 {
            all.push((t.array, format!("_{}", t.name), -1, "A", t.oid, 0));
        }
    }
    let routine = |way: &'static str| {
        all.iter().map(move |(_, name, .., of, _)| match of {
            0 => format!("{name}{way}"),
            _ => format!("array_{way}"),
        })
    };
    Made::of(all.len())
        .numbers("oid", all.iter().map(|t| t.0.into()))
        .texts("typname", all.iter().map(|t| t.1.clone()))
        .number("typnamespace", SYSTEM)
        .number("typowner", OWNER)
        .numbers("typlen", all.iter().map(|t| t.2.into()))
        .truths("typbyval", all.iter().map(|t| (1..=8).contains(&t.2)))
        .text("typtype", "b")
        .texts("typcategory", all.iter().map(|t| t.3))
        .truth("typispreferred", false)
        .truth("typisdefined", true)
        .text("typdelim", ",")
        .number("typrelid", 0)
        .numbers("typelem", all.iter().map(|t| t.4.into()))
        .numbers("typarray", all.iter().map(|t| t.5.into()))
        .texts("typinput", routine("in"))
        .texts("typoutput", routine("out"))
        .texts("typreceive", routine("recv"))
        .texts("typsend", routine("send"))
        .text("typmodin typmodout typanalyze typsubscript", "-")
        .text("typalign", "i")
        .text("typstorage", "x")
        .truth("typnotnull", false)
        .number("typbasetype", 0)
        .number("typtypmod", -1)
        .number("typndims typcollation", 0)
        .none("typdefaultbin typdefault typacl")
        .done()
}

fn procedures(routines: &[Routine]) -> Result<RecordBatch> {
    Made::of(routines.len())
        .numbers("oid", routines.iter().map(|r| r.oid))
        .texts("proname", routines.iter().map(|r| r.name.clone()))
        .number("pronamespace", PUBLIC)
        .number("proowner", OWNER)
        .number("prolang", 12)
        .number("procost", 1)
        .number("prorows provariadic", 0)
        .text("prosupport", "-")
        .texts("prokind", routines.iter().map(|r| if r.kind == FunctionKind::Aggregate { "a" } else { "f" }))
        .truth("prosecdef proleakproof proisstrict", false)
        .truths("proretset", routines.iter().map(|r| r.kind == FunctionKind::Table))
        .text("provolatile", "v")
        .text("proparallel", "s")
        .number("pronargs pronargdefaults", 0)
        .number("prorettype", 2249)
        .text("proargtypes", "")
        .none("proallargtypes proargmodes proargnames proargdefaults protrftypes")
        .texts("prosrc", routines.iter().map(|r| r.name.clone()))
        .none("probin prosqlbody proconfig proacl")
        .done()
}

fn information_columns(seen: &[Seen]) -> Result<RecordBatch> {
    let all: Vec<(&str, usize, &Field)> = seen
        .iter()
        .flat_map(|t| t.schema.fields().iter().enumerate().map(|(at, field)| (t.name.as_str(), at, field.as_ref())))
        .collect();
    let kind = |field: &Field| types::oid(field.data_type());
    let said = |field: &Field| match types::element_of(kind(field)) {
        Some(_) => "ARRAY".into(),
        None => types::sql_name(kind(field)).unwrap_or_default(),
    };
    let udt = |field: &Field| {
        let oid = kind(field);
        let of = |oid| TYPES.iter().find(|t| t.oid == oid).map_or(String::new(), |t| t.name.to_string());
        types::element_of(oid).map_or_else(|| of(oid), |element| format!("_{}", of(element)))
    };
    Made::of(all.len())
        .text("table_catalog", DATABASE)
        .text("table_schema", "public")
        .texts("table_name", all.iter().map(|(table, ..)| *table))
        .texts("column_name", all.iter().map(|(.., field)| field.name().clone()))
        .numbers("ordinal_position", all.iter().map(|(_, at, _)| *at as i64 + 1))
        .none("column_default")
        .texts("is_nullable", all.iter().map(|(.., field)| if field.is_nullable() { "YES" } else { "NO" }))
        .texts("data_type", all.iter().map(|(.., field)| said(field)))
        .with("character_maximum_length", Arc::new(Int64Array::new_null(all.len())))
        .with("numeric_precision", Arc::new(Int64Array::new_null(all.len())))
        .with("numeric_scale", Arc::new(Int64Array::new_null(all.len())))
        .text("udt_catalog", DATABASE)
        .text("udt_schema", "pg_catalog")
        .texts("udt_name", all.iter().map(|(.., field)| udt(field)))
        .text("is_identity", "NO")
        .text("is_generated", "NEVER")
        .text("is_updatable", "YES")
        .done()
}
