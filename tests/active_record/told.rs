//! What `migrate.rb` tells: the calls of migrations as plimsoll takes them, and what each sent.

use std::sync::Arc;

use plimsoll::rails::{Call, Options, Text, Value};
use plimsoll::source::Span;
use serde_json::Value as Json;

pub enum Told {
    Call {
        call: Call,
        version: String,
        /// It was only collected, to be run backwards.
        backwards: bool,
        sent: Vec<String>,
    },
    /// A migration is done.
    Ends,
}

pub fn told(line: &str, at: Span) -> Told {
    let document: Json = serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}"));
    if document["ends"] == Json::Bool(true) {
        return Told::Ends;
    }
    let sent = document["sent"].as_array().into_iter().flatten().filter_map(Json::as_str);
    Told::Call {
        call: call(&document, at),
        version: document["version"].as_str().unwrap_or_default().to_owned(),
        backwards: document["backwards"] == Json::Bool(true),
        sent: sent.map(str::to_owned).collect(),
    }
}

fn call(document: &Json, at: Span) -> Call {
    let list = |part: &str| document[part].as_array().into_iter().flatten();
    let option = |pair: &Json| (pair[0].as_str().unwrap_or_default().into(), value(&pair[1]));
    Call {
        name: document["name"].as_str().unwrap_or_default().into(),
        arguments: list("arguments").map(value).collect(),
        options: Options(list("options").map(option).collect()),
        span: at,
        inner: document["inner"].as_array().map(|inner| inner.iter().map(|one| call(one, at)).collect()),
    }
}

fn value(document: &Json) -> Value {
    match document {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Integer(number.as_i64().expect("whole numbers come as such")),
        Json::String(text) => Value::text(text.as_str()),
        Json::Array(items) => Value::Array(Arc::new(items.iter().map(value).collect())),
        Json::Object(object) => match object.iter().next() {
            Some((kind, Json::String(text))) => match kind.as_str() {
                "symbol" => Value::symbol(text.as_str()),
                "float" => Value::Float(text.as_str().into()),
                "sql" => Value::Sql(Text::new(text.as_str())),
                _ => Value::unknown(text.as_str()),
            },
            Some((_, Json::Array(pairs))) => {
                Value::Hash(Arc::new(pairs.iter().map(|pair| (value(&pair[0]), value(&pair[1]))).collect()))
            }
            _ => panic!("no value: {document}"),
        },
    }
}
