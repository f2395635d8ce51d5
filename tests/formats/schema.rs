//! Validates a JSON document against a JSON schema of the drafts 4 to 7. A keyword that is not known here stops the test.
//!
//! In place of a library, which would bring 35 crates along for a test.

use serde_json::Value;

/// The faults of a document, each with its place.
pub fn faults(document: &Value, schema: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    Validator { root: schema }.check(document, schema, "", &mut faults);
    faults
}

struct Validator<'a> {
    root: &'a Value,
}

impl Validator<'_> {
    fn check(&self, value: &Value, schema: &Value, at: &str, faults: &mut Vec<String>) {
        if let Value::Bool(allowed) = schema {
            if !allowed {
                faults.push(format!("{at}: nothing may stand here"));
            }
            return;
        }
        for (keyword, wanted) in schema.as_object().unwrap() {
            self.keyword(keyword, wanted, value, schema, at, faults);
        }
    }

    fn holds(&self, value: &Value, schema: &Value) -> bool {
        let mut faults = Vec::new();
        self.check(value, schema, "", &mut faults);
        faults.is_empty()
    }

    fn keyword(
        &self,
        keyword: &str,
        wanted: &Value,
        value: &Value,
        schema: &Value,
        at: &str,
        faults: &mut Vec<String>,
    ) {
        let mut demand = |holds: bool| {
            if !holds {
                let shown: String = value.to_string().chars().take(80).collect();
                faults.push(format!("{at}: {keyword} {wanted} does not hold for {shown}"));
            }
        };
        let number = || wanted.as_f64().unwrap();
        match keyword {
            "$schema" | "id" | "$id" | "title" | "description" | "default" | "definitions" | "$defs" | "examples" => {}
            "format" => demand(wanted != "uri" || value.as_str().is_none_or(|uri| uri.contains(':'))),
            "$ref" => {
                let path = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                self.check(value, self.root.pointer(path).unwrap(), at, faults);
            }
            "type" => {
                let names: Vec<&str> = match wanted {
                    Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
                    name => vec![name.as_str().unwrap()],
                };
                demand(names.iter().any(|name| is(value, name)));
            }
            "enum" => demand(wanted.as_array().unwrap().contains(value)),
            "const" => demand(wanted == value),
            "minimum" => demand(value.as_f64().is_none_or(|value| value >= number())),
            "maximum" => demand(value.as_f64().is_none_or(|value| value <= number())),
            "minItems" => demand(value.as_array().is_none_or(|items| items.len() as f64 >= number())),
            "minLength" => demand(value.as_str().is_none_or(|text| text.chars().count() as f64 >= number())),
            "uniqueItems" => demand(
                value
                    .as_array()
                    .is_none_or(|items| items.iter().enumerate().all(|(place, item)| !items[..place].contains(item))),
            ),
            "required" => {
                let names = wanted.as_array().unwrap();
                demand(
                    value
                        .as_object()
                        .is_none_or(|object| names.iter().all(|name| object.contains_key(name.as_str().unwrap()))),
                );
            }
            "anyOf" => demand(wanted.as_array().unwrap().iter().any(|one| self.holds(value, one))),
            "oneOf" => demand(wanted.as_array().unwrap().iter().filter(|one| self.holds(value, one)).count() == 1),
            "pattern" => assert!(!value.is_string(), "{at}: patterns are not known here"),
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(item, wanted, &format!("{at}/{place}"), faults);
                }
            }
            "properties" => {
                for (name, part) in value.as_object().into_iter().flatten() {
                    if let Some(wanted) = wanted.get(name) {
                        self.check(part, wanted, &format!("{at}/{name}"), faults);
                    }
                }
            }
            "additionalProperties" => {
                for (name, part) in value.as_object().into_iter().flatten() {
                    if schema.get("properties").is_none_or(|known| known.get(name).is_none()) {
                        self.check(part, wanted, &format!("{at}/{name}"), faults);
                    }
                }
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type is called {other}"),
    }
}

#[test]
fn a_fault_is_found() {
    let schema = serde_json::json!({"type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"type": "array", "items": {"enum": [1, 2]}, "minItems": 1}}});
    let count = |document: Value| faults(&document, &schema).len();
    assert_eq!(count(serde_json::json!({"a": [1, 2]})), 0);
    assert_eq!(count(serde_json::json!({"a": [1, 3]})), 1);
    assert_eq!(count(serde_json::json!({"a": []})), 1);
    assert_eq!(count(serde_json::json!({"b": 1})), 2);
    assert_eq!(count(serde_json::json!([])), 1);
}
