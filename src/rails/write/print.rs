//! Calls and SQL as Ruby has them.

use crate::rails::call::Call;
use crate::rails::value::Value;
use crate::read::sql::lexer::{Kind, Lexer};

/// `add_index :users, :email, unique: true`
pub fn call(call: &Call) -> String {
    let arguments = call.arguments.iter().map(value);
    let options = call.options.0.iter().map(|(name, given)| format!("{name}: {}", value(given)));
    let given: Vec<String> = arguments.chain(options).collect();
    format!("{} {}", call.name, given.join(", "))
}

/// A statement that no call says. What psql would put in, Ruby does: `:last` becomes `#{last}`.
pub fn execute(sql: &str) -> Vec<String> {
    if !sql.contains(['\\', '#'])
        && let Some(filled) = filled(sql)
    {
        let lines = filled.lines().map(|line| format!("  {line}"));
        return std::iter::once("execute <<~SQL".to_owned()).chain(lines).chain(["SQL".to_owned()]).collect();
    }
    // Another word ends it where the statement has this one on a line of its own.
    let word = if sql.lines().any(|line| line.trim() == "SQL") { "STATEMENT" } else { "SQL" };
    if !sql.contains('\n') && !sql.contains(['"', '\\', '#']) {
        return vec![format!("execute \"{sql}\"")];
    }
    let begin = if sql.contains(['\\', '#']) { format!("execute <<~'{word}'") } else { format!("execute <<~{word}") };
    let lines = sql.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") });
    std::iter::once(begin).chain(lines).chain([word.to_owned()]).collect()
}

/// With Ruby's variables in the place of psql's; `None` where it has none.
fn filled(sql: &str) -> Option<String> {
    let (mut filled, mut end) = (String::new(), 0);
    for token in Lexer::new(sql).filter(|token| token.kind == Kind::Variable) {
        let name = token.text(sql).trim_start_matches(':');
        if !is_word(name) {
            return None;
        }
        let start = token.range().start;
        filled.push_str(&sql[end..start]);
        filled.push_str(&format!("#{{{name}}}"));
        end = token.range().end;
    }
    (end > 0).then(|| filled + &sql[end..])
}

fn value(given: &Value) -> String {
    match given {
        Value::Symbol(name) if is_word(name) => format!(":{name}"),
        Value::Symbol(name) => format!(":{}", string(name)),
        Value::Text(text) => string(text.as_str()),
        Value::Array(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Hash(pairs) => {
            let pair = |(key, given): &(Value, Value)| match key {
                Value::Symbol(name) if is_word(name) => format!("{name}: {}", value(given)),
                other => format!("{} => {}", value(other), value(given)),
            };
            format!("{{ {} }}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        Value::Nil => "nil".to_owned(),
        plain => plain.to_text().map_or_else(|| "nil".to_owned(), |text| text.to_string()),
    }
}

fn is_word(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A string between double quotes.
pub fn string(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    for letter in text.chars() {
        match letter {
            '\n' => written.push_str("\\n"),
            '"' | '\\' | '#' => written.extend(['\\', letter]),
            other => written.push(other),
        }
    }
    written.push('"');
    written
}
