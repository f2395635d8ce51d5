//! One and many, as Active Record's names need them: `belongs_to :category` refers to `categories`, a key to
//! `categories` stands in `category_id`.
//!
//! English as Rails knows it, with what a project adds to it. Endings are tried in order, the first that fits counts.

use std::sync::Arc;

/// What a project's initializer adds.
#[derive(Debug, Clone, Default)]
pub struct Inflections {
    /// One and many.
    pub irregular: Vec<(Arc<str>, Arc<str>)>,
    pub uncountable: Vec<Arc<str>>,
}

const IRREGULAR: &[(&str, &str)] = &[
    ("person", "people"),
    ("man", "men"),
    ("child", "children"),
    ("sex", "sexes"),
    ("move", "moves"),
    ("zombie", "zombies"),
];

const UNCOUNTABLE: &[&str] =
    &["equipment", "information", "rice", "money", "species", "series", "fish", "sheep", "jeans", "police"];

/// An ending, what must stand before it, and what takes its place.
struct Ending {
    before: Before,
    ending: &'static str,
    by: &'static str,
}

enum Before {
    Anything,
    /// The whole word is this and the ending.
    Only(&'static [&'static str]),
    /// It ends in one of these.
    One(&'static [&'static str]),
    /// A letter, none of these.
    No(&'static str),
    /// A consonant, or `qu`.
    Consonant,
}

const fn ending(before: Before, ending: &'static str, by: &'static str) -> Ending {
    Ending { before, ending, by }
}

const PLURALS: &[Ending] = &[
    ending(Before::One(&["quiz"]), "", "zes"),
    ending(Before::Only(&["oxen"]), "", ""),
    ending(Before::Only(&["ox"]), "", "en"),
    ending(Before::Only(&["m", "l"]), "ice", "ice"),
    ending(Before::Only(&["m", "l"]), "ouse", "ice"),
    ending(Before::One(&["matr", "vert", "ind"]), "ix", "ices"),
    ending(Before::One(&["matr", "vert", "ind"]), "ex", "ices"),
    ending(Before::One(&["x", "ch", "ss", "sh"]), "", "es"),
    ending(Before::Consonant, "y", "ies"),
    ending(Before::One(&["hive"]), "", "s"),
    ending(Before::No("f"), "fe", "ves"),
    ending(Before::One(&["l", "r"]), "f", "ves"),
    ending(Before::Anything, "sis", "ses"),
    ending(Before::One(&["t", "i"]), "a", "a"),
    ending(Before::One(&["t", "i"]), "um", "a"),
    ending(Before::One(&["buffal", "tomat"]), "o", "oes"),
    ending(Before::One(&["bu"]), "s", "ses"),
    ending(Before::One(&["alias", "status"]), "", "es"),
    ending(Before::One(&["octop", "vir"]), "i", "i"),
    ending(Before::One(&["octop", "vir"]), "us", "i"),
    ending(Before::Only(&["ax", "test"]), "is", "es"),
    ending(Before::Anything, "s", "s"),
    ending(Before::Anything, "", "s"),
];

const SINGULARS: &[Ending] = &[
    ending(Before::Anything, "databases", "database"),
    ending(Before::One(&["quiz"]), "zes", ""),
    ending(Before::One(&["matr"]), "ices", "ix"),
    ending(Before::One(&["vert", "ind"]), "ices", "ex"),
    ending(Before::Only(&["ox"]), "en", ""),
    ending(Before::One(&["alias", "status"]), "es", ""),
    ending(Before::One(&["alias", "status"]), "", ""),
    ending(Before::One(&["octop", "vir"]), "us", "us"),
    ending(Before::One(&["octop", "vir"]), "i", "us"),
    ending(Before::Only(&["ax"]), "is", "is"),
    ending(Before::Only(&["ax"]), "es", "is"),
    ending(Before::One(&["cris", "test"]), "is", "is"),
    ending(Before::One(&["cris", "test"]), "es", "is"),
    ending(Before::One(&["shoe"]), "s", ""),
    ending(Before::One(&["o"]), "es", ""),
    ending(Before::One(&["bus"]), "es", ""),
    ending(Before::One(&["bus"]), "", ""),
    ending(Before::Only(&["m", "l"]), "ice", "ouse"),
    ending(Before::One(&["x", "ch", "ss", "sh"]), "es", ""),
    ending(Before::One(&["movie"]), "s", ""),
    ending(Before::Anything, "series", "series"),
    ending(Before::Consonant, "ies", "y"),
    ending(Before::One(&["l", "r"]), "ves", "f"),
    ending(Before::One(&["tive"]), "s", ""),
    ending(Before::One(&["hive"]), "s", ""),
    ending(Before::No("f"), "ves", "fe"),
    ending(Before::Only(&["analy"]), "ses", "sis"),
    ending(Before::Only(&["analy"]), "sis", "sis"),
    ending(Before::One(&["analy", "ba", "diagno", "parenthe", "progno", "synop", "the"]), "ses", "sis"),
    ending(Before::One(&["analy", "ba", "diagno", "parenthe", "progno", "synop", "the"]), "sis", "sis"),
    ending(Before::One(&["t", "i"]), "a", "um"),
    ending(Before::Anything, "news", "news"),
    ending(Before::Anything, "ss", "ss"),
    ending(Before::Anything, "s", ""),
];

impl Inflections {
    pub fn pluralize(&self, word: &str) -> String {
        self.inflect(word, Number::Many, PLURALS)
    }

    pub fn singularize(&self, word: &str) -> String {
        self.inflect(word, Number::One, SINGULARS)
    }

    fn inflect(&self, word: &str, wanted: Number, endings: &[Ending]) -> String {
        if word.is_empty() || self.is_uncountable(word) {
            return word.to_owned();
        }
        if let Some(known) = self.irregular(word, wanted) {
            return known;
        }
        let lower = word.to_lowercase();
        // Lower case of another length: no word of English.
        if lower.len() != word.len() {
            return word.to_owned();
        }
        let fits = endings.iter().find(|one| one.fits(&lower));
        fits.map_or_else(|| word.to_owned(), |one| format!("{}{}", &word[..word.len() - one.ending.len()], one.by))
    }

    /// A word of its own, after a space, a dot or nothing: `user_information` is none.
    fn is_uncountable(&self, word: &str) -> bool {
        let known = UNCOUNTABLE.iter().copied().chain(self.uncountable.iter().map(|one| &**one));
        known.into_iter().any(|known| ends_with_word(word, known))
    }

    fn irregular(&self, word: &str, wanted: Number) -> Option<String> {
        let own = self.irregular.iter().map(|(one, many)| (&**one, &**many));
        own.chain(IRREGULAR.iter().copied()).find_map(|(one, many)| {
            let (from, to) = if wanted == Number::Many { (one, many) } else { (many, one) };
            // What has its form already keeps it.
            [(from, to), (to, to)].into_iter().find_map(|(ending, by)| {
                let rest = strip_ending(word, ending)?;
                let first = word[rest.len()..].chars().next()?;
                // Its first letter stays as it is written, where both begin with the same.
                let same = by.chars().next()?.eq_ignore_ascii_case(&first);
                Some(if same { format!("{rest}{first}{}", by.get(first.len_utf8()..)?) } else { format!("{rest}{by}") })
            })
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    One,
    Many,
}

fn strip_ending<'a>(word: &'a str, ending: &str) -> Option<&'a str> {
    let at = word.len().checked_sub(ending.len())?;
    (word.is_char_boundary(at) && word[at..].eq_ignore_ascii_case(ending)).then(|| &word[..at])
}

fn ends_with_word(word: &str, ending: &str) -> bool {
    strip_ending(word, ending).is_some_and(|rest| !rest.ends_with(|last: char| last.is_alphanumeric() || last == '_'))
}

impl Ending {
    fn fits(&self, word: &str) -> bool {
        let Some(rest) = word.strip_suffix(self.ending) else { return false };
        match &self.before {
            Before::Anything => true,
            Before::Only(whole) => whole.contains(&rest),
            Before::One(endings) => endings.iter().any(|ending| rest.ends_with(ending)),
            Before::No(letters) => rest.chars().next_back().is_some_and(|last| !letters.contains(last)),
            Before::Consonant => {
                rest.ends_with("qu") || rest.chars().next_back().is_some_and(|last| !"aeiouy".contains(last))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_many() {
        let words = Inflections::default();
        for (one, many) in [
            ("user", "users"),
            ("category", "categories"),
            ("key", "keys"),
            ("address", "addresses"),
            ("status", "statuses"),
            ("box", "boxes"),
            ("batch", "batches"),
            ("index", "indices"),
            ("person", "people"),
            ("sales_person", "sales_people"),
            ("child", "children"),
            ("news", "news"),
            ("datum", "data"),
            ("analysis", "analyses"),
            ("series", "series"),
            ("information", "information"),
            ("user_information", "user_informations"),
            ("movie", "movies"),
            ("archive", "archives"),
            ("half", "halves"),
            ("wife", "wives"),
            ("shoe", "shoes"),
            ("hero", "heros"),
            ("database", "databases"),
            ("bus", "buses"),
            ("quiz", "quizzes"),
            ("mouse", "mice"),
            ("move", "moves"),
            ("medium", "media"),
            ("process", "processes"),
            ("query", "queries"),
            ("alias", "aliases"),
            ("campus", "campus"),
            ("Person", "People"),
        ] {
            assert_eq!(words.pluralize(one), many);
        }
        for (many, one) in [
            ("users", "user"),
            ("categories", "category"),
            ("addresses", "address"),
            ("statuses", "status"),
            ("people", "person"),
            ("person", "person"),
            ("indices", "index"),
            ("data", "datum"),
            ("analyses", "analysis"),
            ("movies", "movie"),
            ("archives", "archive"),
            ("halves", "half"),
            ("wives", "wife"),
            ("heroes", "hero"),
            ("buses", "bus"),
            ("series", "series"),
            ("processes", "process"),
            ("address", "address"),
            ("user", "user"),
            ("leaves", "leafe"),
        ] {
            assert_eq!(words.singularize(many), one, "{many}");
        }
    }

    #[test]
    fn a_project_adds_its_own() {
        let words = Inflections { irregular: vec![("cow".into(), "kine".into())], uncountable: vec!["staff".into()] };
        assert_eq!(words.pluralize("cow"), "kine");
        assert_eq!(words.singularize("brown_kine"), "brown_cow");
        assert_eq!(words.pluralize("staff"), "staff");
    }
}
