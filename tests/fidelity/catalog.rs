//! The facts as a server's catalogs have them. [`crate::printed`] builds the same lines from what plimsoll prints.

use crate::Facts;
use crate::server::Database;

/// Schemas of the system and objects of extensions are nobody's migrations.
const OWN: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')";

pub fn facts(database: &Database) -> Facts {
    let major = database.major();
    let mut client = database.client();
    // Types and names are printed with their schema, as plimsoll prints them.
    client.batch_execute("SET search_path = pg_catalog").expect("a setting");
    let mut facts = Facts::new();
    for query in queries(major) {
        let rows = client.query(&query, &[]).unwrap_or_else(|error| panic!("{error:?}\n{query}"));
        facts.extend(rows.iter().map(|row| (row.get::<_, String>(0), row.get::<_, String>(1))));
    }
    facts
}

fn queries(major: u32) -> Vec<String> {
    vec![tables(), columns(), constraints(major), indexes(major), triggers(major), others()]
}

fn tables() -> String {
    format!(
        "SELECT format('table %I.%I', n.nspname, c.relname), concat_ws(', ',
            CASE WHEN c.relkind = 'p' THEN 'partitioned' WHEN c.relispartition THEN 'partition'
                 WHEN c.relkind = 'f' THEN 'foreign' ELSE 'table' END,
            CASE WHEN c.relkind = 'p' THEN 'has partitions' END,
            (SELECT string_agg('below ' || format('%I.%I', pn.nspname, p.relname), ', ' ORDER BY i.inhseqno)
             FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
             WHERE i.inhrelid = c.oid),
            CASE c.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
            CASE WHEN c.relrowsecurity THEN 'rls' END)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f') AND {OWN}"
    )
}

fn columns() -> String {
    format!(
        "SELECT format('column %I.%I.%I', n.nspname, c.relname, a.attname), concat_ws(', ',
            format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END,
            CASE WHEN a.atthasdef AND a.attgenerated = '' THEN 'default' END,
            CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
            CASE a.attgenerated WHEN 's' THEN 'generated stored' WHEN 'v' THEN 'generated virtual' END)
         FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND {OWN}"
    )
}

/// Names of the columns in an array of their numbers; an expression has none.
fn names(array: &str, relation: &str) -> String {
    format!(
        "(SELECT '(' || coalesce(string_agg(coalesce(quote_ident(a.attname), '-'), ', ' ORDER BY u.o), '') || ')'
          FROM unnest({array}) WITH ORDINALITY u(n, o)
          LEFT JOIN pg_attribute a ON a.attrelid = {relation} AND a.attnum = u.n AND u.n > 0)"
    )
}

fn constraints(major: u32) -> String {
    let action = |column: &str| {
        format!(
            "CASE {column} WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' END"
        )
    };
    // A row of a key for each partition of the referenced table is no constraint of its own. NOT NULL has rows since 18.
    let not_null = if major >= 18 { "" } else { "AND k.contype <> 'n'" };
    format!(
        "SELECT format('constraint %I.%I.%I', n.nspname, c.relname, k.conname), concat_ws(', ',
            CASE k.contype WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign' WHEN 'c' THEN 'check'
                 WHEN 'x' THEN 'exclude' WHEN 'n' THEN 'not_null' END
            || CASE WHEN k.contype IN ('c', 'x') THEN '' ELSE ' ' || {columns} END,
            CASE WHEN k.contype = 'f' THEN 'to ' || (SELECT format('%I.%I', rn.nspname, r.relname) FROM pg_class r
                JOIN pg_namespace rn ON rn.oid = r.relnamespace WHERE r.oid = k.confrelid) || ' ' || {referenced} END,
            CASE WHEN k.contype = 'f' THEN 'on delete ' || {on_delete} END,
            CASE WHEN k.contype = 'f' THEN 'on update ' || {on_update} END,
            CASE WHEN k.contype = 'f' AND k.confmatchtype = 'f' THEN 'match full' END,
            CASE WHEN NOT k.convalidated THEN 'not valid' END,
            CASE WHEN k.condeferrable THEN 'deferrable' END, CASE WHEN k.condeferred THEN 'deferred' END,
            CASE WHEN k.coninhcount > 0 OR k.conparentid <> 0 THEN 'inherited' END,
            CASE WHEN k.conislocal THEN 'local' END,
            CASE WHEN k.connoinherit AND k.contype IN ('c', 'n') THEN 'no inherit' END)
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_constraint parent ON parent.oid = k.conparentid
         WHERE k.contype <> 't' {not_null} AND parent.conrelid IS DISTINCT FROM k.conrelid AND {OWN}",
        columns = names("k.conkey", "k.conrelid"),
        referenced = names("k.confkey", "k.confrelid"),
        on_delete = action("k.confdeltype"),
        on_update = action("k.confupdtype"),
    )
}

fn indexes(major: u32) -> String {
    let nulls = if major >= 15 { "CASE WHEN i.indnullsnotdistinct THEN 'nulls not distinct' END" } else { "NULL" };
    format!(
        "SELECT format('index %I.%I', n.nspname, c.relname), concat_ws(', ',
            format('on %I.%I', tn.nspname, t.relname) || ' ' || {keys}, CASE WHEN i.indisunique THEN 'unique' END, {nulls},
            CASE WHEN NOT i.indisvalid THEN 'invalid' END, am.amname,
            CASE WHEN i.indpred IS NOT NULL THEN 'partial' END,
            CASE WHEN i.indnatts > i.indnkeyatts THEN 'includes ' || (i.indnatts - i.indnkeyatts) END,
            (SELECT 'below ' || format('%I.%I', pn.nspname, p.relname) FROM pg_inherits h
             JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE h.inhrelid = c.oid))
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace JOIN pg_am am ON am.oid = c.relam
         WHERE t.relkind IN ('r', 'p', 'f') AND {OWN}
           AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))",
        keys = names("(i.indkey::int2[])[0:i.indnkeyatts - 1]", "i.indrelid"),
    )
}

fn triggers(major: u32) -> String {
    // Before 13 nothing but a dependency tells a clone; before 15 clones count as internal.
    let cloned = if major >= 13 {
        "t.tgparentid <> 0"
    } else {
        "EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
                 AND d.refclassid = 'pg_trigger'::regclass)"
    };
    format!(
        "SELECT format('trigger %I.%I.%I', n.nspname, c.relname, t.tgname), concat_ws(', ',
            CASE WHEN t.tgtype & 2 > 0 THEN 'before' WHEN t.tgtype & 64 > 0 THEN 'instead of' ELSE 'after' END
            || CASE WHEN t.tgtype & 4 > 0 THEN ' insert' ELSE '' END || CASE WHEN t.tgtype & 16 > 0 THEN ' update' ELSE '' END
            || CASE WHEN t.tgtype & 8 > 0 THEN ' delete' ELSE '' END || CASE WHEN t.tgtype & 32 > 0 THEN ' truncate' ELSE '' END,
            CASE WHEN t.tgtype & 1 > 0 THEN 'row' ELSE 'statement' END,
            'calls ' || format('%I.%I', fn.nspname, p.proname), CASE WHEN t.tgqual IS NOT NULL THEN 'when' END,
            CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END,
            CASE WHEN {cloned} THEN 'inherited' END)
         FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace fn ON fn.oid = p.pronamespace
         WHERE (NOT t.tgisinternal OR ({cloned} AND t.tgconstraint = 0)) AND c.relkind IN ('r', 'p', 'f') AND {OWN}"
    )
}

fn others() -> String {
    let own = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
    let no_extension = |catalog: &str, object: &str| {
        format!(
            "NOT EXISTS (SELECT FROM pg_depend WHERE classid = '{catalog}'::regclass AND objid = {object} AND deptype = 'e')"
        )
    };
    format!(
        "SELECT format('view %I.%I', n.nspname, c.relname), CASE c.relkind WHEN 'm' THEN 'materialized' ELSE 'view' END
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND {OWN}
         UNION ALL
         SELECT format('sequence %I.%I', n.nspname, c.relname), coalesce((SELECT 'of ' || format('%I.%I.%I', tn.nspname, t.relname, a.attname)
            FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')), '')
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {OWN}
         UNION ALL
         SELECT format('type %I.%I', n.nspname, t.typname), concat_ws(' ',
            CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'composite' END,
            (SELECT string_agg(e.enumlabel, '|' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
         FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
         WHERE t.typtype IN ('e', 'd', 'r', 'c') AND (t.typrelid = 0 OR c.relkind = 'c') AND {own} AND {type_own}
         UNION ALL
         SELECT format('function %I.%I', n.nspname, p.proname), string_agg(CASE p.prokind WHEN 'p' THEN 'procedure'
            WHEN 'a' THEN 'aggregate' ELSE 'function' END, ' ' ORDER BY p.prokind)
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE {own} AND {function_own}
           AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'i')
         GROUP BY 1",
        type_own = no_extension("pg_type", "t.oid"),
        function_own = no_extension("pg_proc", "p.oid"),
    )
}
