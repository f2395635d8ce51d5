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
            ("new" | "civil", parts) if class == "Date" && !parts.is_empty() => {
                let parts: Option<Vec<i64>> = parts.iter().map(number).collect();
                let part = |at: usize| parts.as_ref().map(|parts| parts.get(at).copied().unwrap_or(1));
                let date =
                    part(0).zip(part(1)).zip(part(2)).and_then(|((year, month), day)| Day::new(year, month, day));
                Some(date.map_or_else(|| Value::unknown("a date that is not known"), Day::value))
            }
            ("parse" | "iso8601" | "strptime", [Value::Text(text), ..]) if is_date(text.as_str()) => {
                Some(Value::Text(text.clone()))
            }
            _ => Some(Value::unknown(format!("`{class}.{name}` is what the clock says"))),
        }
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

/// A day of the calendar; dates are kept as their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Day {
    year: i64,
    month: i64,
    day: i64,
}

impl Day {
    fn new(year: i64, month: i64, day: i64) -> Option<Day> {
        let fits =
            (0..=9999).contains(&year) && (1..=12).contains(&month) && (1..=month_length(year, month)).contains(&day);
        fits.then_some(Day { year, month, day })
    }

    fn parse(text: &str) -> Option<Day> {
        let part = |from: usize, to: usize| text.get(from..to)?.parse().ok();
        if is_date(text) { Day::new(part(0, 4)?, part(5, 7)?, part(8, 10)?) } else { None }
    }

    fn value(self) -> Value {
        Value::text(format!("{:04}-{:02}-{:02}", self.year, self.month, self.day))
    }

    /// The same day of a later month, or its last one.
    fn months_on(self, count: i64) -> Option<Day> {
        let months = self.year.checked_mul(12)?.checked_add(self.month - 1)?.checked_add(count)?;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        Day::new(year, month, self.day.min(month_length(year, month)))
    }

    /// Day by day: more than some years are no date of a migration's.
    fn days_on(self, count: i64) -> Option<Day> {
        let mut day = self;
        for _ in 0..count.unsigned_abs().min(DAYS + 1) {
            day = match count > 0 {
                true => Day::new(day.year, day.month, day.day + 1).or_else(|| Day { day: 1, ..day }.months_on(1))?,
                false if day.day > 1 => Day { day: day.day - 1, ..day },
                false => day.months_on(-1)?.end_of_month(),
            };
        }
        (count.unsigned_abs() <= DAYS).then_some(day)
    }

    fn end_of_month(self) -> Day {
        Day { day: month_length(self.year, self.month), ..self }
    }
}

const DAYS: u64 = 20_000;

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What is asked of a text that is a date; `None`: it is none, or the question is one to a text.
pub(super) fn date_call(text: &str, name: &str, given: &Given) -> Option<Value> {
    let day = Day::parse(text)?;
    let count = given.first().map_or(Some(1), number);
    let moved = match name {
        "beginning_of_month" | "at_beginning_of_month" => Some(Day { day: 1, ..day }),
        "end_of_month" | "at_end_of_month" => Some(day.end_of_month()),
        "beginning_of_year" => Some(Day { month: 1, day: 1, ..day }),
        "next_month" | ">>" => day.months_on(count?),
        "prev_month" | "last_month" | "<<" => day.months_on(-count?),
        "next_year" => day.months_on(count?.checked_mul(12)?),
        "prev_year" | "last_year" => day.months_on(count?.checked_mul(-12)?),
        "next_day" | "tomorrow" | "succ" => day.days_on(count?),
        "prev_day" | "yesterday" => day.days_on(-count?),
        "+" => day.days_on(given.first().and_then(number)?),
        "-" => day.days_on(given.first().and_then(number)?.checked_neg()?),
        "year" => return Some(Value::Integer(day.year)),
        "month" | "mon" => return Some(Value::Integer(day.month)),
        "day" | "mday" => return Some(Value::Integer(day.day)),
        "strftime" => return formatted(day, given.first()?.name()?).map(Value::text),
        "to_s" | "iso8601" | "to_formatted_s" | "to_fs" if given.arguments.is_empty() => Some(day),
        _ => return None,
    };
    Some(moved.map_or_else(|| Value::unknown("a date that is not known"), Day::value))
}

fn formatted(day: Day, pattern: &str) -> Option<String> {
    let mut text = String::with_capacity(pattern.len() + 8);
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        text.push_str(&match letters.next()? {
            'Y' => format!("{:04}", day.year),
            'y' => format!("{:02}", day.year % 100),
            'm' => format!("{:02}", day.month),
            'd' => format!("{:02}", day.day),
            'F' => format!("{:04}-{:02}-{:02}", day.year, day.month, day.day),
            '%' => "%".to_owned(),
            _ => return None,
        });
    }
    Some(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar() {
        let ask = |text: &str, name: &str, given: Vec<Value>| date_call(text, name, &Given::of(given));
        let is = |value: Option<Value>, text: &str| {
            assert_eq!(value.and_then(|value| value.to_text()).as_deref(), Some(text));
        };
        is(ask("2024-01-31", "next_month", vec![]), "2024-02-29");
        is(ask("2025-12-15", "beginning_of_month", vec![]), "2025-12-01");
        is(ask("2025-12-31", "+", vec![Value::Integer(1)]), "2026-01-01");
        is(ask("2024-03-01", "-", vec![Value::Integer(1)]), "2024-02-29");
        is(ask("2024-03-01", ">>", vec![Value::Integer(-3)]), "2023-12-01");
        is(ask("2025-04-01", "strftime", vec![Value::text("%Y%m")]), "202504");
        assert!(ask("2025-04-01", "strftime", vec![Value::text("%j")]).is_none());
        assert!(matches!(ask("2025-04-01", "+", vec![Value::Integer(i64::MAX)]), Some(Value::Unknown(_))));
        assert!(ask("2025-13-01", "year", vec![]).is_none() && ask("a text", "year", vec![]).is_none());
    }
}
