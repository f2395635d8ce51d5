use super::*;
use crate::operation::{
    CommonTableBody, Constant, FromSource, Ident, Join, Name, Output, RowLock, TypeName, WriteKind,
};

fn column(name: &str) -> Expr {
    match name.split_once('.') {
        Some((qualifier, name)) => Expr::Column { qualifier: Some(Ident::new(qualifier)), name: Ident::new(name) },
        None => Expr::Column { qualifier: None, name: Ident::new(name) },
    }
}

fn number(digits: &str) -> Expr {
    Expr::Constant(Constant::Number(digits.into()))
}

fn string(text: &str) -> Expr {
    Expr::Constant(Constant::String(text.into()))
}

fn binary(operator: &str, left: Expr, right: Expr) -> Expr {
    lower::compare(operator, left, right)
}

fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

fn read_as_query(text: &str) -> Query {
    read_query(text, false).unwrap_or_else(|refused| panic!("{text}: {}", refused.reason))
}

fn read_as_write(text: &str) -> Write {
    parsed_write(&Tokens::new(text), false).unwrap_or_else(|refused| panic!("{text}: {}", refused.reason)).0
}

fn read_write(text: &str, variables: bool) -> Result<Write, String> {
    let tokens = Tokens::new(text);
    let parsed = parsed_write(&tokens, variables).map(|(write, _)| write);
    parsed.or_else(|refused| fallback::write(&tokens).ok_or(refused.reason))
}

#[test]
fn comparisons_and_their_other_spellings() {
    let a = || column("a");
    for (text, expected) in [
        ("A = 1", binary("=", a(), number("1"))),
        ("\"A\" != 1", binary("<>", column("A"), number("1"))),
        ("s.t.a > 1", binary(">", column("t.a"), number("1"))),
        ("a between 1 and 2", Expr::And(vec![binary(">=", a(), number("1")), binary("<=", a(), number("2"))])),
        ("a in (1, 2)", Expr::In { value: Box::new(a()), list: vec![number("1"), number("2")] }),
        ("a not in (1)", not(Expr::In { value: Box::new(a()), list: vec![number("1")] })),
        ("a = any (array[1, 2])", Expr::In { value: Box::new(a()), list: vec![number("1"), number("2")] }),
        ("a <> all (array[1])", not(Expr::In { value: Box::new(a()), list: vec![number("1")] })),
        ("a is null", Expr::IsNull(Box::new(a()))),
        ("a isnull", Expr::IsNull(Box::new(a()))),
        ("(a) notnull", not(Expr::IsNull(Box::new(a())))),
        ("a like 'x%'", binary("LIKE", a(), string("x%"))),
        ("a !~~ 'x%'", not(binary("LIKE", a(), string("x%")))),
        ("a is not distinct from 1", not(Expr::Distinct(Box::new(a()), Box::new(number("1"))))),
        ("a is true", not(Expr::Distinct(Box::new(a()), Box::new(Expr::Constant(Constant::Bool(true)))))),
        ("a is not false", Expr::Distinct(Box::new(a()), Box::new(Expr::Constant(Constant::Bool(false))))),
        ("a operator(pg_catalog.=) 1", binary("=", a(), number("1"))),
        ("not a", not(a())),
        ("a and (b and c) and d", Expr::And(vec![a(), column("b"), column("c"), column("d")])),
        ("a or ((b)) or c", Expr::Or(vec![a(), column("b"), column("c")])),
        ("0x1F + 0b101 - 1_000", binary("-", binary("+", number("31"), number("5")), number("1000"))),
        ("-5", Expr::Unary { operator: "-".into(), operand: Box::new(number("5")) }),
        ("U&'d\\0061t' || e'\\n'", binary("||", string("dat"), string("\n"))),
        ("'a'\n'b'", string("ab")),
        ("$$it's$$", string("it's")),
        ("a[1]", binary("[]", a(), number("1"))),
        ("(new).a", column("new.a")),
        ("row(a, b)", Expr::List(vec![a(), column("b")])),
        ("$1", Expr::Parameter("$1".into())),
    ] {
        assert_eq!(tree(text), expected, "{text}");
    }
}

#[test]
fn casts_keep_canonical_types() {
    for (text, name) in [
        ("a::int4", "integer"),
        ("cast(a as varchar(20))", "character varying(20)"),
        ("a::timestamptz(3)", "timestamp(3) with time zone"),
        ("a::text[]", "text[]"),
        ("a::\"char\"", "\"char\""),
        ("a::s.\"T\"[]", "s.\"T\"[]"),
        ("a::numeric(10, 2)", "numeric(10,2)"),
        ("a::double precision", "double precision"),
        ("date '2020-01-01'", "date"),
        ("interval '1 day'", "interval"),
        ("regclass 'public.t'", "regclass"),
        ("jsonb $${}$$", "jsonb"),
        ("timestamp with time zone '2020-01-01'", "timestamp with time zone"),
        ("a::char", "character(1)"),
        ("a::float(24)", "real"),
    ] {
        let Expr::Cast { to, .. } = tree(text) else { panic!("{text}: {:?}", tree(text)) };
        assert_eq!(to.to_string(), name, "{text}");
    }
    let Expr::In { list, .. } = tree("(a)::text = ANY ((ARRAY['x'::character varying, 'y'])::text[])") else {
        panic!()
    };
    assert_eq!(list.len(), 2);
    assert!(matches!(&list[1], Expr::Cast { to, .. } if *to == TypeName::built_in("text")));
}

#[test]
fn calls_and_what_is_left_whole() {
    assert_eq!(tree("now()"), lower::call("now", Vec::new()));
    assert_eq!(tree("current_timestamp"), lower::call("current_timestamp", Vec::new()));
    assert_eq!(tree("count(*)"), lower::call("count", Vec::new()));
    assert_eq!(tree("f(NEW.*)"), lower::call("f", vec![Expr::Row { qualifier: "new".into() }]));
    assert_eq!(tree("coalesce(a, lower(b))").columns(), [&Ident::new("a"), &Ident::new("b")]);
    assert_eq!(tree("trim(both from a)"), lower::call("btrim", vec![column("a"), string(" ")]));
    assert_eq!(tree("extract(epoch from a)").calls(), [&Name::bare("extract")]);
    let window = tree("row_number() over (partition by a order by b)");
    assert_eq!(window.columns(), [&Ident::new("a"), &Ident::new("b")]);
    assert_eq!(window.calls(), [&Name::bare("row_number")]);
    let case = tree("case a when 1 then b else c end");
    assert!(matches!(&case, Expr::Case { branches, .. } if branches[0].0 == binary("=", column("a"), number("1"))));
    // What no parser here reads still says what it names.
    let other = tree("a between symmetric b and f(t.c::x)");
    assert!(
        matches!(&other, Expr::Other { text, .. } if &**text == "a between symmetric b and f(t.c::x)"),
        "{other:?}"
    );
    assert_eq!(other.columns().len(), 3);
    assert_eq!(other.calls(), [&Name::bare("f")]);
}

#[test]
fn queries() {
    let query = read_as_query(
        "with x (k) as materialized (select a from only s.y) \
         select t.a as b, t.*, 1 from t as u left join v using (id), lateral f(t.a) g where a > 0 \
         limit 5 for no key update of u skip locked",
    );
    assert_eq!(query.outputs.len(), 3);
    assert!(query.limited && !query.merges_rows);
    assert_eq!(query.row_lock, Some(RowLock::NoKeyUpdate));
    let CommonTableBody::Query(inner) = &query.with[0].body else { panic!() };
    assert!(matches!(&inner.from[0].source, FromSource::Relation { name, only: true } if name.to_string() == "s.y"));
    assert!(matches!(&inner.outputs[0], Output::Value { alias: Some(alias), .. } if *alias == "k"));
    assert_eq!(query.from.len(), 3);
    assert_eq!(query.from[1].join, Join::Left);
    assert_eq!(query.from[1].on, Some(binary("=", column("u.id"), column("v.id"))));
    assert!(matches!(&query.from[2].source, FromSource::Function { name, .. } if name.name == "f"));
    for (text, merges) in [
        ("select count(*) from t", true),
        ("select a from t group by a", true),
        ("select distinct a from t", true),
        ("select a from t union select a from t", true),
        ("select a from t union all select a from t", false),
        ("select row_number() over () from t", false),
        ("select sum(a) over () from t", false),
        ("select (select max(b) from u) from t", false),
        ("select a from t where b = (select max(b) from u)", false),
    ] {
        assert_eq!(read_as_query(text).merges_rows, merges, "{text}");
    }
    assert_eq!(read_as_query("values (1, 'a'), (2, 'b')").values.len(), 2);
    assert_eq!(read_as_query("table \"T\"").reads(), [&Name::bare("T")]);
    assert_eq!(read_as_query("select 1 from t for key share").row_lock, Some(RowLock::KeyShare));
    assert!(!read_as_query("select 1 from t limit all").limited);
    assert_eq!(read_as_query("select a from ${schema}.t_${x} where b = :'v'").reads().len(), 1);
    assert!(read_query("insert into t values (1)", false).is_err());
    let into = read_query("select a, b into strict x, new.y from t", true).unwrap();
    assert_eq!(into.into, Some(Name::bare("x")));
    assert_eq!(into.into_rest, [Name { schema: Some("new".into()), name: "y".into() }]);
    assert_eq!(read_as_query("select a into temp x from t").into, Some(Name::bare("x")));
}

#[test]
fn inserts() {
    let write = read_as_write(
        "INSERT INTO s.t AS x (a, B) OVERRIDING SYSTEM VALUE SELECT NEW.a, NEW.* FROM u \
         ON CONFLICT (a, lower(b)) WHERE c > 0 DO UPDATE SET a = excluded.a, (b, c) = (SELECT 1, 2) WHERE x.a > 1 \
         RETURNING a",
    );
    assert_eq!((write.kind, write.target.to_string().as_str()), (WriteKind::Insert, "s.t"));
    assert_eq!(write.columns, [Ident::new("a"), Ident::new("b")]);
    let conflict = write.on_conflict.unwrap();
    assert_eq!(conflict.columns, [Ident::new("a")]);
    assert_eq!(conflict.expressions, [lower::call("lower", vec![column("b")])]);
    assert_eq!(conflict.index_filter, Some(binary(">", column("c"), number("0"))));
    assert_eq!(conflict.filter, Some(binary(">", column("x.a"), number("1"))));
    let update = conflict.update.unwrap();
    assert_eq!(update.len(), 3);
    assert!(matches!(&update[2].1, Expr::Subquery(query) if query.outputs.len() == 1));

    let write = read_as_write("insert into t values (1, default), (2, (3)), (4, 5) on conflict do nothing");
    let Rows::Values { first, count } = &write.rows else { panic!() };
    assert_eq!((first.len(), *count), (2, 3));
    assert_eq!(first[1], Expr::Constant(Constant::Default));
    assert!(write.on_conflict.is_some_and(|conflict| conflict.update.is_none()));
    assert_eq!(read_as_write("insert into t default values").rows, Rows::Defaults);
    let write = read_as_write("insert into t values (new.*)");
    assert!(matches!(&write.rows, Rows::Values { first, .. } if first[0] == Expr::Row { qualifier: "new".into() }));
    let write = read_as_write("insert into t select new.*");
    assert!(matches!(&write.rows, Rows::Query(query) if query.outputs.len() == 1));
    let conflict = read_as_write("insert into t (a) values (1) on conflict on constraint k do nothing").on_conflict;
    assert_eq!(conflict.unwrap().constraint, Some(Ident::new("k")));
}

#[test]
fn updates_deletes_and_merges() {
    let write = read_as_write("UPDATE ONLY s.t AS x SET a[1] = 2, b = b + 1 FROM u WHERE x.id = u.id");
    assert!(write.only && write.alias == Some(Ident::new("x")));
    assert_eq!(write.assignments.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((write.from.len(), write.filter.is_some()), (1, true));
    assert!(read_as_write("update t set a = 1").filter.is_none());
    let write = read_as_write("delete from only (t) using u where current of c");
    assert!(write.only);
    assert!(matches!(&write.filter, Some(Expr::Other { text, .. }) if &**text == "current of c"));
    let write = read_as_write(
        "merge into t as x using s on x.id = s.id when matched and s.gone then delete \
         when matched then update set a = s.a when not matched then insert (id, a) values (s.id, s.a)",
    );
    assert_eq!(write.merge, [WriteKind::Delete, WriteKind::Update, WriteKind::Insert]);
    assert_eq!((write.columns.len(), write.assignments.len()), (2, 1));
    assert!(write.from[0].on.is_some());
    let write =
        read_as_write("with d as (delete from a where x returning *), e as (select 1) insert into b select * from d");
    assert_eq!(write.all().iter().map(|write| write.kind).collect::<Vec<_>>(), [WriteKind::Delete, WriteKind::Insert]);
    let query = read_as_query("with x as (update v set a = 1 returning a) select a from x");
    assert_eq!(query.writes().len(), 1);
    let write = read_write("insert into t (a) values (1) returning id into x", true).unwrap();
    assert_eq!(write.columns.len(), 1);
}

#[test]
fn tokens_say_what_the_parser_cannot() {
    let text = "with q as (select 1 from z) update only a.t as x set (a, b) = (1, 2 !@#% 3), c = f(d) \
                from u where a !@#% b returning *";
    assert!(parsed_write(&Tokens::new(text), false).is_err());
    let write = read_write(text, false).unwrap();
    assert_eq!((write.kind, write.target.to_string().as_str(), write.only), (WriteKind::Update, "a.t", true));
    assert_eq!(write.assignments.len(), 3);
    assert!(write.filter.is_some());
    assert_eq!(write.reads().len(), 2);
    let write = read_write("insert into t (a, b) values (1, 2 !@#% !), (3, 4) on conflict do nothing", false).unwrap();
    assert!(matches!(write.rows, Rows::Values { count: 2, .. }));
    assert_eq!(write.columns.len(), 2);
    assert!(read_write("delete t", false).is_err());
    assert!(read_write("", false).is_err());
}

/// Every hostile text is read on the small stack of a test's thread.
#[test]
fn deep_and_long_texts_are_refused_or_read() {
    let long = |part: &str, count: usize| part.repeat(count);
    for count in [60, 140, 2_000, 4_900, 20_000, 100_000] {
        for text in [
            format!("a{}", long(" and a = 1", count)),
            format!("a{}", long(" or a = 1 and b", count / 2)),
            format!("a{}", long(" + 1", count)),
            format!("a{}", long("::int", count)),
            format!("a{}", long("[1]", count)),
            format!("a::int{}", long("[]", count)),
            format!("a{}", long(" is null", count)),
            format!("a{}", long(" between 1 and 2", count)),
            format!("a{}", long(" in (1)", count)),
            format!("a{}", long(" collate \"C\"", count)),
            format!("a{}", long(" at time zone 'utc'", count)),
            format!("{}a{}", long("(", count), long(")", count)),
            format!("{}a", long("not ", count)),
            format!("{}a", long("- ", count)),
            format!("{}a", long("(", count)),
            format!("{}a{}", long("f(", count), long(")", count)),
            format!("{}a{}", long("row() over (order by ", count), long(")", count)),
            format!("{}1{}", long("case when a then ", count), long(" end", count)),
            format!("{}1{}", long("case a when ", count), long(" then 1 end", count)),
            format!("{}1{}", long("exists (select ", count), long(")", count)),
            format!("{}1{}", long("array[", count), long("]", count)),
            format!("{}1", long("interval ", count)),
            format!("f({}1)", long("1, ", count)),
        ] {
            let _ = tree(&text);
        }
        for text in [
            format!("select 1{}", long(" union all select a, b from t", count)),
            format!("{}select 1{}", long("(", count), long(")", count)),
            format!("{}select 1{}", long("with x as (", count), long(") select 1", count)),
            format!("select 1 from {}t{}", long("(", count), long(")", count)),
            format!("select 1 from {}t{}", long("(select 1 from ", count), long(") x", count)),
            format!("select 1 from t{}", long(" join u on a = b", count)),
            format!("select {}1", long("1, ", count)),
        ] {
            let _ = read_query(&text, true);
        }
        let rows = format!("insert into t values (1, 'x'){} on conflict do nothing", long(", (1, 'x')", count));
        let write = read_write(&rows, false).unwrap();
        assert!(matches!(write.rows, Rows::Values { count: read, .. } if read == count + 1));
        let set = format!("update t set (a, b) = {}(select 1, 2){}", long("(select 1, ", count), long(")", count));
        let _ = read_write(&set, false);
    }
}
