use super::*;
use crate::read::sql::expression::tree;

fn ask(a: &str, b: &str) -> Answer {
    filter_implies_filter(&tree(a), &tree(b))
}

#[test]
fn implications_between_filters() {
    use Answer::{No, Unknown, Yes};
    for (a, b, answer) in [
        ("a >= 5", "a > 0", Yes),
        ("a > 0", "a >= 5", No),
        ("a > 1", "a >= 2", Unknown), // integers only
        ("a > 1.5", "a >= 2", Unknown),
        ("a >= 2", "1 < a", Yes),
        ("a = 1", "a is not null", Yes),
        ("a in (1, 2)", "a is not null and a < 3", Yes),
        ("a in (1, 2)", "a in (3, 2, 1)", Yes),
        ("a in (1, 2, 3)", "a in (1, 2)", No),
        ("a not in (1, 2)", "a <> 1", Yes),
        ("a not in (1, null)", "a = 7", Yes), // never true
        ("a is null", "a is not null", No),
        ("not (a = 1 or b = 2)", "a <> 1 and b <> 2", Yes),
        ("not not (a = 1)", "a = 1", Yes),
        ("a between 2 and 4", "a > 1 and a <= 4", Yes),
        ("a is distinct from 1", "a <> 1", No),
        ("a <> 1", "a is distinct from 1", Yes),
        ("a is not distinct from 1", "a = 1", Yes),
        ("a", "a is true", Yes),
        ("a = true", "a", Yes),
        ("not a", "a is distinct from true", Yes),
        ("a is not true", "not a", No),
        ("(a > 5) is true", "a > 5", Yes),
        ("(a > 5) is not false", "a > 5", No),
        ("status = 'active'", "status in ('active', 'idle')", Yes),
        ("status::text = any (array['x'::character varying, 'y']::text[])", "status in ('y', 'x')", Yes),
        ("status in ('a', 'b')", "status <> 'c'", Yes),
        ("status <> 'c'", "status in ('a', 'b')", No),
        ("d >= '2020-01-01'", "d > '2019-12-31'", Yes),
        ("d > '2020-01-01' and d < '2020-01-02'", "false", Unknown),
        ("d >= '2020-01-01' and d < '2019-01-01'", "false", Yes),
        ("x > 'B'", "x > 'a'", Unknown),   // the collation's order
        ("x = '1'", "x <> '01'", Unknown), // equal as numbers
        ("x = 'A'", "x <> 'a'", Unknown),  // equal in citext
        ("a = 5", "a = '5'", Yes),
        ("a = b and b = 3", "a = 3", Yes),
        ("a < b and b < c", "a < c", Yes),
        ("a < b", "b > a", Yes),
        ("a < b", "a <> b", Yes),
        ("a = b", "a is not null and b is not null", Yes),
        ("a is not distinct from b", "a is not null", No),
        ("old.a = 1", "a = 1", No),
        ("new.a = 1", "a = 1", Yes),
        ("t.a = 1", "a = 1", Yes),
        ("t.a = u.a", "false", No),
        ("lower(a) = 'x'", "lower(a) in ('x', 'y')", Yes),
        ("a like 'x%'", "a is not null", Yes),
        ("a like 'x%'", "a like 'x%' or b = 1", Yes),
        ("lower(a) = 'x'", "a is not null", Unknown),
        ("a > now()", "a > now()", Unknown),
        ("random() > 0.5", "random() > 0.5", Unknown),
        ("exists (select 1 from t)", "exists (select 1 from t)", Unknown),
        ("case when a > 1 then true end", "a > 1", Unknown),
        ("false", "a = 1", Yes),
        ("null", "a = 1", Yes),
        ("true", "a = 1", No),
        ("a = 1", "true", Yes),
        ("a = 1 and b = 2 and c = 3 and d = 4 and e = 5 and f = 6", "c in (3, 4)", Yes),
        ("a = 1 and b = 2", "a = 1 and c = 2", No),
        ("(a = 1 and b = 1) or (a = 2 and b = 2)", "a = b", Yes),
        ("(a = 1 and b = 1) or (a = 2 and b = 3)", "a = b", No),
        ("a = 1 and a = 2 and z", "b = 5", Yes),
        ("(a, b) is not null", "a is not null", Yes),
        ("(a, b) is null", "a is null", Yes),
        ("-a < -1", "-a < 0", Yes),
        ("a > -1", "a > -2", Yes),
    ] {
        assert_eq!(ask(a, b), answer, "{a} => {b}");
    }
}

#[test]
fn checks_let_null_pass() {
    use Answer::{No, Yes};
    let check = |a: &str, b: &str| check_implies_check(&tree(a), &tree(b));
    assert_eq!(check("a > 5", "a > 0"), Yes);
    assert_eq!(check("a > 5", "a is not null"), No);
    assert_eq!(check("a > 5 and a is not null", "a is not null"), Yes);
    let proves = |a: &str, b: &str| check_implies_filter(&tree(a), &tree(b));
    assert_eq!(proves("a is not null", "a is not null"), Yes);
    assert_eq!(proves("a > 0", "a is not null"), No);
    assert_eq!(proves("ty = 3", "ty = 3 and ty is not null"), No);
    let filter = |a: &str, b: &str| filter_implies_check(&tree(a), &tree(b));
    assert_eq!(filter("a is null", "a > 5"), Yes);
    assert_eq!(filter("true", "a > 5"), No);
    assert_eq!(is_contradiction(&tree("a > 5 and a < 3")), Yes);
    assert_eq!(is_contradiction(&tree("a = null")), Yes);
    assert_eq!(is_contradiction(&tree("a > 5")), No);
}

#[test]
fn columns_are_mapped() {
    let mapping = ColumnMapping::new([(Ident::new("id"), Ident::new("source_id")), (Ident::new("a"), Ident::new("b"))]);
    let ask = |a: &str, b: &str| implies_as(&tree(a), Reading::Filter, &tree(b), Reading::Check, &mapping);
    assert_eq!(ask("id > 5 and a = 1", "source_id > 0 and b <> 2"), Answer::Yes);
    assert_eq!(ask("true", "b > 0"), Answer::No);
    // What nothing fills may be filled by a default.
    assert_eq!(ask("true", "c > 0"), Answer::Unknown);
    // A column of the first table is not the second one's of the same name.
    assert_eq!(ask("b > 0", "b > 0"), Answer::No);
}

/// A small generator of random numbers (xorshift), seeded: the same conditions on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

fn random_condition(random: &mut Random, depth: usize) -> String {
    const NUMBERS: &[&str] = &["a", "b"];
    const CONSTANTS: &[&str] = &["1", "3", "5", "'3'", "null"];
    const SIGNS: &[&str] = &["=", "<>", "<", "<=", ">", ">="];
    const TEXTS: &[&str] = &["'k'", "'m'", "'p'"];
    if depth > 0 && random.below(3) > 0 {
        let (one, other) = (random_condition(random, depth - 1), random_condition(random, depth - 1));
        return match random.below(8) {
            0..=2 => format!("({one} and {other})"),
            3..=5 => format!("({one} or {other})"),
            6 => format!("(not {one})"),
            _ => format!("({one}) is {}", random.of(&["true", "not true", "false", "not false", "null", "not null"])),
        };
    }
    let (column, sign) = (random.of(NUMBERS), random.of(SIGNS));
    let (one, other) = (random.of(CONSTANTS), random.of(CONSTANTS));
    let (text, other_text) = (random.of(TEXTS), random.of(TEXTS));
    match random.below(12) {
        0 | 1 => format!("{column} {sign} {one}"),
        2 => format!("{one} {sign} {column}"),
        3 => format!("{column} is {}null", random.of(&["", "not "])),
        4 => format!("{column} {}in ({one}, {other})", random.of(&["", "not "])),
        5 => format!("{column} between {one} and {other}"),
        6 => format!("a {sign} b"),
        7 => format!("{column} is {}distinct from {one}", random.of(&["", "not "])),
        8 => format!("a is {}distinct from b", random.of(&["", "not "])),
        9 => format!("t {sign} {text}"),
        10 => format!("t {}in ({text}, {other_text})", random.of(&["", "not "])),
        _ => random.of(&["f", "not f", "f = true", "f <> true", "f is distinct from false", "f is null"]).to_owned(),
    }
}

/// The value of an expression in a row, for the tests alone: numbers are doubled so that halves are whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
}

struct Row {
    a: Known,
    b: Known,
    t: Known,
    f: Known,
}

impl Row {
    fn is_whole(&self) -> bool {
        [&self.a, &self.b].into_iter().all(|value| !matches!(value, Known::Number(twice) if twice % 2 != 0))
    }

    fn truth(&self, expr: &Expr) -> Option<bool> {
        match self.value(expr) {
            Known::Bool(value) => Some(value),
            Known::Null => None,
            other => panic!("{other:?} is no condition"),
        }
    }

    fn compare(&self, left: &Expr, right: &Expr) -> Option<std::cmp::Ordering> {
        let (left, right) = (self.value(left), self.value(right));
        let (left, right) = match (&left, &right) {
            (Known::Null, _) | (_, Known::Null) => return None,
            (Known::Number(_), Known::Text(text)) => (left.clone(), Known::Number(2 * text.parse::<i64>().unwrap())),
            (Known::Text(text), Known::Number(_)) => (Known::Number(2 * text.parse::<i64>().unwrap()), right.clone()),
            _ => (left, right),
        };
        Some(left.cmp(&right))
    }

    fn value(&self, expr: &Expr) -> Known {
        let known = |value: Option<bool>| value.map_or(Known::Null, Known::Bool);
        match expr {
            Expr::Column { name, .. } => match name.as_str() {
                "a" => self.a.clone(),
                "b" => self.b.clone(),
                "t" => self.t.clone(),
                _ => self.f.clone(),
            },
            Expr::Constant(Constant::Null) => Known::Null,
            Expr::Constant(Constant::Bool(value)) => Known::Bool(*value),
            Expr::Constant(Constant::Number(digits)) => Known::Number(2 * digits.parse::<i64>().unwrap()),
            Expr::Constant(Constant::String(text)) => Known::Text(text.to_string()),
            Expr::Not(one) => known(self.truth(one).map(|value| !value)),
            Expr::And(list) => known(self.fold(list, false)),
            Expr::Or(list) => known(self.fold(list, true)),
            Expr::IsNull(one) => Known::Bool(self.value(one) == Known::Null),
            Expr::Distinct(left, right) => {
                let both_null = self.value(left) == Known::Null && self.value(right) == Known::Null;
                Known::Bool(!both_null && self.compare(left, right) != Some(std::cmp::Ordering::Equal))
            }
            Expr::In { value, list } => {
                let equal = list.iter().map(|one| self.compare(value, one).map(std::cmp::Ordering::is_eq));
                let equal: Vec<Option<bool>> = equal.collect();
                known(if equal.contains(&Some(true)) {
                    Some(true)
                } else if equal.contains(&None) {
                    None
                } else {
                    Some(false)
                })
            }
            Expr::Binary { operator, left, right } => {
                let order = self.compare(left, right);
                known(order.map(|order| match &**operator {
                    "=" => order.is_eq(),
                    "<>" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
            other => panic!("{other:?}"),
        }
    }

    /// AND decides on false, OR on true.
    fn fold(&self, list: &[Expr], decides: bool) -> Option<bool> {
        let values: Vec<Option<bool>> = list.iter().map(|one| self.truth(one)).collect();
        if values.contains(&Some(decides)) {
            Some(decides)
        } else if values.contains(&None) {
            None
        } else {
            Some(!decides)
        }
    }
}

fn every_row() -> Vec<Row> {
    let numbers: Vec<Known> = std::iter::once(Known::Null).chain((-2..=14).map(Known::Number)).collect();
    let texts = ["", "j", "k", "l", "m", "n", "p", "q"].map(|text| Known::Text(text.to_owned()));
    let texts: Vec<Known> = std::iter::once(Known::Null).chain(texts).collect();
    let flags = [Known::Null, Known::Bool(false), Known::Bool(true)];
    let mut rows = Vec::new();
    for a in &numbers {
        for b in &numbers {
            for t in &texts {
                for f in &flags {
                    rows.push(Row { a: a.clone(), b: b.clone(), t: t.clone(), f: f.clone() });
                }
            }
        }
    }
    rows
}

/// Every Yes holds for all rows (halves too), every No fails for a row of whole numbers, and both are common.
#[test]
fn random_answers_are_proven_by_all_rows() {
    let rows = every_row();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let passes = |row: &Row, expr: &Expr, reading: Reading| match reading {
        Reading::Filter => row.truth(expr) == Some(true),
        Reading::Check => row.truth(expr) != Some(false),
    };
    let mut counts = BTreeMap::new();
    for round in 0..600 {
        let (a_text, b_text) = (random_condition(&mut random, 2), random_condition(&mut random, 2));
        let (a, b) = (tree(&a_text), tree(&b_text));
        let readings = [Reading::Filter, Reading::Check];
        let (a_reads, b_reads) = (readings[round % 2], readings[round / 2 % 2]);
        let answer = implies_as(&a, a_reads, &b, b_reads, &ColumnMapping::identity());
        let fails = |row: &Row| passes(row, &a, a_reads) && !passes(row, &b, b_reads);
        let shown = || format!("{a_text} ({a_reads:?}) => {b_text} ({b_reads:?})");
        match answer {
            Answer::Yes => assert!(!rows.iter().any(fails), "{}", shown()),
            Answer::No => assert!(rows.iter().any(|row| row.is_whole() && fails(row)), "{}", shown()),
            Answer::Unknown => {}
        }
        *counts.entry(answer).or_insert(0) += 1;
        // The normal form means the same in every row, and is its own normal form.
        let normal = normalise(&a);
        assert_eq!(normalise(&normal), normal, "{a_text}");
        for row in rows.iter().step_by(7) {
            assert_eq!(row.truth(&normal), row.truth(&a), "{a_text}: {normal:?}");
        }
    }
    assert!(counts[&Answer::Yes] > 40 && counts[&Answer::No] > 300, "{counts:?}");
    assert!(counts.get(&Answer::Unknown).is_none_or(|unknown| *unknown < 60), "{counts:?}");
}

#[test]
fn large_conditions_end() {
    let list = |from: usize, to: usize| (from..to).map(|one| one.to_string()).collect::<Vec<_>>().join(", ");
    let many = |count: usize, sign: &str| (0..count).map(|at| format!("c{at} {sign} {at}")).collect::<Vec<_>>();
    assert_eq!(ask(&format!("a in ({})", list(0, 900)), &format!("a in ({})", list(0, 1000))), Answer::Yes);
    assert_eq!(ask(&many(400, "=").join(" and "), "c7 < 8 and c399 = 399"), Answer::Yes);
    assert_eq!(ask(&many(400, "=").join(" or "), "c7 < 8"), Answer::No);
    let _ = ask(&many(4_000, "=").join(" and "), &many(4_000, ">=").join(" and "));
    let _ = ask(&many(4_000, "=").join(" or "), &many(4_000, ">=").join(" or "));
    let chain: Vec<String> = (0..3_000).map(|at| format!("c{at} < c{}", at + 1)).collect();
    assert_eq!(ask(&chain.join(" and "), "c0 < c3000"), Answer::Unknown);
    let nested = "not (a = 1 and ".repeat(140) + "b = 1" + &")".repeat(140);
    let _ = ask(&nested, &nested);
    let _ = ask(&format!("a in ({})", list(0, 60_000)), "a > 0");
}
