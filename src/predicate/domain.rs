//! The values worth trying: each constant, and as many values between, below and above them as there are terms to
//! hold them. What holds for all of these holds for all values of a densely ordered type.

use std::collections::BTreeMap;

use super::condition::{TermId, Terms};
use super::value::Value;

/// Most constants whose order as texts is looked at.
const ORDERED_TEXTS: usize = 512;
/// Most values of one class.
const VALUES: usize = 50_000;

/// The values of one class of terms, by position in their order.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    /// For each position: whether the type surely has such a value, whatever type it is.
    pub certain: Vec<bool>,
}

/// Domains of all terms, and the positions of all constants.
#[derive(Debug)]
pub(super) struct Domains {
    pub by_root: BTreeMap<TermId, Domain>,
    pub positions: Vec<u32>,
}

/// The constants of one class of terms, and how they are used.
#[derive(Debug, Default)]
struct Class {
    terms: usize,
    boolean: bool,
    ordered: bool,
    /// Indexes of uses of constants.
    uses: Vec<usize>,
}

impl Domains {
    /// `None` where it cannot be told which constants are equal, or in which order they stand.
    pub fn new(terms: &Terms) -> Option<Domains> {
        let mut classes: BTreeMap<TermId, Class> = BTreeMap::new();
        for (id, term) in terms.list.iter().enumerate() {
            let class = classes.entry(terms.root(id)).or_default();
            class.terms += 1;
            class.boolean |= term.boolean;
            class.ordered |= term.ordered;
        }
        for (at, (term, _)) in terms.constants.iter().enumerate() {
            classes.entry(terms.root(*term)).or_default().uses.push(at);
        }
        let mut domains = Domains { by_root: BTreeMap::new(), positions: vec![0; terms.constants.len()] };
        for (root, class) in classes {
            let domain = domains.class(terms, &class)?;
            domains.by_root.insert(root, domain);
        }
        Some(domains)
    }

    fn class(&mut self, terms: &Terms, class: &Class) -> Option<Domain> {
        let values: Vec<&Value> = class.uses.iter().map(|at| &terms.constants[*at].1).collect();
        if (values.len() + 1) * (class.terms + 1) > VALUES {
            return None;
        }
        if class.boolean || values.iter().any(|value| matches!(value, Value::Bool(_))) {
            return self.boolean(class, &values);
        }
        if values.iter().any(|value| matches!(value, Value::Number(_))) {
            return self.numbers(class, &values);
        }
        self.texts(class, &values)
    }

    fn boolean(&mut self, class: &Class, values: &[&Value]) -> Option<Domain> {
        for (at, value) in class.uses.iter().zip(values) {
            let Value::Bool(value) = value else { return None };
            self.positions[*at] = u32::from(*value);
        }
        Some(Domain { certain: vec![true; 2] })
    }

    fn numbers(&mut self, class: &Class, values: &[&Value]) -> Option<Domain> {
        let number = |value: &&Value| match value {
            Value::Number(number) => Some(number.clone()),
            // An untyped literal becomes the column's number.
            Value::Text(text) => super::decimal::Decimal::read(text),
            Value::Bool(_) => None,
        };
        let numbers: Vec<_> = values.iter().map(number).collect::<Option<_>>()?;
        let mut sorted = numbers.clone();
        sorted.sort();
        sorted.dedup();
        for (at, number) in class.uses.iter().zip(&numbers) {
            let place = sorted.binary_search(number).ok()?;
            self.positions[*at] = position(place, class.terms);
        }
        let gaps = (0..=sorted.len()).map(|gap| match (gap.checked_sub(1).map(|low| &sorted[low]), sorted.get(gap)) {
            (Some(low), Some(high)) => low.integers_between(high, class.terms),
            _ => true,
        });
        Some(Domain { certain: certain(gaps, class.terms) })
    }

    fn texts(&mut self, class: &Class, values: &[&Value]) -> Option<Domain> {
        let texts: Vec<&str> = values
            .iter()
            .map(|value| match value {
                Value::Text(text) => text.as_str(),
                Value::Bool(_) | Value::Number(_) => "",
            })
            .collect();
        let mut sorted = texts.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if !are_distinct(&sorted) {
            return None;
        }
        // The order of texts is the collation's; of texts of one shape every collation has the same.
        if class.ordered
            && (sorted.len() > ORDERED_TEXTS || !sorted.windows(2).all(|pair| same_shape(pair[0], pair[1])))
        {
            return None;
        }
        for (at, text) in class.uses.iter().zip(&texts) {
            self.positions[*at] = position(sorted.binary_search(text).ok()?, class.terms);
        }
        let last = sorted.len();
        let gaps = (0..=last).map(|gap| {
            let between = gap > 0 && gap < last;
            let empty_below = gap == 0 && sorted.first().is_some_and(|first| first.is_empty());
            // Numbers, dates and versions may have nothing between two texts; words have.
            let words = sorted.get(gap).is_none_or(|text| text.starts_with(|first: char| first.is_alphabetic()));
            !class.ordered || !(empty_below || (between && !words))
        });
        let mut certain = certain(gaps, class.terms);
        if values.is_empty() {
            // What is only compared with its like may be boolean: two values, no more.
            certain.iter_mut().skip(2).for_each(|value| *value = false);
        }
        Some(Domain { certain })
    }
}

/// Constants stand between gaps of `terms` values each.
fn position(place: usize, terms: usize) -> u32 {
    (terms + place * (terms + 1)) as u32
}

fn certain(gaps: impl Iterator<Item = bool>, terms: usize) -> Vec<bool> {
    let mut certain = Vec::new();
    for (at, gap) in gaps.enumerate() {
        if at > 0 {
            certain.push(true);
        }
        certain.extend(std::iter::repeat_n(gap, terms));
    }
    certain
}

/// Whether different texts are surely different values, of whatever type.
fn are_distinct(sorted: &[&str]) -> bool {
    const BOOLEAN: &[&str] = &["t", "true", "y", "yes", "on", "1", "f", "false", "n", "no", "off", "0"];
    const MOMENTS: &[&str] = &["now", "today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity", "allballs"];
    let mut folded: Vec<String> = sorted.iter().map(|text| text.trim().to_lowercase()).collect();
    folded.sort_unstable();
    let distinct = folded.windows(2).all(|pair| pair[0] != pair[1]);
    let any = |list: &[&str]| sorted.iter().filter(|text| list.contains(&text.trim().to_lowercase().as_str())).count();
    let is_word = |text: &&&str| text.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let mut literals = sorted.iter().filter(|text| !is_word(text) && !text.is_empty());
    // '1' and '01' may be one number, '2020-1-1' and '2020-01-01' one date.
    let alike = match literals.next() {
        Some(first) => literals.all(|text| same_shape(first, text)),
        None => true,
    };
    sorted.len() < 2 || (distinct && alike && any(BOOLEAN) < 2 && any(MOMENTS) == 0)
}

/// Digits under digits, lower case under lower case, all else equal.
fn same_shape(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    one.len() == other.len()
        && pairs.into_iter().all(|(one, other)| {
            one == other
                || (one.is_ascii_digit() && other.is_ascii_digit())
                || (one.is_ascii_lowercase() && other.is_ascii_lowercase())
        })
}
