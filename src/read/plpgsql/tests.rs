use super::*;
use crate::operation::{Constant, Loop, LoopOver, Operation, Rows, WriteKind};
use crate::source::Sources;

fn read(text: &str) -> Body {
    read_as(text, "plpgsql")
}

fn read_as(text: &str, language: &str) -> Body {
    let mut sources = Sources::default();
    let id = sources.add("a.sql", text);
    body(&sources.piece(id), &Ident::new(language))
}

/// A body that is read without rest.
fn whole(text: &str) -> Body {
    let body = read(text);
    assert_eq!(*body.unread, [], "{text}");
    body
}

fn writes(body: &Body) -> Vec<String> {
    let mut found = Vec::new();
    for node in body.nodes.iter() {
        node.statements(&mut |statement| {
            let made = match &statement.operation {
                Operation::Write(write) => write.all(),
                Operation::Query(query) => query.writes(),
                _ => Vec::new(),
            };
            found.extend(made.into_iter().map(|write| format!("{} {}", write.kind, write.target)));
        });
    }
    found
}

#[test]
fn a_sync_function() {
    let body = whole(
        "BEGIN\n\
         IF (TG_OP = 'DELETE') THEN\n  DELETE FROM copy where \"id\" = OLD.\"id\";\n\
         ELSIF (TG_OP = 'UPDATE') THEN\n  UPDATE copy SET a = NEW.a WHERE copy.id = NEW.id;\n\
         ELSIF (TG_OP = 'INSERT') THEN\n  INSERT INTO copy (id, a) VALUES (NEW.id, NEW.a);\n\
         END IF;\nRETURN NULL;\n\nEND",
    );
    assert_eq!(writes(&body), ["DELETE copy", "UPDATE copy", "INSERT copy"]);
    let [Node::Guard { branches, otherwise }, Node::Return { value: Some(value), span }] = &*body.nodes else {
        panic!("{:?}", body.nodes)
    };
    assert_eq!((branches.len(), otherwise.len()), (3, 0));
    assert_eq!(&*branches[0].condition.text, "(TG_OP = 'DELETE')");
    assert!(value.is_null_constant());
    assert_eq!(&body.text[span.start as usize..span.end as usize], "RETURN NULL");
}

#[test]
fn declarations_are_variables() {
    let body = whole(
        "#variable_conflict use_column\n<<outer>> DECLARE a int := 1; b CONSTANT t.c%TYPE NOT NULL DEFAULT f(2);\
         c ALIAS FOR $1; r record; k CURSOR (x int) FOR SELECT z FROM u; DECLARE row t%ROWTYPE;\
         BEGIN <<inner>> DECLARE d text = 'x'; BEGIN NULL; END inner; FOR q IN k(1) LOOP NULL; END LOOP; END outer;",
    );
    let types: Vec<(&str, &str)> =
        body.variables.iter().map(|variable| (variable.name.as_str(), &*variable.data_type)).collect();
    let expected = [
        ("a", "int"),
        ("b", "t.c%TYPE"),
        ("c", "alias"),
        ("r", "record"),
        ("k", "refcursor"),
        ("row", "t%ROWTYPE"),
        ("d", "text"),
    ];
    assert_eq!(types, expected);
    assert!(body.variables[1].value.is_some() && body.variables[3].value.is_none());
    assert!(matches!(&body.nodes[0], Node::Loop(Loop { over: LoopOver::Query(query), .. }) if query.from.len() == 1));
}

#[test]
fn loops_and_their_sources() {
    let body = whole(
        "begin\n for i in reverse 10..1 by 2 loop null; end loop;\n\
         for a, b in select x, y from t where case when x then y end loop delete from d; end loop;\n\
         foreach e slice 1 in array arr loop exit when e is null; continue; end loop;\n\
         while n > 0 loop n := n - 1; end loop;\n\
         <<l>> loop exit l; end loop l;\n\
         for r in execute 'select 1 from z' loop null; end loop;\n\
         for r in execute format('select %I', c) using 1 loop null; end loop;\n\
         for r in insert into w select 1 returning * loop null; end loop;\n\
         for c in some_cursor loop null; end loop;\n\
         for r in with x as (update v set a = 1 returning a) select a from x loop null; end loop; end",
    );
    let loops: Vec<&Loop> = body
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Loop(found) => Some(found),
            _ => None,
        })
        .collect();
    let kinds: Vec<&str> = loops
        .iter()
        .map(|found| match &found.over {
            LoopOver::Query(_) => "query",
            LoopOver::Range { .. } => "range",
            LoopOver::Array(_) => "array",
            LoopOver::While(_) => "while",
            LoopOver::Endless => "endless",
            LoopOver::Unknown => "unknown",
        })
        .collect();
    assert_eq!(
        kinds,
        ["range", "query", "array", "while", "endless", "query", "unknown", "unknown", "unknown", "unknown"]
    );
    let number = |digits: &str| Expr::Constant(Constant::Number(digits.into()));
    assert_eq!(loops[0].over, LoopOver::Range { from: number("1"), to: number("10") });
    assert_eq!(loops[1].variables, [Ident::new("a"), Ident::new("b")]);
    assert!(matches!(&loops[2].body[..], [Node::Guard { .. }, Node::Leave { .. }]));
    assert!(body.nodes.iter().any(|node| matches!(node, Node::Dynamic { using, .. } if using.len() == 1)));
    assert_eq!(writes(&body), ["DELETE d", "INSERT w", "UPDATE v"]);
}

#[test]
fn blocks_keep_their_handlers() {
    let body = whole(
        "BEGIN BEGIN INSERT INTO t VALUES (NEW.*); EXCEPTION WHEN foreign_key_violation OR SQLSTATE '23505' THEN \
         RAISE WARNING 'x %', SQLERRM; WHEN OTHERS THEN RAISE; END; RETURN NEW; END;",
    );
    let Node::Block { body: inner, handlers } = &body.nodes[0] else { panic!() };
    assert_eq!(inner.len(), 1);
    assert_eq!(*handlers[0].conditions, ["foreign_key_violation".into(), "23505".into()]);
    assert!(matches!(handlers[0].body[..], [Node::Raise { fails: false, .. }]));
    assert!(matches!(handlers[1].body[..], [Node::Raise { fails: true, .. }]));
}

#[test]
fn assignments_and_values() {
    let body = whole(
        "begin new.a := 1; x = y + 1; r.f[2] := 3; $1 := 2; select a, b into strict x, new.b from t; \
         select into rec * from t; insert into t (a) values (1) returning id into new.c; \
         get diagnostics n = row_count, m = pg_context; fetch next from k into z; \
         perform f(a) from t; perform pg_notify('x', 'y'); assert a > 1, 'no'; commit; rollback; null; \
         case x when 1, 2 then null; else raise 'e'; end case; return query select 1; return next 5; return; end",
    );
    let assigned: Vec<String> = body
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Assign { qualifier: Some(qualifier), target, .. } => Some(format!("{qualifier}.{target}")),
            Node::Assign { target, .. } => Some(target.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(assigned, ["new.a", "x", "r.f", "\"$1\"", "new.c", "n", "m", "z"]);
    let queries: Vec<&Query> = body
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Statement(statement) => match &statement.operation {
                Operation::Query(query) => Some(&**query),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert_eq!(queries[0].into.as_ref().unwrap().to_string(), "x");
    assert_eq!(queries[0].into_rest[0].to_string(), "new.b");
    assert_eq!(queries[1].into.as_ref().unwrap().to_string(), "rec");
    assert_eq!(queries[2].calls().len(), 1);
    assert_eq!(queries.len(), 6);
    let guard = body.nodes.iter().rev().find_map(|node| match node {
        Node::Guard { branches, .. } => Some(&branches[0].condition.tree),
        _ => None,
    });
    assert!(matches!(guard, Some(Expr::In { list, .. }) if list.len() == 2));
}

#[test]
fn dynamic_texts() {
    let text = "begin execute 'insert into a values (1); delete from b' ; execute $q$update c set d = 'x'$q$ using 1; \
                execute 'drop ' || x into strict y using z, 2; execute format('select %I', a); end";
    let body = whole(text);
    assert_eq!(writes(&body), ["INSERT a", "DELETE b", "UPDATE c"]);
    body.nodes[1].statements(&mut |statement| {
        let span = statement.span;
        assert_eq!(&text[span.start as usize..span.end as usize], "delete from b");
    });
    let dynamic: Vec<(bool, usize)> = body
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Dynamic { into, using, .. } => Some((*into, using.len())),
            _ => None,
        })
        .collect();
    assert_eq!(dynamic, [(true, 2), (false, 0)]);
    assert!(matches!(&body.nodes[4], Node::Assign { target, .. } if *target == "y"));
}

#[test]
fn other_languages_and_broken_bodies() {
    let body = read_as("insert into a values (1); select 1;", "sql");
    assert_eq!((writes(&body), body.nodes.len(), body.unread.len()), (vec!["INSERT a".to_owned()], 2, 0));
    assert_eq!(&*read_as("return 1", "plpython3u").unread[0].1, "bodies in plpython3u are not read");
    for (text, reason, kept) in [
        ("", "expected BEGIN, found the end of the body", 0),
        ("begin insert into a values (1); if x then delete from b; end", "expected IF, found the end of the body", 2),
        ("begin delete from b; if x; end if; end", "expected then, found none".to_uppercase().as_str(), 1),
        ("begin delete from b; end; delete from c", "text behind the end of the body", 1),
        ("declare a int begin end", "a declaration does not end", 0),
        ("begin delete from a; ) ; end", "", 1),
    ] {
        let body = read(text);
        assert_eq!(writes(&body).len(), kept, "{text}");
        if !reason.is_empty() {
            assert!(body.unread[0].1.eq_ignore_ascii_case(reason), "{text}: {:?}", body.unread);
        }
    }
    let body = read("begin delete from a; frobnicate b; delete from c; end");
    assert_eq!(writes(&body), ["DELETE a", "DELETE c"]);
    assert!(
        matches!(&body.nodes[1], Node::Statement(statement) if matches!(statement.operation, Operation::Unread(_)))
    );
}

#[test]
fn many_rows_are_counted_in_bodies_too() {
    let body = whole("begin insert into a (b) values (1), (2), (3); end");
    let Node::Statement(statement) = &body.nodes[0] else { panic!() };
    let Operation::Write(write) = &statement.operation else { panic!() };
    assert_eq!(write.kind, WriteKind::Insert);
    assert!(matches!(write.rows, Rows::Values { count: 3, .. }));
}

#[test]
fn bodies_within_bodies_end() {
    let nested = |depth: usize| {
        let open: String = (0..depth).map(|level| format!("begin execute $q{level}$ do $d{level}$ ")).collect();
        let close: String = (0..depth).rev().map(|level| format!(" $d{level}$ $q{level}$; end")).collect();
        format!("{open}begin delete from a; end{close}")
    };
    let found = |depth: usize| {
        let body = read(&nested(depth));
        format!("{:?}", body.nodes).contains("Delete")
    };
    assert!(found(3));
    assert!(!found(40));
    let _ = found(3_000);
    assert!(found(1));
}

/// Read on the small stack of a test's thread.
#[test]
fn hostile_bodies_end() {
    let long = |part: &str, count: usize| part.repeat(count);
    for count in [90, 110, 5_000, 50_000] {
        for text in [
            long("begin ", count),
            format!("{}{}", long("begin ", count), long("end; ", count)),
            format!("begin {}", long("if a then ", count)),
            format!("begin {}{} end", long("if a then null; else ", count), long("end if; ", count)),
            format!("begin {} end", long("if ", count)),
            format!("begin {} end", long("loop ", count)),
            format!("begin {} end", long("case when a then ", count)),
            format!("begin {} end", long("a := 1; ", count)),
            format!("begin {} end", long("a[(", count)),
            format!("begin {} end", long("<<", count)),
            format!("begin {} end", long("a.", count)),
            format!("declare {}", long("a int; ", count)),
            format!("declare {}", long("declare ", count)),
            format!("begin {} end", long("; ", count)),
            format!("begin {} end", long("exception when ", count)),
            format!("declare c cursor for select {} from t; begin {} end", long("1,", count), long("open c; ", count)),
            format!("begin execute {} end", long("'a'\n", count)),
            format!("begin execute 'x' {} end", long("into a using ", count)),
        ] {
            let _ = read(&text);
            let _ = read_as(&text, "sql");
        }
    }
}
