//! Dates and times without a clock: a date that is written is known, now is not.

use super::Evaluator;
use super::given::Given;
use crate::rails::value::Value;

impl Evaluator<'_> {
    /// Calls on Date, Time, DateTime.
    pub(super) fn clock(&mut self, class: &str, name: &str, given: &Given) -> Option<Value> {
        if !matches!(class, "Date" | "Time" | "DateTime" | "Time.zone" | "Process") {
            return None;
        }
        match (name, given.arguments.as_slice()) {
            ("zone", _) => Some(Value::Constant("Time.zone".into())),
            ("new" | "civil", [Value::Integer(year), Value::Integer(month), Value::Integer(day)])
                if class == "Date" =>
            {
                Some(Value::text(format!("{year:04}-{month:02}-{day:02}")))
            }
            ("parse" | "iso8601" | "strptime", [Value::Text(text), ..]) if is_date(text.as_str()) => {
                Some(Value::Text(text.clone()))
            }
            _ => Some(Value::unknown(format!("`{class}.{name}` is what the clock says"))),
        }
    }
}

/// `2024-01-31`, which is written as it is.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}
