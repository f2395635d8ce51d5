//! What a rule says: a finding, its evidence, its way out.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use crate::source::Span;
use crate::version::Major;

/// How bad it is. `Off` is for settings; no finding has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Off,
    Note,
    Warning,
    Error,
}

impl Severity {
    /// One level less: for hazards that rest on something uncertain.
    pub fn softened(self) -> Severity {
        match self {
            Severity::Error => Severity::Warning,
            Severity::Warning | Severity::Note => Severity::Note,
            Severity::Off => Severity::Off,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Severity::Off => "off",
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// A place in the history that makes a finding true, with what it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Because {
    pub span: Span,
    pub text: String,
    /// The text is what this other rule found: a part of the finding.
    pub rule: Option<&'static str>,
}

impl Because {
    /// The text, with the rule that an allow of this place names.
    pub fn told(&self) -> Cow<'_, str> {
        match self.rule {
            Some(rule) => Cow::Owned(format!("{} [{rule}]", self.text)),
            None => Cow::Borrowed(&self.text),
        }
    }
}

/// One link of the path a write takes: `INSERT a` → trigger `t` → function `f` → table `b` → constraint `c`.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    pub kind: LinkKind,
    /// As messages name it.
    pub object: String,
    /// Where it was made.
    pub span: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    Write,
    Trigger,
    Function,
    Table,
    Partition,
    Constraint,
}

impl LinkKind {
    pub fn word(self) -> &'static str {
        match self {
            LinkKind::Write => "write",
            LinkKind::Trigger => "trigger",
            LinkKind::Function => "function",
            LinkKind::Table => "table",
            LinkKind::Partition => "partition",
            LinkKind::Constraint => "constraint",
        }
    }
}

/// A fault that is told once in a whole run, at its first place.
pub const ONCE: &str = "run";

/// The fault of a statement that fails: what its script would do behind it is never reached.
pub const FAILS: &str = "fails";

/// Writes that fail: in words, and in which partitions where not in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub writes: String,
    pub partitions: Vec<String>,
}

/// One fault at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub rule: &'static str,
    pub severity: Severity,
    /// False where it rests on something that could not be decided.
    pub certain: bool,
    /// Index of the migration in its history, and of the history; `None` for findings about files and settings.
    pub migration: Option<MigrationRef>,
    pub span: Span,
    /// What will happen to which object, in one line without advice.
    pub message: String,
    /// The same in a few words, for the finding that this one is said inside of.
    pub brief: String,
    pub because: Vec<Because>,
    pub chain: Vec<Link>,
    /// The writes that fail.
    pub hits: Vec<Hit>,
    /// The rows that are left alone, in words.
    pub spares: Vec<String>,
    /// Objects as `quote_ident` prints them, the most important first.
    pub objects: Vec<String>,
    /// What to run instead: SQL for the input at hand, or words.
    pub instead: Option<String>,
    /// A read-only query that counts the rows that would fail.
    pub verify: Option<String>,
    pub stops: Vec<String>,
    pub postgres: Vec<Major>,
    pub databases: Vec<String>,
    /// What the fault is about: findings of one rule and one migration about the same are one.
    pub fault: String,
    /// How much rests on what it is about: of equally grave findings of one fault the greater tells it.
    pub rank: usize,
    /// What to run instead is for all of its fault so far: the last one said holds.
    pub for_all: bool,
    /// The kind of operation (`alter-table add-constraint`): part of the fingerprint.
    pub operation: &'static str,
    /// 16 hexadecimal digits, set when the report is made.
    pub fingerprint: String,
}

/// A migration by its place in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationRef {
    pub history: usize,
    pub migration: usize,
}

impl Finding {
    pub fn because(&mut self, span: Span, text: impl Into<String>) -> &mut Finding {
        self.because.push(Because { span, text: text.into(), rule: None });
        self
    }

    pub fn link(&mut self, kind: LinkKind, object: impl Into<String>, span: Option<Span>) -> &mut Finding {
        self.chain.push(Link { kind, object: object.into(), span });
        self
    }

    /// Writes that fail; partitions of the same writes come together, and an empty list means all.
    pub fn hit(&mut self, hit: Hit) -> &mut Finding {
        match self.hits.iter_mut().find(|known| known.writes == hit.writes) {
            Some(known) if known.partitions.is_empty() || hit.partitions.is_empty() => known.partitions.clear(),
            Some(known) => {
                known.partitions.extend(hit.partitions);
                known.partitions.sort();
                known.partitions.dedup();
            }
            None => self.hits.push(hit),
        }
        self
    }

    pub fn spare(&mut self, rows: impl Into<String>) -> &mut Finding {
        let rows = rows.into();
        if !self.spares.contains(&rows) {
            self.spares.push(rows);
        }
        self
    }

    pub fn object(&mut self, object: impl fmt::Display) -> &mut Finding {
        let object = object.to_string();
        if !self.objects.contains(&object) {
            self.objects.push(object);
        }
        self
    }

    /// Findings of this rule and migration with the same fault become one.
    pub fn one_per(&mut self, fault: impl Into<String>) -> &mut Finding {
        self.fault = fault.into();
        self
    }

    pub fn instead(&mut self, text: impl Into<String>) -> &mut Finding {
        self.instead = Some(text.into());
        self
    }

    /// What to run instead of all of the fault: later findings about it know more.
    pub fn instead_of_all(&mut self, text: impl Into<String>) -> &mut Finding {
        self.for_all = true;
        self.instead(text)
    }

    pub fn verify(&mut self, query: impl Into<String>) -> &mut Finding {
        self.verify = Some(query.into());
        self
    }

    /// It holds on these majors too.
    pub fn hold_on(&mut self, majors: &[Major]) {
        self.postgres.extend(majors);
        self.postgres.sort_unstable();
        self.postgres.dedup();
    }

    /// Takes over what another finding about the same fault knows.
    pub fn absorb(&mut self, mut other: Finding) {
        if other.for_all {
            self.instead = other.instead.clone();
        }
        // The graver of the two tells it.
        if (other.severity, other.rank) > (self.severity, self.rank) {
            if other.for_all {
                other.instead = self.instead.clone();
            }
            std::mem::swap(self, &mut other);
        }
        self.also_at(&other);
        self.join_advice(&other);
        self.certain |= other.certain;
        for object in other.objects {
            self.object(object);
        }
        for hit in other.hits {
            self.hit(hit);
        }
        for rows in other.spares {
            self.spare(rows);
        }
        for because in other.because {
            if !self.because.iter().any(|known| known.text == because.text) {
                self.because.push(because);
            }
        }
        self.hold_on(&other.postgres);
    }

    /// Where the fault stands again: what is said there, if it is another thing.
    fn also_at(&mut self, other: &Finding) {
        let known = self.because.iter().any(|because| because.span == other.span);
        if known || self.span == other.span {
            return;
        }
        let text = if self.message == other.message { "this is the same fault again" } else { &other.message };
        self.because(other.span, text);
    }

    /// What to run instead, and the query that counts, are for both; a statement for each, one query for all.
    fn join_advice(&mut self, other: &Finding) {
        if !self.for_all
            && let (Some(own), Some(more)) = (&mut self.instead, &other.instead)
            && !own.contains(more.as_str())
        {
            // What is said above each statement is said once.
            let said = |line: &&str| line.starts_with("--") && own.lines().any(|known| known == *line);
            let more: Vec<&str> = more.lines().skip_while(said).collect();
            *own = format!("{own}\n{}", more.join("\n"));
        }
        if let (Some(own), Some(more)) = (&mut self.verify, &other.verify)
            && !own.contains(more.as_str())
        {
            *own = format!("SELECT ({own}) + ({more})");
        }
    }

    /// One level less where `certain` is false.
    pub fn if_certain(&mut self, certain: bool) -> &mut Finding {
        if !certain && self.certain {
            self.certain = false;
            self.severity = self.severity.softened();
        }
        self
    }
}
