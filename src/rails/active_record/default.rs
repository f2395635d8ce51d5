//! Defaults: a Ruby value as SQL, as the column's type writes it.

use super::given::Asked;
use super::types::Writes;
use crate::operation::quoted;
use crate::rails::value::Value;

const UNKNOWN: &str = "$1";

/// What stands behind DEFAULT, or is written over NULL.
pub fn to_sql(value: &Value, writes: Writes, array: bool) -> Asked<String> {
    match value {
        Value::Sql(text) => return Ok(text.as_str().to_owned()),
        // What only the running program knows is a parameter, as in the rows that migrations write.
        Value::Unknown(_) | Value::Object(_) => return Ok(UNKNOWN.to_owned()),
        Value::Text(text) if writes == Writes::Uuid && text.as_str().contains("()") => {
            return Ok(text.as_str().to_owned());
        }
        Value::Nil => return Ok("NULL".to_owned()),
        _ => {}
    }
    if array {
        return match value {
            Value::Array(items) => Ok(quoted(&array_text(items, writes)?)),
            other => Ok(quoted(&text_of(other)?)),
        };
    }
    one(value, writes)
}

fn one(value: &Value, writes: Writes) -> Asked<String> {
    let null = || "NULL".to_owned();
    Ok(match writes {
        Writes::Integer => integer(value)?.map_or_else(null, |number| number.to_string()),
        Writes::Money if matches!(value, Value::Integer(_)) => text_of(value)?,
        Writes::Float | Writes::Decimal | Writes::Money => fraction(value)?.unwrap_or_else(null),
        Writes::Boolean => boolean(value)?.map_or_else(null, |yes| if yes { "TRUE" } else { "FALSE" }.to_owned()),
        Writes::Json => quoted(&json(value)?),
        Writes::Hstore => quoted(&hstore(value)?),
        Writes::Bytes => bytes(&text_of(value)?),
        Writes::Bits => bits(&text_of(value)?),
        Writes::Date => date(&text_of(value)?).map_or_else(null, |date| quoted(&date)),
        Writes::Timestamp => timestamp(&text_of(value)?).map_or_else(null, |time| quoted(&time)),
        Writes::Xml => format!("xml {}", quoted(&text_of(value)?)),
        Writes::Uuid => match text_of(value)? {
            text if is_uuid(&text) => quoted(&text),
            _ => null(),
        },
        Writes::Text => match value {
            Value::Bool(yes) => quoted(if *yes { "t" } else { "f" }),
            Value::Array(items) => quoted(&array_text(items, writes)?),
            Value::Range { from, to, exclusive } => {
                let end = if *exclusive { ")" } else { "]" };
                quoted(&format!("[{},{}{end}", text_of(from)?, text_of(to)?))
            }
            other => quoted(&text_of(other)?),
        },
    })
}

fn is_uuid(text: &str) -> bool {
    let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    let digits = bare.replace('-', "");
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn text_of(value: &Value) -> Asked<String> {
    match value {
        Value::Array(_) | Value::Hash(_) => Err("the default is no value that its column's type writes".into()),
        other => other
            .to_text()
            .map(|text| text.to_string())
            .ok_or_else(|| "the default is no value that can be written".into()),
    }
}

/// Text that begins with no number is none.
fn integer(value: &Value) -> Asked<Option<i128>> {
    Ok(match value {
        Value::Bool(yes) => Some(i128::from(*yes)),
        Value::Float(number) => leading(number).parse().ok(),
        other => leading(text_of(other)?.trim()).parse().ok(),
    })
}

/// The whole number that a text begins with.
fn leading(text: &str) -> &str {
    let digits = text.trim_start_matches(['-', '+']);
    let sign = text.len() - digits.len();
    let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
    &text[..sign + end]
}

/// Always with a point, without needless zeros: `0.0`, `9.99`.
fn fraction(value: &Value) -> Asked<Option<String>> {
    let text = match value {
        Value::Bool(yes) => u8::from(*yes).to_string(),
        other => text_of(other)?.trim().replace('_', ""),
    };
    if text.contains(['e', 'E']) {
        return Ok(text.parse::<f64>().is_ok().then_some(text));
    }
    let Ok(number) = text.parse::<f64>() else { return Ok(None) };
    if !number.is_finite() {
        return Ok(Some(quoted(&text)));
    }
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let (whole, rest) = (if whole.is_empty() { "0" } else { whole }, rest.trim_end_matches('0'));
    Ok(Some(format!("{whole}.{}", if rest.is_empty() { "0" } else { rest })))
}

fn boolean(value: &Value) -> Asked<Option<bool>> {
    Ok(match value {
        Value::Bool(yes) => Some(*yes),
        other => match text_of(other)?.as_str() {
            "" => None,
            "0" | "f" | "F" | "false" | "FALSE" | "off" | "OFF" => Some(false),
            _ => Some(true),
        },
    })
}

fn json(value: &Value) -> Asked<String> {
    Ok(match value {
        Value::Nil => "null".to_owned(),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => text_of(value)?,
        Value::Text(_) | Value::Symbol(_) => serde_json::Value::String(text_of(value)?).to_string(),
        Value::Array(items) => {
            let items = items.iter().map(json).collect::<Asked<Vec<_>>>()?;
            format!("[{}]", items.join(","))
        }
        Value::Hash(pairs) => {
            let pair = |(key, value): &(Value, Value)| {
                Ok(format!("{}:{}", serde_json::Value::String(text_of(key)?), json(value)?))
            };
            format!("{{{}}}", pairs.iter().map(pair).collect::<Asked<Vec<_>>>()?.join(","))
        }
        _ => return Err("the default is no value that JSON has".into()),
    })
}

fn hstore(value: &Value) -> Asked<String> {
    let Value::Hash(pairs) = value else { return text_of(value) };
    let word = |value: &Value| match value {
        Value::Nil => Ok("NULL".to_owned()),
        other => text_of(other).map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
    };
    let pair = |(key, value): &(Value, Value)| Ok(format!("{}=>{}", word(key)?, word(value)?));
    Ok(pairs.iter().map(pair).collect::<Asked<Vec<_>>>()?.join(", "))
}

/// `{a,"b c"}`, as the server takes arrays.
fn array_text(items: &[Value], writes: Writes) -> Asked<String> {
    let item = |value: &Value| {
        Ok(match (value, writes) {
            (Value::Nil, _) => "NULL".to_owned(),
            (Value::Array(inner), _) => array_text(inner, writes)?,
            (value, Writes::Integer) => integer(value)?.map_or_else(|| "NULL".to_owned(), |number| number.to_string()),
            (value, Writes::Float | Writes::Decimal) => fraction(value)?.unwrap_or_else(|| "NULL".to_owned()),
            (value, Writes::Boolean) => if boolean(value)? == Some(true) { "t" } else { "f" }.to_owned(),
            (value, Writes::Json) => array_word(&json(value)?),
            (value, _) => array_word(&text_of(value)?),
        })
    };
    Ok(format!("{{{}}}", items.iter().map(item).collect::<Asked<Vec<_>>>()?.join(",")))
}

fn array_word(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && !text.contains(|letter: char| letter.is_whitespace() || "{},\"\\".contains(letter));
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}

fn bytes(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    quoted(&format!("\\x{hex}"))
}

fn bits(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b'0' | b'1')) {
        format!("B'{text}'")
    } else {
        format!("X'{}'", text.trim_start_matches("0x").replace('\'', "''"))
    }
}

fn date(text: &str) -> Option<String> {
    is_endless(text).then(|| text.to_owned()).or_else(|| day(text).map(str::to_owned))
}

/// What is no point in time becomes NULL, `now()` too: functions come as lambdas.
fn timestamp(text: &str) -> Option<String> {
    if is_endless(text) {
        return Some(text.to_owned());
    }
    let day = day(text)?;
    let rest = text[day.len()..].trim_start_matches(['T', ' ']).trim_end_matches(" UTC").trim_end_matches('Z');
    let time = if rest.is_empty() { "00:00:00" } else { rest };
    Some(format!("{day} {time}"))
}

fn is_endless(text: &str) -> bool {
    matches!(text, "infinity" | "-infinity")
}

/// `2020-01-31` at the beginning.
fn day(text: &str) -> Option<&str> {
    let day = text.get(..10)?;
    let fits = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    fits.then_some(day)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn values_are_written_as_their_columns_type_does() {
        let hash = Value::Hash(Arc::new(vec![(Value::symbol("a"), Value::Array(Arc::new(vec![Value::Integer(1)])))]));
        let words = Value::Array(Arc::new(vec![Value::text("a"), Value::text("b c")]));
        for (value, writes, array, sql) in [
            (Value::Integer(0), Writes::Integer, false, "0"),
            (Value::text("0"), Writes::Integer, false, "0"),
            (Value::text("none"), Writes::Integer, false, "NULL"),
            (Value::Integer(0), Writes::Decimal, false, "0.0"),
            (Value::Float("9.90".into()), Writes::Decimal, false, "9.9"),
            (Value::Integer(1), Writes::Float, false, "1.0"),
            (Value::Bool(false), Writes::Boolean, false, "FALSE"),
            (Value::text("t"), Writes::Boolean, false, "TRUE"),
            (Value::text("it's"), Writes::Text, false, "'it''s'"),
            (Value::symbol("open"), Writes::Text, false, "'open'"),
            (Value::Integer(5), Writes::Text, false, "'5'"),
            (Value::Bool(false), Writes::Text, false, "'f'"),
            (Value::text("gen_random_uuid()"), Writes::Uuid, false, "gen_random_uuid()"),
            (hash, Writes::Json, false, "'{\"a\":[1]}'"),
            (Value::text("{}"), Writes::Json, false, "'\"{}\"'"),
            (Value::Array(Arc::new(vec![])), Writes::Text, true, "'{}'"),
            (words, Writes::Text, true, "'{a,\"b c\"}'"),
            (Value::text("2020-01-31"), Writes::Timestamp, false, "'2020-01-31 00:00:00'"),
            (Value::text("now()"), Writes::Timestamp, false, "NULL"),
            (Value::Sql(crate::rails::Text::new("now()")), Writes::Timestamp, false, "now()"),
            (Value::text("0"), Writes::Bits, false, "B'0'"),
            (Value::text("ab"), Writes::Bytes, false, "E'\\\\x6162'"),
            (Value::text("md5('a')::uuid"), Writes::Uuid, false, "NULL"),
            (Value::Nil, Writes::Text, false, "NULL"),
        ] {
            assert_eq!(to_sql(&value, writes, array).unwrap(), sql);
        }
        assert_eq!(to_sql(&Value::unknown("ENV"), Writes::Text, false).unwrap(), "$1");
    }
}
