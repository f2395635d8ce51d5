//! What ALTER COLUMN … TYPE costs for a pair of types: nothing, the indexes anew, or the rows anew.

use super::{SessionFacts, TimeZone};
use crate::operation::{Expr, Expression, Name, TypeName};
use crate::schema::{Schema, TypeKind};

/// The work of a type change, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TypeChange {
    /// The bytes stay, and so do plain indexes.
    Nothing,
    /// The bytes stay, the order of the values is another: indexes on the column are built anew.
    Indexes,
    /// Hangs on a type or setting that is not known: rows may be written anew.
    Unknown,
    /// All rows are written anew, and all indexes.
    Rewrite,
}

/// The cost of changing a column of type `from` to type `to`. Where `using` is more than the column and casts, the
/// rows are written anew, even to the same type (measured: altertype.using_expr_same_type).
pub fn type_change(
    from: &TypeName,
    to: &TypeName,
    using: Option<&Expression>,
    schema: &Schema,
    session: &SessionFacts,
) -> TypeChange {
    let pair = Pair { schema, session };
    match using.map(|using| &using.tree) {
        None => pair.cast(from, to),
        Some(tree) => pair.using(from, to, tree),
    }
}

/// Whether a change can fail on values that are there: 22001, 22003, 22P02 and the like.
pub fn may_not_fit(from: &TypeName, to: &TypeName, using: Option<&Expression>, schema: &Schema) -> bool {
    if using.is_some() {
        return true;
    }
    let Some(from) = base(from, schema) else { return true };
    if is_constrained_domain(to, schema) {
        return true;
    }
    let Some(to) = base(to, schema) else { return true };
    let widens = |chain: &[&str]| {
        let place = |name: &str| chain.iter().position(|one| *one == name);
        matches!((place(&word(&from)), place(&word(&to))), (Some(one), Some(other)) if one <= other)
    };
    match word(&to).as_str() {
        _ if from.array || to.array => from != to,
        "text" => false,
        "character varying" if to.modifiers.is_empty() => false,
        "integer" | "bigint" | "numeric" | "double precision" if to.modifiers.is_empty() => {
            !(widens(&["smallint", "integer", "bigint", "numeric"]) || widens(&["real", "double precision"]))
        }
        "jsonb" => word(&from) != "jsonb" && word(&from) != "json",
        "timestamp without time zone" | "timestamp with time zone" | "date" => {
            !word(&from).starts_with("timestamp") && word(&from) != "date"
        }
        "inet" => word(&from) != "cidr" && word(&from) != "inet",
        _ => from != to && !length_only_grows(&from, &to),
    }
}

struct Pair<'a> {
    schema: &'a Schema,
    session: &'a SessionFacts,
}

impl Pair<'_> {
    /// `USING column`, `USING column::type`: what the casts on the way cost.
    fn using(&self, from: &TypeName, to: &TypeName, tree: &Expr) -> TypeChange {
        let mut casts = Vec::new();
        let mut at = tree;
        while let Expr::Cast { value, to } = at {
            casts.push(to);
            at = value;
        }
        if !matches!(at, Expr::Column { .. }) {
            return TypeChange::Rewrite;
        }
        let mut cost = TypeChange::Nothing;
        let mut at = from;
        for step in casts.into_iter().rev().chain(std::iter::once(to)) {
            cost = cost.max(self.cast(at, step));
            at = step;
        }
        cost
    }

    fn cast(&self, from: &TypeName, to: &TypeName) -> TypeChange {
        if from == to {
            return TypeChange::Nothing;
        }
        // A domain's checks are run over every value; without any it is its base type.
        if is_constrained_domain(to, self.schema) {
            return TypeChange::Rewrite;
        }
        let (Some(from), Some(to)) = (base(from, self.schema), base(to, self.schema)) else {
            return TypeChange::Unknown;
        };
        if from == to {
            return TypeChange::Nothing;
        }
        if from.array || to.array {
            return TypeChange::Rewrite;
        }
        if word(&from) == word(&to) && from.built_in == to.built_in {
            return if length_only_grows(&from, &to) { TypeChange::Nothing } else { TypeChange::Rewrite };
        }
        self.across(&from, &to)
    }

    /// Two different types. PostgreSQL keeps the bytes where the cast is WITHOUT FUNCTION (pg_cast) and the new
    /// type's length does not cut.
    fn across(&self, from: &TypeName, to: &TypeName) -> TypeChange {
        const OIDS: &[&str] = &[
            "regclass",
            "regcollation",
            "regconfig",
            "regdictionary",
            "regnamespace",
            "regoper",
            "regoperator",
            "regproc",
            "regprocedure",
            "regrole",
            "regtype",
        ];
        let unlimited = to.modifiers.is_empty();
        let (one, other) = (word(from), word(to));
        match (one.as_str(), other.as_str()) {
            ("character varying", "text") => TypeChange::Nothing,
            ("text", "character varying") if unlimited => TypeChange::Nothing,
            ("cidr", "inet") => TypeChange::Nothing,
            ("xml" | "citext", "text" | "character varying") | ("text" | "character varying", "citext")
                if unlimited =>
            {
                TypeChange::Indexes
            }
            ("bit", "bit varying") if unlimited => TypeChange::Indexes,
            ("integer", "oid") | ("oid", "integer") => TypeChange::Indexes,
            ("integer" | "oid", kind) | (kind, "integer" | "oid") if OIDS.contains(&kind) => TypeChange::Indexes,
            ("timestamp without time zone", "timestamp with time zone")
            | ("timestamp with time zone", "timestamp without time zone")
                if length_only_grows(from, to) =>
            {
                match self.session.time_zone {
                    TimeZone::Utc => TypeChange::Indexes,
                    TimeZone::Other => TypeChange::Rewrite,
                    TimeZone::Unknown => TypeChange::Unknown,
                }
            }
            _ if !from.built_in && !is_known(from, self.schema) => TypeChange::Unknown,
            _ if !to.built_in && !is_known(to, self.schema) => TypeChange::Unknown,
            _ => TypeChange::Rewrite,
        }
    }
}

/// A length coercion is left out where the new limit is not narrower (the `*_support` functions of 9.2 and later).
fn length_only_grows(from: &TypeName, to: &TypeName) -> bool {
    if from.modifiers == to.modifiers {
        return true;
    }
    let number = |of: &TypeName, at: usize| of.modifiers.get(at).and_then(|text| text.parse::<i64>().ok());
    match word(to).split('(').next().unwrap_or_default() {
        "character varying" | "bit varying" => match (number(from, 0), number(to, 0)) {
            (_, None) => to.modifiers.is_empty(),
            (Some(old), Some(new)) => new >= old,
            (None, Some(_)) => false,
        },
        "numeric" => match (number(from, 0), number(to, 0)) {
            (_, None) => to.modifiers.is_empty(),
            (Some(old), Some(new)) => new >= old && number(from, 1).unwrap_or(0) == number(to, 1).unwrap_or(0),
            (None, Some(_)) => false,
        },
        "timestamp without time zone"
        | "timestamp with time zone"
        | "time without time zone"
        | "time with time zone"
        | "interval" => {
            // Six digits are all there are.
            let digits = |of: &TypeName| number(of, 0).unwrap_or(6).min(6);
            digits(to) >= digits(from)
        }
        // character(n) pads, bit(n) is exact: any change is written.
        _ => false,
    }
}

fn word(name: &TypeName) -> String {
    name.name.name.as_str().to_owned()
}

/// The type under domains; `None` where a name leads nowhere.
fn base(name: &TypeName, schema: &Schema) -> Option<TypeName> {
    let mut at = name.clone();
    // Domains over domains: PostgreSQL cannot make a cycle, an unread history might.
    for _ in 0..32 {
        if at.built_in {
            return Some(at);
        }
        let Some(found) = schema.find_type(&at.name) else {
            // An extension's type is known by its name alone.
            return extension_type(&at.name).then_some(at);
        };
        match &found.kind {
            TypeKind::Domain(domain) => {
                let array = at.array;
                at = domain.data_type.clone();
                at.array |= array;
            }
            // Named before, never seen made: by an extension, where its name says so.
            TypeKind::Unknown => return extension_type(&at.name).then_some(at),
            TypeKind::Enum { .. } | TypeKind::Composite { .. } | TypeKind::Range | TypeKind::Base => return Some(at),
        }
    }
    None
}

fn extension_type(name: &Name) -> bool {
    matches!(name.name.as_str(), "citext" | "hstore" | "ltree" | "geometry" | "geography" | "vector" | "cube")
}

fn is_known(name: &TypeName, schema: &Schema) -> bool {
    schema.find_type(&name.name).is_some() || extension_type(&name.name)
}

/// A domain with a CHECK or NOT NULL of its own, or of a domain below it: every value is tested. A domain whose
/// definition was not seen counts as unconstrained.
pub fn is_constrained_domain(name: &TypeName, schema: &Schema) -> bool {
    let mut at = name.clone();
    for _ in 0..32 {
        let Some(TypeKind::Domain(domain)) =
            (!at.built_in).then(|| schema.find_type(&at.name)).flatten().map(|one| &one.kind)
        else {
            return false;
        };
        if domain.not_null || !domain.checks.is_empty() {
            return true;
        }
        at = domain.data_type.clone();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Major;

    fn of(text: &str) -> TypeName {
        let (name, modifiers) =
            text.split_once('(').map_or((text, ""), |(name, rest)| (name, rest.trim_end_matches(')')));
        let modifiers = modifiers.split(',').filter(|one| !one.is_empty()).map(Into::into).collect();
        TypeName { modifiers, ..TypeName::built_in(TypeName::canonical(name).unwrap()) }
    }

    #[test]
    fn the_bytes_decide() {
        use TypeChange::{Indexes, Nothing, Rewrite, Unknown};
        let schema = Schema::new(Major(18));
        let at = |time_zone| SessionFacts { time_zone };
        for (from, to, cost, zone) in [
            ("varchar(50)", "varchar(100)", Nothing, TimeZone::Unknown),
            ("varchar(50)", "varchar(20)", Rewrite, TimeZone::Unknown),
            ("varchar(50)", "varchar", Nothing, TimeZone::Unknown),
            ("varchar", "varchar(50)", Rewrite, TimeZone::Unknown),
            ("text", "varchar(50)", Rewrite, TimeZone::Unknown),
            ("numeric(10,2)", "numeric(12,2)", Nothing, TimeZone::Unknown),
            ("numeric(10,2)", "numeric(14,4)", Rewrite, TimeZone::Unknown),
            ("numeric(10)", "numeric(12,0)", Nothing, TimeZone::Unknown),
            ("char(10)", "char(20)", Rewrite, TimeZone::Unknown),
            ("integer", "bigint", Rewrite, TimeZone::Unknown),
            ("timestamp(3)", "timestamp", Nothing, TimeZone::Unknown),
            ("timestamp", "timestamp(6)", Nothing, TimeZone::Unknown),
            ("timestamp", "timestamptz", Indexes, TimeZone::Utc),
            ("timestamp", "timestamptz", Rewrite, TimeZone::Other),
            ("timestamp", "timestamptz", Unknown, TimeZone::Unknown),
            ("timestamp", "timestamptz(3)", Rewrite, TimeZone::Utc),
            ("cidr", "inet", Nothing, TimeZone::Unknown),
            ("inet", "cidr", Rewrite, TimeZone::Unknown),
        ] {
            assert_eq!(type_change(&of(from), &of(to), None, &schema, &at(zone)), cost, "{from} to {to}");
        }
    }
}
