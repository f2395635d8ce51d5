//! Tries every combination of the values worth trying, within a budget.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Cond, Naming, TermId, Terms};
use super::domain::Domains;
use super::{Answer, ColumnMapping, Reading};
use crate::operation::Expr;

/// Parts of a condition that are evaluated before the answer is Unknown.
const STEPS: u64 = 1_000_000;
/// Terms in one search: each has two values at least.
const TERMS: usize = 20;
/// Nodes of both conditions.
const NODES: usize = 40_000;

pub(super) fn decide(a: (&Expr, Reading), b: (&Expr, Reading), mapping: &ColumnMapping) -> Answer {
    let mut nodes = 0;
    a.0.walk(&mut |_| nodes += 1);
    b.0.walk(&mut |_| nodes += 1);
    if nodes > NODES {
        return Answer::Unknown;
    }
    let mut terms = Terms::default();
    let mut taken = |expr: &Expr, mapped| {
        let naming = Naming::of(expr, mapped, mapping);
        terms.condition(&super::normalise(expr), &naming).ok()
    };
    let (Some(first), Some(second)) = (taken(a.0, Some(mapping)), taken(b.0, None)) else { return Answer::Unknown };
    terms.settle();
    let Some(domains) = Domains::new(&terms) else { return Answer::Unknown };
    let mut parts = conjuncts(first);
    let mut wanted = conjuncts(second);
    for part in parts.iter_mut().chain(&mut wanted) {
        place_lists(part, &domains.positions);
    }
    let mut question = Question { terms: &terms, domains: &domains, reads: (a.1, b.1), steps: STEPS };
    let parts = Parts::new(&parts, &question);
    question.all(&parts, &wanted)
}

fn conjuncts(condition: Cond) -> Vec<Cond> {
    match condition {
        Cond::And(list) => list,
        one => vec![one],
    }
}

/// Lists of IN hold positions from here on, sorted.
fn place_lists(condition: &mut Cond, positions: &[u32]) {
    match condition {
        Cond::Among(_, list, _) => {
            for constant in list.iter_mut() {
                *constant = positions[*constant] as usize;
            }
            list.sort_unstable();
        }
        Cond::And(list) | Cond::Or(list) => list.iter_mut().for_each(|one| place_lists(one, positions)),
        Cond::Not(one) | Cond::Is(one, _) => place_lists(one, positions),
        Cond::Known(_)
        | Cond::Truth(_)
        | Cond::IsNull(_)
        | Cond::Compare(..)
        | Cond::CompareTerms(..)
        | Cond::Same(..)
        | Cond::SameTerms(..) => {}
    }
}

/// The parts of the first condition, to be found by what they speak of.
struct Parts<'a> {
    list: Vec<(&'a Cond, BTreeSet<TermId>)>,
    by_class: BTreeMap<TermId, Vec<usize>>,
}

impl<'a> Parts<'a> {
    fn new(parts: &'a [Cond], question: &Question<'_>) -> Parts<'a> {
        let list: Vec<_> = parts.iter().map(|part| (part, question.classes(part))).collect();
        let mut by_class: BTreeMap<TermId, Vec<usize>> = BTreeMap::new();
        for (at, (_, classes)) in list.iter().enumerate() {
            for class in classes {
                by_class.entry(*class).or_default().push(at);
            }
        }
        Parts { list, by_class }
    }

    /// The parts that speak of these classes; `chain`: also of what such parts speak of.
    fn reached(&self, classes: BTreeSet<TermId>, chain: bool) -> BTreeSet<usize> {
        let mut taken = BTreeSet::new();
        let mut seen = classes.clone();
        let mut open: Vec<TermId> = classes.into_iter().collect();
        while let Some(class) = open.pop() {
            for part in self.by_class.get(&class).into_iter().flatten() {
                if taken.insert(*part) && chain {
                    open.extend(self.list[*part].1.iter().filter(|class| seen.insert(**class)));
                }
            }
        }
        taken
    }

    /// Parts that share no term with those of another group.
    fn groups(&self) -> Vec<Vec<&'a Cond>> {
        let mut done: BTreeSet<usize> = BTreeSet::new();
        let mut groups = Vec::new();
        for (at, (part, classes)) in self.list.iter().enumerate() {
            if done.contains(&at) {
                continue;
            }
            let members = self.reached(classes.clone(), true);
            done.extend(&members);
            let members = members.into_iter().map(|at| self.list[at].0);
            groups.push(if classes.is_empty() { vec![*part] } else { members.collect() });
        }
        groups
    }
}

struct Question<'a> {
    terms: &'a Terms,
    domains: &'a Domains,
    reads: (Reading, Reading),
    steps: u64,
}

/// What trying all combinations brought to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A row that every type has.
    Row,
    /// A row that some types may not have.
    Doubtful,
    /// The budget ended.
    TooMuch,
}

fn passes(value: Option<bool>, reading: Reading) -> bool {
    match reading {
        Reading::Filter => value == Some(true),
        Reading::Check => value != Some(false),
    }
}

impl Question<'_> {
    fn all(&mut self, parts: &Parts<'_>, wanted: &[Cond]) -> Answer {
        let mut answer = Answer::Yes;
        // A condition without rows implies everything; one with rows can show a counterexample.
        let rows = self.rows(parts);
        if rows == Found::Nothing {
            return Answer::Yes;
        }
        for want in wanted {
            match self.one(parts, want) {
                Answer::Yes => {}
                Answer::No if rows == Found::Row => return Answer::No,
                Answer::No | Answer::Unknown => answer = Answer::Unknown,
            }
        }
        answer
    }

    /// Whether a row passes all parts: those that share no term are asked one by one.
    fn rows(&mut self, parts: &Parts<'_>) -> Found {
        let mut worst = Found::Row;
        for group in parts.groups() {
            match self.arm_by_arm(&group, None) {
                Found::Nothing => return Found::Nothing,
                Found::Row => {}
                Found::Doubtful | Found::TooMuch => worst = Found::Doubtful,
            }
        }
        worst
    }

    fn one(&mut self, parts: &Parts<'_>, want: &Cond) -> Answer {
        let classes = self.classes(want);
        let pick =
            |reached: BTreeSet<usize>| -> Vec<&Cond> { reached.into_iter().map(|at| parts.list[at].0).collect() };
        let nearest = pick(parts.reached(classes.clone(), false));
        let near = pick(parts.reached(classes, true));
        let Some(left) = self.steps.checked_sub((near.len() + 1) as u64) else { return Answer::Unknown };
        self.steps = left;
        match self.arm_by_arm(&near, Some(want)) {
            Found::Nothing => return Answer::Yes,
            Found::Row => return Answer::No,
            Found::Doubtful => return Answer::Unknown,
            Found::TooMuch => {}
        }
        // Fewer parts let more rows through: only Yes counts.
        match self.arm_by_arm(&nearest, Some(want)) {
            Found::Nothing => Answer::Yes,
            Found::Row | Found::Doubtful | Found::TooMuch => Answer::Unknown,
        }
    }

    /// An OR by itself is asked arm by arm, which multiplies nothing.
    fn arm_by_arm(&mut self, parts: &[&Cond], want: Option<&Cond>) -> Found {
        let mut terms = BTreeSet::new();
        want.into_iter().for_each(|want| collect(want, &mut terms));
        if terms.len() > TERMS {
            return Found::TooMuch;
        }
        let [Cond::Or(arms)] = parts else { return self.search(parts, want) };
        let mut found = Found::Nothing;
        for arm in arms {
            let inner = match arm {
                Cond::And(list) => list.iter().collect(),
                one => vec![one],
            };
            match self.search(&inner, want) {
                Found::Nothing => {}
                Found::Row => return Found::Row,
                other => found = other,
            }
        }
        found
    }

    /// The classes of terms that a condition depends on.
    fn classes(&self, condition: &Cond) -> BTreeSet<TermId> {
        let mut terms = BTreeSet::new();
        collect(condition, &mut terms);
        terms.into_iter().flat_map(|term| self.with_sources(term)).map(|term| self.terms.root(term)).collect()
    }

    fn with_sources(&self, term: TermId) -> impl Iterator<Item = TermId> {
        std::iter::once(term).chain(self.terms.list[term].strict_on.iter().copied())
    }

    /// A row that passes all of `parts`, and fails `want` where one is asked for.
    fn search(&mut self, parts: &[&Cond], want: Option<&Cond>) -> Found {
        let mut terms = BTreeSet::new();
        let mut nodes = 1;
        for condition in parts.iter().copied().chain(want) {
            collect(condition, &mut terms);
            nodes += size(condition);
        }
        let terms: BTreeSet<TermId> = terms.into_iter().flat_map(|term| self.with_sources(term)).collect();
        let terms: Vec<TermId> = terms.into_iter().collect();
        let sizes: Vec<u32> =
            terms.iter().map(|term| self.domains.by_root[&self.terms.root(*term)].certain.len() as u32).collect();
        let combinations = sizes.iter().try_fold(1u64, |all, size| all.checked_mul(u64::from(*size) + 1));
        let cost = combinations.and_then(|all| all.checked_mul(nodes as u64 + terms.len() as u64));
        match cost.filter(|cost| *cost <= self.steps) {
            Some(cost) => self.steps -= cost,
            None => return Found::TooMuch,
        }
        let mut found = Found::Nothing;
        let mut row: BTreeMap<TermId, Option<u32>> = terms.iter().map(|term| (*term, None)).collect();
        loop {
            if self.can_be(&row) && self.is_found(parts, want, &row) {
                if self.is_certain(&row) {
                    return Found::Row;
                }
                found = Found::Doubtful;
            }
            if !advance(&mut row, &sizes) {
                return found;
            }
        }
    }

    /// Strict expressions are NULL where what they are made of is.
    fn can_be(&self, row: &BTreeMap<TermId, Option<u32>>) -> bool {
        row.iter().all(|(term, value)| {
            let strict_on = &self.terms.list[*term].strict_on;
            value.is_none() || strict_on.iter().all(|source| row.get(source).is_none_or(Option::is_some))
        })
    }

    fn is_found(&self, parts: &[&Cond], want: Option<&Cond>, row: &BTreeMap<TermId, Option<u32>>) -> bool {
        parts.iter().all(|part| passes(self.value(part, row), self.reads.0))
            && want.is_none_or(|want| !passes(self.value(want, row), self.reads.1))
    }

    fn is_certain(&self, row: &BTreeMap<TermId, Option<u32>>) -> bool {
        row.iter().all(|(term, value)| {
            let domain = &self.domains.by_root[&self.terms.root(*term)];
            self.terms.list[*term].free && value.is_none_or(|at| domain.certain[at as usize])
        })
    }

    fn value(&self, condition: &Cond, row: &BTreeMap<TermId, Option<u32>>) -> Option<bool> {
        let of = |term: &TermId| row.get(term).copied().flatten();
        let at = |constant: &usize| self.domains.positions[*constant];
        match condition {
            Cond::Known(value) => *value,
            Cond::Truth(term) => of(term).map(|at| at == 1),
            Cond::IsNull(term) => Some(of(term).is_none()),
            Cond::Compare(term, comparison, constant) => Some(comparison.holds(of(term)?.cmp(&at(constant)))),
            Cond::CompareTerms(left, comparison, right) => Some(comparison.holds(of(left)?.cmp(&of(right)?))),
            Cond::Same(term, constant) => Some(of(term) == Some(at(constant))),
            Cond::SameTerms(left, right) => Some(of(left) == of(right)),
            Cond::Among(term, list, null) => {
                let value = of(term)? as usize;
                let found = list.binary_search(&value).is_ok();
                if !found && *null { None } else { Some(found) }
            }
            Cond::And(list) => list
                .iter()
                .try_fold(Some(true), |all, one| match (all, self.value(one, row)) {
                    (_, Some(false)) => Err(Some(false)),
                    (all, Some(true)) => Ok(all),
                    (_, None) => Ok(None),
                })
                .unwrap_or_else(|decided| decided),
            Cond::Or(list) => list
                .iter()
                .try_fold(Some(false), |all, one| match (all, self.value(one, row)) {
                    (_, Some(true)) => Err(Some(true)),
                    (all, Some(false)) => Ok(all),
                    (_, None) => Ok(None),
                })
                .unwrap_or_else(|decided| decided),
            Cond::Not(one) => self.value(one, row).map(|value| !value),
            Cond::Is(one, wanted) => Some(self.value(one, row) == *wanted),
        }
    }
}

/// The next combination; each term goes through NULL and all positions.
fn advance(row: &mut BTreeMap<TermId, Option<u32>>, sizes: &[u32]) -> bool {
    for (value, size) in row.values_mut().zip(sizes) {
        let next = value.map_or(0, |at| at + 1);
        if next < *size {
            *value = Some(next);
            return true;
        }
        *value = None;
    }
    false
}

fn collect(condition: &Cond, terms: &mut BTreeSet<TermId>) {
    match condition {
        Cond::Known(_) => {}
        Cond::Truth(term)
        | Cond::IsNull(term)
        | Cond::Compare(term, ..)
        | Cond::Same(term, _)
        | Cond::Among(term, ..) => {
            terms.insert(*term);
        }
        Cond::CompareTerms(left, _, right) | Cond::SameTerms(left, right) => terms.extend([*left, *right]),
        Cond::And(list) | Cond::Or(list) => list.iter().for_each(|one| collect(one, terms)),
        Cond::Not(one) | Cond::Is(one, _) => collect(one, terms),
    }
}

fn size(condition: &Cond) -> usize {
    match condition {
        Cond::And(list) | Cond::Or(list) => 1 + list.iter().map(size).sum::<usize>(),
        Cond::Not(one) | Cond::Is(one, _) => 1 + size(one),
        _ => 1,
    }
}
